"""What the text says of a mention; all sentences are written for these tests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.context.assertion import Assertion
from zoo.context.engine import assertions
from zoo.context.rules import RULES, languages, load_rules
from zoo.context.tokens import sentences
from zoo.errors import ZooError
from zoo.modeling.windows import Entity
from zoo.tagging.asserting import assert_entities


def said(text: str, *mentions: str, language: str = "en") -> list[str]:
    """What is said of the first of each of these words, such as `negated, historical`; empty: plainly there."""
    spans = [(text.index(mention), text.index(mention) + len(mention)) for mention in mentions]
    return [answer.words for answer in assertions(text, spans, language)]


@pytest.mark.parametrize(
    ("text", "mentions", "expected"),
    [
        ("She has no fever, chills or cough.", ("fever", "chills", "cough"), ["negated"] * 3),
        ("She has no fever but cough.", ("fever", "cough"), ["negated", ""]),
        ("No rash, although the itching goes on.", ("rash", "itching"), ["negated", ""]),
        ("Denies vertigo, tinnitus, and otalgia; reports deafness.", ("otalgia", "deafness"), ["negated", ""]),
        ("Negative for malaria; however, he has dengue.", ("malaria", "dengue"), ["negated", ""]),
        ("Neither goitre nor exophthalmos. Tremor.", ("goitre", "exophthalmos", "Tremor"), ["negated", "negated", ""]),
        ("Scurvy was ruled out.", ("Scurvy",), ["negated"]),
        ("He doesn't have gout, and has psoriasis.", ("gout", "psoriasis"), ["negated", ""]),
        ("Vomiting: no\nHiccups: yes\nTrismus: none", ("Vomiting", "Hiccups", "Trismus"), ["negated", "", "negated"]),
        ("No change in the cyst. No change in vision.", ("cyst", "change in vision"), ["", "negated"]),
        ("Possible measles; rubella cannot be ruled out.", ("measles", "rubella"), ["possible", "possible"]),
        ("We cannot rule out typhoid.", ("typhoid",), ["possible"]),
        ("History of scabies, now presents with cellulitis.", ("scabies", "cellulitis"), ["historical", ""]),
        ("A four-day history of diplopia.", ("diplopia",), [""]),
        ("Stroke 12 years ago, no history of epilepsy.", ("Stroke", "epilepsy"), ["historical", "negated, historical"]),
        ("Come back if you develop jaundice.", ("jaundice",), ["hypothetical"]),
        ("Call us if there is new or worsening oedema.", ("oedema",), ["hypothetical"]),
        ("Her sister has lupus; the patient has vitiligo.", ("lupus", "vitiligo"), ["someone else", ""]),
        ("Glaucoma in her mother.", ("Glaucoma",), ["someone else"]),
        ("Seen by Dr. Roe without pallor.", ("pallor",), ["negated"]),
    ],
)
def test_english(text: str, mentions: tuple[str, ...], expected: list[str]) -> None:
    assert said(text, *mentions) == expected


@pytest.mark.parametrize(
    ("text", "mentions", "expected"),
    [
        ("No refiere vértigo, acúfenos ni otalgia, pero presenta fiebre.", ("vértigo", "otalgia", "fiebre"),
         ["negated", "negated", ""]),
        ("Sin ictericia. Sin embargo, persiste el prurito.", ("ictericia", "prurito"), ["negated", ""]),
        ("Se descarta malaria. No se puede descartar dengue.", ("malaria", "dengue"), ["negated", "possible"]),
        ("Probable sarampión; rubeola descartada.", ("sarampión", "rubeola"), ["possible", "negated"]),
        ("Antecedentes de gota; acude por cólico.", ("gota", "cólico"), ["historical", ""]),
        ("Infarto hace 3 años. Volver si sangrado.", ("Infarto", "sangrado"), ["historical", "hypothetical"]),
        ("Su madre tuvo un ictus. El paciente tiene asma.", ("ictus", "asma"), ["someone else", ""]),
        ("Sin cambios en el quiste.", ("quiste",), [""]),
        ("No se observa adenopatia y esta afebril", ("adenopatia",), ["negated"]),
    ],
)  # fmt: skip
def test_spanish(text: str, mentions: tuple[str, ...], expected: list[str]) -> None:
    assert said(text, *mentions, language="es-ES") == expected


def test_the_phrase_that_decided_is_told_and_a_mention_does_not_negate_itself() -> None:
    text = "There is no evidence of non-union. No-reflow phenomenon was seen."
    first, second = assertions(text, [(24, 33), (35, 55)])
    assert first == Assertion(negation="negated", cues=("no evidence of",))
    assert text[35:55] == "No-reflow phenomenon" and second == Assertion()


def test_sections_are_named_and_decide_where_no_phrase_does() -> None:
    text = (
        "Migraine today.\nPast Medical History: gout, no asthma\nFAMILY HISTORY:\nDiabetes in both uncles. Eczema.\n"
        "HOBBIES: fencing injury\n## Impression\nSciatica.\nHISTORY OF PRESENT ILLNESS: vertigo  ALLERGIES: latex"
    )
    words = ["Migraine", "gout", "asthma", "Eczema", "fencing", "Sciatica", "vertigo", "latex"]
    found = assertions(text, [(text.index(word), text.index(word) + len(word)) for word in words])
    assert [(answer.section, answer.words) for answer in found] == [
        ("", ""),
        ("past_medical_history", "historical"),
        ("past_medical_history", "negated, historical"),
        ("family_history", "someone else"),
        ("", ""),
        ("observation_and_plan", ""),
        ("history_of_present_illness", ""),
        ("allergy", "historical"),
    ]


def test_lines_that_were_wrapped_go_on_and_lines_that_were_ended_do_not() -> None:
    wrapped = "The patient was seen in clinic and had no signs of meningitis and no\nParkinson disease was found today."
    assert said(wrapped, "Parkinson disease") == ["negated"]
    assert said("No meningitis\nParkinson disease", "Parkinson disease") == [""]
    assert said("no meningitis or\nencephalitis", "encephalitis") == ["negated"]


@given(st.text(alphabet=st.sampled_from(" .\n\r\t-:,aZ\u0301\u4e2dÉ19'’no"), max_size=80))
def test_sentences_cover_the_text(text: str) -> None:
    assert "".join(text[start:end] for start, end in sentences(text)) == text


_WORDS = st.sampled_from(
    [
        *("no", "but", "fever", "cough", "without", "history", "of", "mother", ",", ".", ";", ":", "\n", "patient"),
        *("possible", "ruled", "out", "HISTORY:", "PAST MEDICAL HISTORY:", "$", "0", "n't", "é", "中", "?"),
    ]
)


@settings(deadline=None)
@given(
    st.lists(_WORDS, max_size=40),
    st.lists(st.tuples(st.integers(0, 120), st.integers(1, 9)), max_size=8),
    st.booleans(),
)
def test_every_entity_gets_one_answer_and_stays_as_it_was(
    words: list[str], places: list[tuple[int, int]], spanish: bool
) -> None:
    text = " ".join(words)
    entities = [Entity(start, start + length, "X", 0.5) for start, length in places if start + length <= len(text)]
    found = assert_entities(text, entities, "es" if spanish else "en")
    assert [(e.key, e.score, e.link) for e in found] == [(e.key, e.score, e.link) for e in entities]
    assert all(isinstance(entity.assertion, Assertion) for entity in found)
    alone = [assert_entities(text, [entity], "es" if spanish else "en")[0] for entity in entities]
    assert alone == found


@pytest.mark.parametrize("piece", ["a", "no ", ".", " ", "\n", "A\n", "A:", "HISTORY: ", "n't", "'", "no x but "])
def test_hostile_texts_are_answered(piece: str) -> None:
    text = piece * (100_000 // len(piece))  # a quadratic answer takes minutes
    spans = [(start, start + 1) for start in range(0, len(text) - 1, 7)]
    assert len(assertions(text, spans)) == len(spans)


def test_a_language_without_rules_is_one_error_that_names_those_there_are() -> None:
    assert languages() == ["en", "es"]
    with pytest.raises(ZooError, match=r"'tlh', only for en, es"):
        load_rules("tlh")


@pytest.mark.parametrize("language", languages())
def test_rules_are_whole_and_their_source_is_told(language: str) -> None:
    rules = load_rules(language)
    assert len(rules.phrases.following) > 50 and {"past_medical_history", "family_history"} <= set(
        rules.headers.values()
    )
    named = (RULES / "README.md").read_text(encoding="utf-8")
    for path in (RULES / language).glob("*.json"):
        assert f"{language}/{path.name}" in named or path.name == "own.json"
