"""Units that offsets count, white space at mentions' ends: the same for all formats."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.corpora.readers.test_formats import entry
from tests.corpora.writers import brat, pubtator
from zoo.corpora.document import Document, Span
from zoo.corpora.readers import read_split
from zoo.corpora.readers.mentions import TRIMMED, Mention, place_mentions, tidy
from zoo.corpora.readers.pubtator import read_pubtator

GREEK = "Effect of α- and β-blockers (5 µg): asthma"
EMOJI = "Pain 😀😀 since Monday: asthma, gout."


def units(text: str, encoding: str, width: int, *words: str) -> list[Mention]:
    """Mentions whose offsets count units of an encoding."""
    found = []
    for word in words:
        start = len(text[: text.index(word)].encode(encoding)) // width
        found.append(Mention([(start, start + len(word.encode(encoding)) // width)], word, "Disease"))
    return found


@pytest.mark.parametrize(
    ("text", "encoding", "width", "name"),
    [(GREEK, "utf-8", 1, "UTF-8 bytes"), (EMOJI, "utf-16-le", 2, "UTF-16 units"), (EMOJI, "utf-8", 1, "UTF-8 bytes")],
)
def test_offsets_in_other_units_are_converted_and_counted(text: str, encoding: str, width: int, name: str) -> None:
    repairs: Counter[str] = Counter()
    placed = place_mentions(text, units(text, encoding, width, "asthma"), repairs)
    assert [text[s.start : s.end] for s in placed.spans] == ["asthma"] and not placed.lost
    assert repairs == {f"mention whose offsets count {name}, converted": 1}


def test_characters_stay_characters(tmp_path: Path) -> None:
    repairs: Counter[str] = Counter()
    place_mentions(EMOJI, units(EMOJI, "utf-32-le", 4, "asthma", "gout"), repairs)
    assert not repairs


def test_pubtator_in_utf16_units(tmp_path: Path) -> None:
    start = EMOJI.index("asthma") + 2
    (tmp_path / "x.txt").write_text(f"1|t|{EMOJI}\n1\t{start}\t{start + 6}\tasthma\tDisease\n")
    (document,) = read_pubtator(tmp_path / "x.txt")
    assert [EMOJI[s.start : s.end] for s in document.spans] == ["asthma"]


def test_white_space_is_trimmed_and_counted_in_all_readers(tmp_path: Path) -> None:
    text = "She has asthma and gout."
    document = Document("x", text, (Span(7, 15, "Disease"), Span(18, 23, "Disease")))
    for form, name in (("jsonl", "x.jsonl"), ("brat", "brat"), ("pubtator", "x.txt")):
        path, repairs = tmp_path / name, Counter[str]()
        if form == "jsonl":
            spans = [{"start": s.start, "end": s.end, "type": s.type} for s in document.spans]
            path.write_text(json.dumps({"id": "x", "text": text, "spans": spans}))
        elif form == "brat":
            brat([document], path)
        else:
            path.write_text(pubtator([document]))
        (found,) = read_split(path, entry(form), repairs)
        assert [text[s.start : s.end] for s in found.spans] == ["asthma", "gout"], form
        assert repairs == {TRIMMED: 2}, form


def test_what_is_nothing_but_white_space_is_left_out() -> None:
    repairs: Counter[str] = Counter()
    text = "a   b c"
    spans = (Span(1, 3, "A"), Span(0, 7, "A", (), ((0, 2), (5, 7))), Span(0, 3, "B", (), ((0, 1), (2, 3))))
    assert tidy(Document("x", text, spans), repairs).spans == (
        Span(0, 1, "B"),
        Span(0, 7, "A", (), ((0, 2), (5, 7))),
    )
    assert repairs == {"mention of nothing but white space left out": 1, TRIMMED: 1}


@pytest.mark.parametrize(
    ("text", "start", "warned"),
    [
        (EMOJI, EMOJI.index("asthma") + 2, True),  # `thma, ` by characters
        (EMOJI, EMOJI.index("asthma"), False),
        (EMOJI.replace("😀", "ab"), EMOJI.index("asthma") + 2, False),  # inside a word, but not for that reason
        ("😀 " + "x" * 60, 10, False),  # no better in UTF-16 units
    ],
)
def test_offsets_that_seem_to_count_utf16_units_are_named(text: str, start: int, warned: bool) -> None:
    repairs: Counter[str] = Counter()
    tidy(Document("x", text, (Span(start, start + 6, "Disease"),)), repairs)
    assert any("UTF-16" in what for what in repairs) == warned
