"""The overlap policies: what stays, what goes, and that it is counted."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.corpora.document import Document, Span
from zoo.corpora.load import load_corpus
from zoo.corpora.overlaps import resolve_overlaps
from zoo.errors import ZooError
from zoo.registry.schema import CorpusEntry

TEXT = "0123456789" * 3


def resolve(policy: str, *spans: Span) -> tuple[list[Span], Counter[str]]:
    counts: Counter[str] = Counter()
    document = Document("d", TEXT, tuple(sorted(spans)))
    return list(resolve_overlaps(document, policy, counts).spans), counts  # type: ignore[arg-type]


A = Span(0, 10, "A")
CASES = {
    "nested": (Span(2, 5, "B"), "nested mention left out"),
    "nested at the end": (Span(8, 10, "A"), "nested mention left out"),
    "crossing": (Span(8, 12, "B"), "overlapping mention left out"),
    "another type": (Span(0, 10, "B"), "mention of the same characters with another type left out"),
    "discontinuous": (Span(12, 20, "B", (), ((12, 14), (18, 20))), "discontinuous mention left out"),
    "discontinuous and longer": (Span(0, 20, "B", (), ((0, 4), (18, 20))), "discontinuous mention left out"),
    "repeated": (Span(0, 10, "A"), "repeated mention joined to the first"),
}


@pytest.mark.parametrize("case", CASES)
def test_longest(case: str) -> None:
    other, kind = CASES[case]
    assert resolve("longest", A, other) == ([A], {kind: 1})


@pytest.mark.parametrize("case", CASES)
def test_keep(case: str) -> None:
    other, kind = CASES[case]
    if case == "repeated":
        assert resolve("keep", A, other) == ([A], {kind: 1})
    else:
        assert resolve("keep", A, other) == (sorted([A, other]), {})


@pytest.mark.parametrize("case", CASES)
def test_error_names_document_and_mentions(case: str) -> None:
    other, _ = CASES[case]
    with pytest.raises(ZooError, match="document d ") as caught:
        resolve_overlaps(Document("d", TEXT, tuple(sorted((A, other)))), "error", Counter(), where=Path("f.ann"))
    shown = [f"[{other.start}, {other.end}) {other.type}"]
    if not case.startswith("discontinuous") or "longer" in case:
        shown.append("[0, 10) A")
    assert all(words in caught.value.what for words in shown)
    assert caught.value.where == "f.ann"
    assert "overlaps: longest" in str(caught.value.fix)


@pytest.mark.parametrize("policy", ["keep", "longest", "error"])
def test_neighbours_do_not_overlap(policy: str) -> None:
    document = Document("d", TEXT, (Span(0, 10, "A"), Span(10, 12, "A"), Span(13, 14, "B")))
    counts: Counter[str] = Counter()
    assert resolve_overlaps(document, policy, counts) is document  # type: ignore[arg-type]
    assert not counts


def test_of_equally_long_mentions_the_first_stays() -> None:
    assert resolve("longest", Span(0, 4, "A"), Span(2, 6, "A"), Span(5, 9, "A")) == (
        [Span(0, 4, "A"), Span(5, 9, "A")],
        {"overlapping mention left out": 1},
    )


def test_a_mention_left_out_does_not_displace_another() -> None:
    """[0, 6) loses to [4, 14), so [0, 4) stays."""
    spans = (Span(0, 4, "A"), Span(0, 6, "A"), Span(4, 14, "A"))
    assert resolve("longest", *spans) == ([Span(0, 4, "A"), Span(4, 14, "A")], {"overlapping mention left out": 1})


def test_repeated_mentions_join_their_concept_ids() -> None:
    spans, counts = resolve("keep", Span(0, 4, "A", ("1", "2")), Span(0, 4, "A", ("2", "3")), Span(0, 4, "A"))
    assert spans == [Span(0, 4, "A", ("1", "2", "3"))]
    assert counts == {"repeated mention joined to the first": 2}


PARTS = st.tuples(st.integers(0, 29), st.integers(1, 8), st.sampled_from("AB"), st.booleans())


@given(st.lists(PARTS, max_size=12))
def test_longest_is_disjoint_complete_and_accounted_for(parts: list[tuple[int, int, str, bool]]) -> None:
    spans = []
    for start, length, name, broken in parts:
        end = min(start + length, 30)
        fragments = ((start, start + 1), (end - 1, end)) if broken and end - start > 2 else ()
        spans.append(Span(start, end, name, (), fragments))
    kept, counts = resolve("longest", *spans)
    assert all(one.end <= other.start for one, other in pairwise(kept))
    assert len(kept) + sum(counts.values()) == len(spans)
    for span in spans:
        rivals = [other for other in kept if other.start < span.end and span.start < other.end]
        assert span.fragments or any(other.end - other.start >= span.end - span.start for other in rivals)
    assert all(not span.fragments and span in spans for span in kept)


def test_what_a_policy_drops_is_counted_per_split(tmp_path: Path) -> None:
    spans = [(0, 6, "Disease"), (0, 6, "Disease"), (2, 4, "Disease"), (8, 12, "Disease")]
    line = {"id": "a", "text": "asthma, gout", "spans": [{"start": s, "end": e, "type": t} for s, e, t in spans]}
    (tmp_path / "data").mkdir()
    for split in ("train", "dev", "test"):
        lines = [json.dumps({**line, "id": str(number)}) + "\n" for number in range(2 if split == "test" else 1)]
        (tmp_path / "data" / f"{split}.jsonl").write_text("".join(lines))
    entry = CorpusEntry.model_validate(
        {
            "id": "x",
            "title": "X",
            "description": "x",
            "format": "jsonl",
            "unit": "document",
            "types": {"Disease": "Disease"},
            "overlaps": "longest",
            "sources": [{"kind": "folder", "path": "data"}],
            "license": {"spdx": "CC0-1.0", "source": "x", "publishable": True},
        }
    )
    corpus = load_corpus(entry, registry_folder=tmp_path, cache=tmp_path / "cache")
    assert corpus.dropped_mentions == {"train": 1, "dev": 1, "test": 2}  # the repeated one is the same mention
    assert corpus.repairs["repeated mention joined to the first"] == 4
