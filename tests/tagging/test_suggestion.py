"""What is worth annotating next: doubts as the model has them, and documents unlike each other."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.adapters import save_adapter, save_base
from tests.conftest import TINY_SENTENCES
from tests.in_process import Zoo
from tests.tagging.test_stream import make_tagger
from tests.test_bad_input import refused
from zoo.corpora.readers.brat import read_brat
from zoo.corpora.readers.jsonl import read_jsonl
from zoo.tagging.suggestion import suggest
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text
from zoo.tagging.uncertainty import LIKELY, read_unsure

SENTENCES = [text for text, _ in TINY_SENTENCES]


def test_doubts_and_embeddings_are_those_of_a_plain_forward_pass(tmp_path: Path) -> None:
    import torch

    tagger = make_tagger("bert", tmp_path)
    (found,) = read_unsure([tagger], [Text("a", SENTENCES[0])])
    given = tagger.tokenizer(SENTENCES[0], return_tensors="pt", return_offsets_mapping=True)
    offsets = given.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        out = tagger.model(**given, output_hidden_states=True)
    shares = out.logits[0].softmax(-1).numpy()
    words: dict[int, list[int]] = {}  # start of the word that white space ends -> its tokens
    for token, (start, end) in enumerate(offsets):
        if end > start:
            words.setdefault(SENTENCES[0].rfind(" ", 0, start) + 1, []).append(token)
    expected = {
        start: max(1 - shares[token].max() for token in tokens)
        for start, tokens in words.items()
        if max(1 - shares[token, 0] for token in tokens) >= LIKELY
    }
    assert {doubt.start: doubt.probability for doubt in found.doubts} == pytest.approx(expected, abs=1e-5)
    assert found.words == len(words)
    assert found.uncertainty == pytest.approx(sum(expected.values()) / len(words) ** 0.5, abs=1e-4)
    mean = out.hidden_states[-1][0, 1:-1].mean(0).numpy()
    assert found.embedding == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_words_of_two_windows_count_once_and_several_models_doubt_together(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    adapters = [save_adapter(tmp_path / name, base, seed=seed) for seed, name in enumerate("ab")]
    taggers = Tagger.load_all(adapters)
    text = Text("long", " ".join(SENTENCES) * 4)
    assert len(taggers[0].encode([text.text])) > 2
    one, other, both = (next(read_unsure(each, [text])) for each in ([taggers[0]], [taggers[1]], taggers))
    for unsure in (one, other, both):
        assert all(first.end <= second.start for first, second in pairwise(unsure.doubts))
        assert unsure.doubts and not any(" " in text.text[doubt.start : doubt.end] for doubt in unsure.doubts)
        assert unsure.words == len(text.text.split())
    for alone in (*one.doubts, *other.doubts):
        assert any(
            each.start <= alone.start and alone.end <= each.end and alone.probability <= each.probability + 1e-5
            for each in both.doubts
        )


def test_the_surest_and_the_copies_come_last() -> None:
    embeddings = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0.8, 0.6, 0], [0, 0, 1]], dtype=np.float32)
    doubts = np.array([0.9, 0.8, 0.5, 0.7, 0.0])
    assert suggest(doubts, embeddings, 5) == [
        (0, pytest.approx(0.9)),
        (2, pytest.approx(0.5)),
        (3, pytest.approx(0.14)),
    ]
    annotated = np.array([[0, 1, 0]], dtype=np.float32)
    assert [index for index, _ in suggest(doubts, embeddings, 2, annotated=annotated)] == [0, 3]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_adapter(tmp_path / "adapter", save_base(tmp_path / "base"), seed=0)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.jsonl"
    texts = [*SENTENCES, SENTENCES[0], ""]
    path.write_text("".join(json.dumps({"id": f"n{i}", "text": text}) + "\n" for i, text in enumerate(texts)))
    return path


def test_suggested_documents_are_ready_to_annotate(zoo: Zoo, model: Path, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "a.txt").write_text(SENTENCES[1])
    command = ("suggest", "--model", model, "--file", notes, "--annotated", tmp_path / "done", "--count", 3)
    rows = json.loads(zoo(*command, "--out", tmp_path / "next", "--json").stdout)
    assert [row["rank"] for row in rows] == [1, 2, 3] and len({row["text"] for row in rows}) == 3
    assert SENTENCES[1] not in {row["text"] for row in rows}
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(row["text"][d["start"] : d["end"]] == d["text"] for row in rows for d in row["doubts"])
    documents = {d.id: [(s.start, s.end, s.type) for s in d.spans] for d in read_brat(tmp_path / "next")}
    assert documents == {row["id"]: [(s["start"], s["end"], s["type"]) for s in row["spans"]] for row in rows}
    assert any(documents.values()), "what the model found is there already"
    assert "n" in (tmp_path / "next" / "suggestions.tsv").read_text().splitlines()[1]

    zoo(*command, "--out", tmp_path / "next.jsonl")
    assert [d.id for d in read_jsonl(tmp_path / "next.jsonl")] == [row["id"] for row in rows]
    refused(zoo(*command, "--out", tmp_path / "next", check=None), "there already", "--out")


def test_refusals(zoo: Zoo, model: Path, notes: Path, tmp_path: Path) -> None:
    start = ("suggest", "--model", model, "--file")
    refused(zoo(*start, tmp_path / "none", check=None), "no such file or folder")
    refused(zoo(*start, notes, "--annotated", notes, check=None), "annotated already")
    refused(zoo(*start, notes, "--annotated", "ncbi-diseas", check=None), "did you mean", "ncbi-disease")
    refused(zoo(*start, notes, "--out", "x.csv", check=None), ".csv", "--out")
    twice = tmp_path / "twice.jsonl"
    twice.write_text("".join(json.dumps({"id": "same", "text": text}) + "\n" for text in SENTENCES))
    refused(zoo(*start, twice, "--out", tmp_path / "out", check=None), "comes twice")
    assert not (tmp_path / "out").exists()
