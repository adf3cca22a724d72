"""Noise in training: mentions move along, chance decides, and nothing of what the tests of robustness do is trained."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.test_robustness import documents, marked, shown
from zoo.corpora.document import Document
from zoo.corpora.edits import ABBREVIATIONS, NEIGHBOURS
from zoo.evaluation.robustness import LINE_BREAK_SHARE, typos
from zoo.training.noise import (
    HEADINGS,
    MISREAD,
    OPERATIONS,
    SHORTHAND,
    Operation,
    drop_marks,
    mistype,
    shorten,
    with_noise,
    wrap_lines,
    write_out,
)
from zoo.training.noise import _noisy as noisy

TEXT = "Laboratory tests of the left ventricle showed hypertension and tachycardia weekly, resembling clinical attacks."


def applied(operation: Operation, document: Document, seed: int, language: str = "en") -> Document:
    from zoo.corpora.edits import apply_edits

    return apply_edits(document, operation(document, random.Random(seed), language)).document


@pytest.mark.parametrize("operation", OPERATIONS)
@given(document=documents(), seed=st.integers(0, 99), language=st.sampled_from(["en", "es", "zh"]))
@settings(deadline=None, max_examples=60)
def test_mentions_stay_and_no_word_of_another_is_taken_in(
    operation: Operation, document: Document, seed: int, language: str
) -> None:
    edits = operation(document, random.Random(seed), language)
    assert all(0 <= edit.start <= edit.end <= len(document.text) for edit in edits)
    assert all(one.end <= other.start for one, other in pairwise(edits))
    new = applied(operation, document, seed, language)
    assert [(span.type, span.concept_ids) for span in new.spans] == [(s.type, s.concept_ids) for s in document.spans]
    assert all(0 <= span.start < span.end <= len(new.text) for span in new.spans)


def test_no_shorthand_of_the_tests_is_trained() -> None:
    """Neither its words, nor their kin, nor its short forms for words of the table."""
    tested = {word for phrase in ABBREVIATIONS for word in re.findall(r"\w{4,}", phrase)}
    assert not {phrase for phrase in SHORTHAND["en"] if any(word in phrase for word in tested)}
    forms = {form.lower() for forms in SHORTHAND["en"].values() for form in forms}
    assert not forms & {short.lower() for short in ABBREVIATIONS.values()}
    others = "was were which points ports texts texas helix labels possible positioned nega left-over months dixit rats"
    text = " ".join([*ABBREVIATIONS, *(f"{word}ly" for word in tested), *others.split()])
    shorts, seen = {short.lower() for short in ABBREVIATIONS.values()}, set()
    for seed in range(2000):
        new = applied(shorten, Document("d", text), seed).text
        assert tested <= set(re.findall(r"\w{4,}", new))
        seen |= set(new.lower().split()) - set(text.lower().split())
    assert len(seen) > 50 and not seen & shorts


def test_no_typing_error_of_the_tests_is_trained() -> None:
    words = re.findall(r"\w{4,}", TEXT)
    slips, errors = set(), set()
    for seed in range(3000):
        slips |= set(typos(Document("d", TEXT), seed).document.text.split()) - set(TEXT.split())
        errors |= set(applied(mistype, Document("d", TEXT), seed).text.split()) - set(TEXT.split())
    assert len(slips) > 8 * len(words)
    assert len(errors) > 8 * len(words)
    assert not slips & errors
    one = {(old, new) for old, new in MISREAD if len(old) == len(new) == 1}
    assert not {(old, new) for old, new in one if new.lower() in NEIGHBOURS.get(old.lower(), "")}


def test_the_other_operations_are_others_too() -> None:
    assert "." in applied(drop_marks, Document("d", "It (is). [So]"), 1).text
    long = Document("d", " ".join(["word"] * 400))
    lines = [len(line) for line in applied(wrap_lines, long, 3).text.split("\n")]
    assert max(lines[:-1]) - min(lines[:-1]) < 5
    assert 1 / (1 + sum(lines) / len(lines) / 5) != pytest.approx(LINE_BREAK_SHARE)


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        (
            write_out,
            "Known [CNS toxicity] vs none, ED.",
            "Known [central nervous system toxicity] versus none, emergency department.",
        ),
        (wrap_lines, "No [renal failure of the kind] at all now", None),
        (drop_marks, "A [non-toxic (mild) form] of it", None),
    ],
)
def test_worked_examples(operation: Operation, before: str, after: str | None) -> None:
    found = {shown(applied(operation, marked(before), seed)) for seed in range(40)}
    if after is not None:
        assert found == {after}
    assert all(text.count("[") == text.count("]") == 1 for text in found)
    assert len(found) > (after is None)


def test_rules_leave_mentions_alone_and_the_table_does_not() -> None:
    found = {shown(applied(shorten, marked("Sometimes [chronic hepatitis] happened"), seed)) for seed in range(200)}
    mentions = {text[text.index("[") : text.index("]") + 1] for text in found}
    assert mentions == {"[chronic hepatitis]", "[chr hepatitis]", "[chron hepatitis]"}
    assert len(found) > 20


def test_a_share_comes_twice_drawn_anew_and_nothing_is_drawn_without() -> None:
    runs = [(Document(str(i), TEXT), 1 + i % 2) for i in range(400)]
    rng = random.Random(1)
    state = rng.getstate()
    assert with_noise(runs, 0.0, rng, "en") == runs
    assert rng.getstate() == state
    first, second = (with_noise(runs, 0.5, rng, "en") for _ in range(2))
    assert first != second
    assert first[:400] == runs
    again = first[400:]
    assert len({document.id for document, _ in again}) == len(again) == 200
    assert all(held == 1 + int(document.id) % 2 for document, held in again)
    assert sum(document.text != TEXT for document, _ in again) > 160


def test_a_language_without_a_table_has_the_rest() -> None:
    russian = Document("d", "Пациент страдает гипертонией и сахарным диабетом второго типа")
    texts = {noisy(russian, random.Random(seed), "ru").text for seed in range(200)}
    assert len(texts) > 100
    headings = {heading for each in HEADINGS.values() for heading in each}
    assert not any(heading in text for heading in headings for text in texts)
    assert not re.search("[a-z]", "".join(texts))
