"""A corpus entry of every format, from the folder with its splits to checked documents; counts of the real corpora."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.corpora import writers
from zoo.corpora.document import Document, Span, count_mentions, count_tokens
from zoo.corpora.load import Corpus, load_corpus
from zoo.errors import ZooError
from zoo.registry.loader import load_registry
from zoo.registry.schema import CorpusEntry


def text(suffix: str, write: Callable[[Sequence[Document]], str]) -> Callable[[Sequence[Document], Path], Any]:
    return lambda documents, stem: stem.with_name(stem.name + suffix).write_text(write(documents), encoding="utf-8")


WRITE: dict[str, Callable[[Sequence[Document], Path], Any]] = {
    "jsonl": text(".jsonl", writers.jsonl),
    "brat": writers.brat,
    "pubtator": text(".txt", writers.pubtator),
    "pubtator ": text(".PubTator", writers.pubtator),
    "bioc": text(".xml", lambda documents: writers.bioc(documents, "xml")),
    "bioc ": text(".json", lambda documents: writers.bioc(documents, "json")),
    "conll": text(".tsv", writers.conll),
    "parquet": lambda documents, stem: writers.parquet(documents, stem.with_name(stem.name + ".parquet")),
}


def entry(form: str, **fields: Any) -> CorpusEntry:
    return CorpusEntry.model_validate(
        {
            "id": "mine",
            "title": "Mine",
            "description": "",
            "format": form.strip(),
            "unit": "sentence" if form in ("conll", "parquet") else "document",
            "types": {"Disease": "Disorder", "Chemical": "Drug"},
            "license": {"spdx": "CC0-1.0", "source": "written here", "publishable": True},
            "sources": [{"kind": "folder", "path": "data"}],
        }
        | fields
    )


def load(folder: Path, form: str, documents: Sequence[Document], **fields: Any) -> Corpus:
    (folder / "data").mkdir()
    for split in ("train", "dev", "test"):
        WRITE[form](documents, folder / "data" / split)
    return load_corpus(entry(form, **fields), registry_folder=folder)


def renamed(documents: Sequence[Document]) -> list[tuple[str, list[Span]]]:
    names = {"Disease": "Disorder", "Chemical": "Drug"}
    return [(d.text, [replace(span, type=names[span.type]) for span in d.spans]) for d in documents]


@pytest.mark.parametrize("form", [name for name in WRITE if name not in ("conll", "parquet")])
def test_standoff(form: str, tmp_path: Path) -> None:
    corpus = load(tmp_path, form, writers.RUNNING_DOCUMENTS)
    for documents in corpus.splits.values():
        assert [(document.text, list(document.spans)) for document in documents] == renamed(writers.RUNNING_DOCUMENTS)
        assert [document.id for document in documents] == ["101", "102", "103", "104"]
    assert not corpus.repairs


@pytest.mark.parametrize("form", ["conll", "parquet"])
def test_columns(form: str, tmp_path: Path) -> None:
    corpus = load(tmp_path, form, writers.TOKEN_DOCUMENTS)
    sentences = [line for document in writers.TOKEN_DOCUMENTS for line in document.text.split("\n")]
    assert [document.text for document in corpus.splits["dev"]] == sentences
    assert {span.type for document in corpus.splits["dev"] for span in document.spans} == {"Disorder", "Drug"}
    assert not corpus.repairs


def test_columns_of_a_hub_source_hold_for_a_local_copy(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    (tmp_path / "mine").mkdir()
    table = pyarrow.table({"words": [["Asthma", "attack"]], "tags": [[1, 2]]})
    for split in ("train", "dev", "test"):
        parquet.write_table(table, tmp_path / "mine" / f"{split}.parquet")
    source = {"kind": "hub", "dataset": "a/b", "revision": "0" * 40, "files": {}, "tokens_column": "words"}
    source |= {"tags_column": "tags", "tag_names": ["O", "B-Disease", "I-Disease"]}
    corpus = load_corpus(entry("parquet", sources=[source]), registry_folder=tmp_path, local=tmp_path)
    assert corpus.splits["test"][0].spans == (Span(0, 13, "Disorder"),)


OVERLAPPING = (
    Document("1", "Breast and ovarian cancer here", (Span(0, 25, "Disease"), Span(11, 25, "Disease"))),
    Document(
        "2", "Breast and ovarian cancer", (Span(0, 25, "Disease", (), ((0, 6), (19, 25))), Span(11, 18, "Chemical"))
    ),
)


def test_overlap_policies(tmp_path: Path) -> None:
    for policy in ("error", "keep", "longest"):
        (tmp_path / policy).mkdir()
    with pytest.raises(ZooError, match=r"document 1 .* shares characters with") as caught:
        load(tmp_path / "error", "brat", OVERLAPPING)
    assert caught.value.where == str(tmp_path / "error" / "data" / "train")
    kept = load(tmp_path / "keep", "brat", OVERLAPPING, overlaps="keep")
    assert [list(document.spans) for document in kept.splits["test"]] == [spans for _, spans in renamed(OVERLAPPING)]
    assert not kept.repairs
    longest = load(tmp_path / "longest", "brat", OVERLAPPING, overlaps="longest")
    found = [[span.key for span in document.spans] for document in longest.splits["test"]]
    assert found == [[(0, 25, "Disorder")], [(11, 18, "Drug")]]
    assert longest.repairs == {"nested mention left out": 3, "discontinuous mention left out": 3}


def test_repairs_of_all_splits_add_up(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for split in ("train", "dev", "test"):
        (tmp_path / "data" / f"{split}.tsv").write_text("a\tI-Disease\nb\tO\nc\tB-Disease\n")
    corpus = load_corpus(entry("conll"), registry_folder=tmp_path)
    assert corpus.repairs == {"mention starts with a continuing tag": 3}


@pytest.mark.parametrize(
    ("form", "wanted"),
    [("conll", "dev.tsv[.gz]"), ("brat", "dev/"), ("bioc", "dev.xml[.gz]"), ("parquet", "dev.parquet")],
)
def test_a_missing_split_is_named(form: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    documents = writers.TOKEN_DOCUMENTS if form in ("conll", "parquet") else writers.RUNNING_DOCUMENTS
    WRITE[form](documents, tmp_path / "data" / "train")
    with pytest.raises(ZooError, match="no dev split") as caught:
        load_corpus(entry(form), registry_folder=tmp_path)
    assert str(caught.value.fix).endswith(f"add {wanted}")


CORPORA = [
    "anatem",
    "bc2gm",
    "bc5cdr",
    "bc5cdr-chem",
    "bc5cdr-disease",
    "bionlp2013-cg",
    "cll",
    "jnlpba",
    "linnaeus",
    "ncbi-disease",
    "species-800",
]


@pytest.mark.parametrize("name", CORPORA)
def test_real_corpora_have_the_counts_of_their_sources(name: str, shared_data: Path) -> None:
    sources = json.loads((shared_data / "reference" / "corpus_sources.json").read_text())["corpora"][name]
    assert set(sources["local_copy"]) == {"train", "dev", "test"}
    found = load_registry().corpora[name]
    corpus = load_corpus(found, registry_folder=Path(), local=shared_data / "corpora")
    assert corpus.verified
    assert not corpus.repairs
    for split, documents in corpus.splits.items():
        stated = sources["local_copy"][split]
        assert len(documents) == stated["sentences"]
        assert count_tokens(documents) == stated["tokens"]
        assert count_mentions(documents) == stated["mentions"]
