"""What pins a split: texts and spans, and concept ids where a corpus has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.corpora.notes import Add, note, write_jsonl
from zoo.corpora.document import Document, Span, fingerprint, fingerprints
from zoo.corpora.load import load_corpus
from zoo.corpora.readers.mentions import TRIMMED
from zoo.errors import ZooError
from zoo.registry.loader import load_registry

PLAIN = (Document("1", "Asthma and gout.", (Span(0, 6, "Disease"), Span(11, 15, "Disease"))), Document("2", "No."))
LINKED = (replace(PLAIN[0], spans=(Span(0, 6, "Disease", ("D1", "-1")), Span(11, 15, "Disease"))), PLAIN[1])


def test_corpora_without_concepts_keep_their_fingerprint() -> None:
    """The value that the first published results hold."""
    assert fingerprints(PLAIN) == ("42c4a9cc5060130fefce5a09d56a8f758bb670687928382a2a5405a354da3c51",)


def test_concept_ids_have_a_version_of_their_own() -> None:
    first, second = fingerprints(LINKED)
    assert first == fingerprint(PLAIN) and fingerprint(LINKED) == second != first
    for ids in (("D2", "-1"), ("D1",), ("-1", "D1"), ("D1|-1",)):
        other = (replace(PLAIN[0], spans=(Span(0, 6, "Disease", ids), Span(11, 15, "Disease"))), PLAIN[1])
        assert fingerprints(other)[0] == first and fingerprint(other) != second
    moved = (replace(PLAIN[0], spans=(Span(0, 6, "Disease"), Span(11, 15, "Disease", ("D1", "-1")))), PLAIN[1])
    assert fingerprint(moved) != second


def test_fragments_have_a_version_of_their_own() -> None:
    """What was pinned before fragments counted stays: versions 1 and 2 see a mention from its start to its end."""
    broken = (replace(PLAIN[0], spans=(Span(0, 15, "Disease", (), ((0, 6), (11, 15))), *PLAIN[0].spans)), PLAIN[1])
    whole = (replace(PLAIN[0], spans=(Span(0, 15, "Disease"), *PLAIN[0].spans)), PLAIN[1])
    first, third = fingerprints(broken)
    assert (first,) == fingerprints(whole) and fingerprint(broken) == third != first
    other = (replace(PLAIN[0], spans=(Span(0, 15, "Disease", (), ((0, 2), (11, 15))), *PLAIN[0].spans)), PLAIN[1])
    assert fingerprints(other)[0] == first and fingerprint(other) != third
    ids = (replace(broken[0], spans=(replace(broken[0].spans[0], concept_ids=("D1",)), *PLAIN[0].spans)), PLAIN[1])
    assert fingerprints(ids)[0] == first and len({*fingerprints(ids), *fingerprints(broken)}) == 4


def test_pins_of_both_versions_hold(add: Add, tmp_path: Path) -> None:
    added = add()
    path = added.path
    entry = yaml.safe_load(path.read_text())
    for split, documents in added.corpus.splits.items():
        first, second = fingerprints(documents)
        assert entry["splits"][split]["fingerprint"] == second
        entry["splits"][split]["fingerprint"] = first  # as it was pinned before concept ids counted
    path.write_text(yaml.safe_dump(entry))
    corpus = load_corpus(load_registry(tmp_path / "registry").corpus("my-notes"), registry_folder=tmp_path / "registry")
    assert corpus.verified
    for split, documents in corpus.splits.items():
        assert corpus.fingerprints[split] == fingerprints(documents)[0]  # stages that were cached stay so
        assert all(corpus.is_split(split, known) for known in fingerprints(documents))
        assert not corpus.is_split(split, "0" * 64)


def test_changed_concept_ids_are_another_split(add: Add, tmp_path: Path) -> None:
    add()
    path = tmp_path / "registry" / "splits" / "my-notes" / "train.jsonl"
    path.write_text(path.read_text().replace("D001249", "D001250"))
    with pytest.raises(ZooError, match="train split of my-notes is not the registered one"):
        load_corpus(load_registry(tmp_path / "registry").corpus("my-notes"), registry_folder=tmp_path / "registry")


def test_a_corpus_that_was_pinned_with_white_space_says_what_to_do(add: Add, tmp_path: Path) -> None:
    notes = [note(i) for i in range(20)]
    for item in notes:
        item["spans"][0]["end"] += 1
        item["text"] = item["text"].replace("asthma,", "asthma ,")
        item["spans"][1] = {
            **item["spans"][1],
            "start": item["spans"][1]["start"] + 1,
            "end": item["spans"][1]["end"] + 1,
        }
    added = add(path=write_jsonl(tmp_path / "spaces.jsonl", notes))
    assert f"{TRIMMED}: 20" in added.notes and not added.corpus.repairs
    path = tmp_path / "registry" / "splits" / "my-notes" / "train.jsonl"
    path.write_text((tmp_path / "spaces.jsonl").read_text())
    with pytest.raises(ZooError, match="add it again: mentions are trimmed now"):
        load_corpus(added.corpus.entry, registry_folder=tmp_path / "registry")
