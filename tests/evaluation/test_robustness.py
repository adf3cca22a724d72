"""Perturbed text keeps its mentions: worked examples, and properties on arbitrary unicode text."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.stubs import ListTagger
from zoo.corpora.document import Document, Span, text_of
from zoo.corpora.edits import ABBREVIATIONS, Edit, apply_edits
from zoo.evaluation.robustness import (
    PERTURBATIONS,
    Perturbation,
    abbreviations,
    line_breaks,
    lower_case,
    missing_punctuation,
    perturbations_for,
    robustness,
    typos,
    upper_case,
)

PIECES = [
    *("patient", "History of", "with", "without", "asthma", "Straße", "ŉ", "İstanbul", "ΣΟΦΟΣ", "ﬁbrosis", "E. coli"),
    *("0.5", "10:30", "Ca(2+)", "non-small", "e\u0301tude", "👩‍⚕️", "日本", "naïve", "TNF-alpha", "i.v.", "WITH"),
    *(" ", " ", " ", "  ", "\n", "\t", "\r\n", ".", ",", " , ", " .", ";", ":", "?!", "-", ""),
]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Text of difficult words and separators, and spans anywhere in it, nested and overlapping ones too."""
    text = "".join(draw(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25)))
    spans = set()
    for _ in range(draw(st.integers(0, 5))):
        if text:
            start = draw(st.integers(0, len(text) - 1))
            end = draw(st.integers(start + 1, min(len(text), start + 15)))
            fragments = ((start, start + 1), (end - 1, end)) if end - start > 3 and draw(st.booleans()) else ()
            spans.add(Span(start, end, draw(st.sampled_from("AB")), (), fragments))
    return Document(draw(st.sampled_from(["d1", "d2"])), text, tuple(sorted(spans)), ((0, 1),))


def texts(document: Document) -> list[str]:
    return [text_of(document.text, span.key) for span in document.spans]


@pytest.mark.parametrize("name", PERTURBATIONS)
@given(document=documents(), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=150)
def test_spans_stay_in_the_text_and_offsets_agree(name: str, document: Document, seed: int) -> None:
    perturbed = PERTURBATIONS[name](document, seed)
    new = perturbed.document
    assert PERTURBATIONS[name](document, seed) == perturbed
    assert (new.id, new.tokens) == (document.id, None)
    assert len(new.spans) == len(document.spans)
    for before, after in zip(document.spans, new.spans, strict=True):
        assert 0 <= after.start < after.end <= len(new.text)
        assert (after.start, after.end) == (perturbed.offsets[before.start], perturbed.offsets[before.end])
        assert after.type == before.type
        assert [(perturbed.offsets[a], perturbed.offsets[b]) for a, b in before.fragments] == list(after.fragments)
        assert all(start < end for start, end in after.fragments)
    assert len(perturbed.offsets) == len(document.text) + 1
    assert list(perturbed.offsets) == sorted(perturbed.offsets)
    assert (perturbed.offsets[0], perturbed.offsets[-1]) == (0, len(new.text))


@pytest.mark.parametrize(("perturb", "function"), [(upper_case, str.upper), (lower_case, str.lower)])
@given(document=documents())
@settings(deadline=None)
def test_case(perturb: Perturbation, function: Callable[[str], str], document: Document) -> None:
    new = perturb(document, 0).document
    for before, after in zip(texts(document), texts(new), strict=True):
        assert after == "".join(map(function, before))


@given(document=documents(), seed=st.integers(0, 9))
@settings(deadline=None)
def test_line_breaks_change_nothing_but_spaces(document: Document, seed: int) -> None:
    new = line_breaks(document, seed).document
    for before, after in zip([document.text, *texts(document)], [new.text, *texts(new)], strict=True):
        assert len(before) == len(after)
        assert all(a == b or (a, b) == (" ", "\n") for a, b in zip(before, after, strict=True))


@given(document=documents())
@settings(deadline=None)
def test_punctuation_is_missing_around_mentions_only(document: Document) -> None:
    new = missing_punctuation(document, 0).document
    assert texts(new) == texts(document)
    assert re.sub(r"[ .,;:!?]", "", new.text) == re.sub(r"[ .,;:!?]", "", document.text)


@given(document=documents(), seed=st.integers(0, 9))
@settings(deadline=None)
def test_a_typo_is_one_slip_a_word(document: Document, seed: int) -> None:
    new = typos(document, seed).document
    for before, after in zip([document.text, *texts(document)], [new.text, *texts(new)], strict=True):
        words = len(re.findall(r"[^\W\d_]+", before))
        assert distance(before, after) <= words


