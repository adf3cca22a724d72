"""Discontinuous mentions in what the heads found: names in two pieces, and what speaks for them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import ZooError
from zoo.modeling.adapters import DISCONTINUOUS_FILE
from zoo.modeling.windows import Entity
from zoo.tagging import coordination
from zoo.tagging.coordination import Splitter, TypeSplitter, candidates, name_words, read_splitter, tree_of, words_of

NAMES = ("t cell", "rod photoreceptor", "breast cancer", "haematopoietic cell", "embryonic stem cell", "stem cell")


def splitter(**weights: float) -> Splitter:
    """One that takes every candidate but those that a weight speaks against."""
    return Splitter(types={"Cell": TypeSplitter(names=NAMES, weights=weights, bias=2.0)})


def found(text: str, *pieces: str, own: Splitter | None = None) -> list[str]:
    """The discontinuous mentions of a text in which some words are mentions."""
    places = [(text.index(piece), text.index(piece) + len(piece)) for piece in pieces]
    entities = (own or splitter()).find(text, [Entity(start, end, "Cell", 0.9) for start, end in places])
    return [" ... ".join(text[a:b] for a, b in entity.fragments) for entity in entities if entity.fragments]


@pytest.mark.parametrize(
    ("text", "whole", "expected"),
    [
        ("T and B cells", ["B cells"], ["T ... cells"]),
        ("Rod and cone photoreceptors die.", ["cone photoreceptors"], ["Rod ... photoreceptors"]),
        ("breast and ovarian cancer", ["ovarian cancer"], ["breast ... cancer"]),
        ("haematopoietic (mast) cells", [], ["haematopoietic ... cells"]),
        ("mouse embryonic stem (ES) cells", [], ["embryonic stem ... cells"]),  # the longest left piece
        ("T, B, and/or NK cells", [], ["T ... cells"]),
        ("T cells", [], []),
        ("T and B cells", ["T and B cells"], []),  # inside a mention of the type
        ("on day T. The cells", [], []),
        ("on day T\n\nCells", [], []),
        ("T a b c d e f g h i j k l m cells", [], []),
        ("T and B cellss", [], []),
    ],
)
def test_a_name_in_two_pieces_is_a_candidate(text: str, whole: list[str], expected: list[str]) -> None:
    assert found(text, *whole) == expected


def test_what_stands_in_the_gap_and_around_it_decides() -> None:
    (one,) = candidates(words_of("T and B cells"), [(6, 13)], tree_of([("t", "cell")]))
    assert one.fragments == ((0, 1), (8, 13))
    assert {"gap list", "gap list, shared", "gap ends b", "left t", "left in none", "right cell"} <= {*one.features}
    (other,) = candidates(words_of("T (or “naive”) cells"), [(0, 1)], tree_of([("t", "cell")]))
    assert {"gap ( or W )", "gap in brackets, not shared", "left in a mention"} <= {*other.features}
    assert found("T and B cells", "B cells", own=splitter(**{"gap list, shared": -5.0})) == []
    assert found("T and B cells", own=splitter(**{"gap list, shared": -5.0})) == ["T ... cells"]


WORDS = ("T", "B", "and", "or", ",", "(", ")", "cells", "cell", "embryonic", "stem", "ES", ".", "\n", "the")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(WORDS), max_size=25), st.data())
def test_fragments_lie_in_the_text_in_order_apart_and_nothing_else_changes(
    words: list[str], data: st.DataObject
) -> None:
    text = " ".join(words)
    borders = st.tuples(st.integers(0, len(text)), st.integers(1, 20))
    drawn = data.draw(st.lists(borders, max_size=5))
    whole = [Entity(a, min(a + n, len(text)), "Cell", 0.5) for a, n in drawn if a < len(text)]
    entities = splitter().find(text, whole)
    assert sorted(e for e in entities if not e.fragments) == sorted(whole)
    broken = [entity for entity in entities if entity.fragments]
    assert len({entity.key for entity in broken}) == len(broken)
    for entity in broken:
        (first, second), *rest = pairwise([at for part in entity.fragments for at in part])
        assert 0 <= first < second and all(a < b for a, b in rest) and entity.fragments[-1][1] <= len(text)
        assert (entity.start, entity.end) == (entity.fragments[0][0], entity.fragments[-1][1])
        assert " ".join(name_words(text, entity.fragments)) in NAMES
        assert not any(one.start <= entity.start and entity.end <= one.end for one in whole)


@pytest.mark.parametrize("text", ["and , " * 3_334, "T " * 10_000, "T and " * 3_334, "(" * 20_000, "s" * 20_000])
def test_the_work_is_linear_in_hostile_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: steps from word to word in the names."""
    steps = 0

    class Counted(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            nonlocal steps
            steps += 1
            return super().get(key, default)

    def counted(node: dict[str, Any]) -> Counted:
        return Counted({word: counted(below) for word, below in node.items()})

    list(candidates(words_of(text), [], counted(tree_of([("t", "t", "t", "t", "t"), ("t", "and", "t")]))))
    assert steps <= 4 * (1 + 12 * 4) * len(text)
    assert splitter().find(text, [Entity(0, 1, "Cell", 0.5)])[0] == Entity(0, 1, "Cell", 0.5)


def test_a_file_of_strangers_is_read_or_refused_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_splitter(tmp_path, ["Cell"]) is None
    path = tmp_path / DISCONTINUOUS_FILE
    path.write_text(splitter(a=1.0).to_json())
    assert read_splitter(tmp_path, ["Gene", "Cell"]) == splitter(a=1.0)
    with pytest.raises(ZooError, match="types that the model does not predict: Cell") as caught:
        read_splitter(tmp_path, ["Gene"])
    assert caught.value.where == str(path) and caught.value.fix
    whole = json.loads(path.read_text())
    for damaged in (
        "{",
        "[]",
        json.dumps({"types": {"Cell": {"names": [], "weights": {}}}}),
        json.dumps({"types": {"Cell": {**whole["types"]["Cell"], "bias": float("nan")}}}),
        json.dumps({"types": {"Cell": {**whole["types"]["Cell"], "names": ["a " * 1000]}}}),
    ):
        path.write_text(damaged)
        with pytest.raises(ZooError, match="does not say how discontinuous mentions are found"):
            read_splitter(tmp_path, ["Cell"])
    monkeypatch.setattr(coordination, "_MOST_BYTES", 10)
    with pytest.raises(ZooError, match="more than"):
        read_splitter(tmp_path, ["Cell"])


def test_weights_beyond_all_measure_are_a_probability() -> None:
    for bias, expected in ((1e308, ["T ... cells"]), (-1e308, [])):
        own = Splitter(types={"Cell": TypeSplitter(names=NAMES, weights={"left t": bias}, bias=bias)})
        assert found("T and B cells", own=own) == expected