def distance(a: str, b: str) -> int:
    """Edits between two strings, swapped neighbours counted as one (optimal string alignment)."""
    rows = [list(range(len(b) + 1))]
    for i in range(1, len(a) + 1):
        row = [i]
        for j in range(1, len(b) + 1):
            best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                best = min(best, rows[i - 2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def marked(text: str) -> Document:
    """A document from text with mentions in square brackets."""
    spans, plain = [], ""
    for part in re.split(r"(\[[^\]]*\])", text):
        if part.startswith("["):
            spans.append(Span(len(plain), len(plain) + len(part) - 2, "Disease"))
            part = part[1:-1]
        plain += part
    return Document("d", plain, tuple(spans))


def shown(document: Document) -> str:
    text = document.text
    for span in reversed(document.spans):
        text = f"{text[: span.start]}[{text[span.start : span.end]}]{text[span.end :]}"
    return text


@pytest.mark.parametrize(
    ("perturb", "before", "after"),
    [
        (upper_case, "Die [Straße] und [ﬁbrosis] x", "DIE [STRASSE] UND [FIBROSIS] X"),
        (lower_case, "The [IgA Nephropathy] İ [X]", "the [iga nephropathy] i̇ [x]"),
        (
            missing_punctuation,
            "[Asthma] , [E. coli] at 0.5 . Seen at 10:30: yes!",
            "[Asthma] [E. coli] at 0.5 Seen at 10:30 yes",
        ),
        (missing_punctuation, "Had [asthma], then [gout].\nNo.", "Had [asthma] then [gout]\nNo"),
        (
            abbreviations,
            "Patient with history of [asthma] without symptoms; [left ventricular failure].",
            "Pt w/ h/o [asthma] w/o sx; [L ventricular failure].",
        ),
        (abbreviations, "forthwith, With-holding; a history [often]", "forthwith, With-holding; a hx [often]"),
        (abbreviations, "history [of asthma], patient[s with gout]", "history [of asthma], patient[s w/ gout]"),
    ],
)
def test_worked_examples(perturb: Perturbation, before: str, after: str) -> None:
    assert shown(perturb(marked(before), 0).document) == after


def test_punctuation_between_the_parts_of_a_mention_is_none_inside_it() -> None:
    text, parts = "T, B and E. coli cells.", ((0, 1), (9, 22))
    assert [text[start:end] for start, end in parts] == ["T", "E. coli cells"]
    new = missing_punctuation(Document("d", text, (Span(0, 22, "A", (), parts), Span(9, 16, "A"))), 0).document
    assert new.text == "T B and E. coli cells"
    assert [text_of(new.text, span.key) for span in new.spans] == ["T E. coli cells", "E. coli"]


def test_an_edit_across_a_border_is_left_out_and_no_mention_vanishes() -> None:
    document = Document("d", "abcdef", (Span(2, 4, "A"),))
    assert apply_edits(document, [Edit(1, 3, "x")]).document == document
    assert apply_edits(document, [Edit(2, 4, "")]).document == document
    assert shown(apply_edits(document, [Edit(0, 2, "x"), Edit(4, 6, "")]).document) == "x[cd]"
    assert apply_edits(document, [Edit(0, 2, ""), Edit(2, 3, "xyz")]).offsets == [0, 0, 0, 3, 4, 5, 6]


def test_typos_and_breaks_hit_a_tenth_and_depend_on_seed_and_document() -> None:
    text = " ".join(["asthmatic"] * 3000)
    first = typos(Document("a", text), 0).document.text
    changed = sum(word != "asthmatic" for word in first.split(" "))
    assert 240 < changed < 360
    assert first != typos(Document("b", text), 0).document.text
    assert first != typos(Document("a", text), 1).document.text
    assert all(word[0] == "a" and word[-1] == "c" for word in first.split(" "))
    assert 240 < line_breaks(Document("a", text), 0).document.text.count("\n") < 360


def test_every_abbreviation_is_used() -> None:
    for phrase, short in ABBREVIATIONS.items():
        assert abbreviations(Document("d", f"x {phrase} y"), 0).document.text == f"x {short} y"


def test_robustness_reports_the_loss_of_each_perturbation() -> None:
    tagger = ListTagger()
    items = [marked("Had [asthma]."), marked("had [migraine], then [migraine]")]
    names: list[str] = []
    scores = robustness(tagger, items, seed=3, progress=names.append)  # type: ignore[arg-type]
    assert list(scores) == names == ["original", *PERTURBATIONS]
    assert scores["original"] == (1.0, 0.0, 0)
    assert scores["upper case"] == (0.0, 1.0, 2)
    assert scores["lower case"] == (1.0, 0.0, 1)
    assert scores["missing punctuation"] == (1.0, 0.0, 2)
    assert scores["abbreviations"] == (1.0, 0.0, 0)
    assert tagger.tagged[1] == ["HAD ASTHMA.", "HAD MIGRAINE, THEN MIGRAINE"]


def test_robustness_renames_types() -> None:
    tagger = ListTagger({"asthma": "Illness"})
    only = {"lower case": lower_case}
    items = [marked("Had [asthma].")]
    assert robustness(tagger, items, perturbations=only)["original"].micro_f1 == 0.0  # type: ignore[arg-type]
    renamed = robustness(tagger, items, perturbations=only, mapping={"Illness": "Disease"})  # type: ignore[arg-type]
    assert {name: score.micro_f1 for name, score in renamed.items()} == {"original": 1.0, "lower case": 1.0}


def test_english_abbreviations_are_for_english_text() -> None:
    assert "abbreviations" in perturbations_for("en-GB")
    assert set(PERTURBATIONS) - set(perturbations_for("es")) == {"abbreviations"}
