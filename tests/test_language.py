"""Texts in any writing and script: offsets, words, sentences; one text gives one answer however it is written."""

from __future__ import annotations

import unicodedata
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tiny import tiny_tokenizer
from zoo.corpora.archive import _Row, cut_sentences
from zoo.corpora.document import Span
from zoo.corpora.readers.conll import read_conll
from zoo.language import speaks
from zoo.language.cutting import count_words, letter_runs, sentences, word_spans
from zoo.language.names import language_name
from zoo.language.writing import flat, flatten, is_flat, is_mark, trim
from zoo.linking.abbreviations import find_abbreviations
from zoo.linking.spelling import plain
from zoo.modeling.labels import LabelSpace
from zoo.modeling.windows import Entity, decode, encode, finish, label_window

PIECES = [
    "asthma",
    "état",
    "naïve",
    "Ångström",
    "µg",
    "астма",
    "йод",
    "한글",
    "천식",
    "अस्थमा",
    "คนไข้",
    "哮喘",
    "رَبْو",
    "x\u0323",
    "❤\ufe0f",
    "\u0301",
]
HIDDEN = ["\u00ad", "\u200b", "\u2060", "\ufeff", "\u200f"]
SPACES = ["\u00a0", "\u202f"]
LABELS = LabelSpace(("Disease",), 4)
TOKENIZERS: dict[str, Any] = {}


def tokenizer(kind: str) -> Any:
    if kind not in TOKENIZERS:
        TOKENIZERS[kind] = tiny_tokenizer(kind)
    return TOKENIZERS[kind]


@st.composite
def writings(draw: st.DrawFn) -> tuple[str, str, list[int]]:
    """A text in the one writing, the same otherwise written, and where each letter of the first begins in the second.

    Letters with their marks are written together; a last place is the end.
    """
    plain, given, places = "", "", []
    for word in draw(st.lists(st.sampled_from(PIECES), max_size=8)):
        for letter in [*clusters(unicodedata.normalize("NFC", word)), " "]:
            places += [len(given)] * len(letter)
            plain += letter
            other = unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), letter)
            given += draw(st.sampled_from(SPACES)) if letter == " " and draw(st.booleans()) else other
            given += draw(st.sampled_from(HIDDEN)) if draw(st.integers(0, 4)) == 0 else ""
    return plain, given, [*places, len(given)]


def clusters(word: str) -> list[str]:
    """Letters with their marks."""
    found: list[str] = []
    for character in word:
        if found and is_mark(character) and not found[-1].isspace():
            found[-1] += character
        else:
            found.append(character)
    return found


@settings(max_examples=200, deadline=None)
@given(writing=writings())
def test_one_writing_is_found_in_all_others_with_its_places(writing: tuple[str, str, list[int]]) -> None:
    plain, given, places = writing
    found = flat(given)
    assert found.text == flatten(given) == plain and is_flat(plain)
    assert found.starts[-1] == len(given) and found.ends[0] == 0
    for place in range(len(plain)):
        start, end = found.starts[place], found.ends[place + 1]
        assert places[place] <= start <= end <= len(given)
        if not is_mark(plain[place]):
            assert flatten(given[start:end])[0] == plain[place], "a whole letter"


def test_characters_that_join_the_letter_before_are_all_known() -> None:
    """By all that Unicode composes of two: the second is a mark, or part of a Korean syllable."""
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            assert is_mark(chr(int(parts[1], 16)))
    assert all(is_flat(chr(code)) for code in range(0xAC00, 0xD7A4))
    assert flat("\u1112\u1161\u11ab").text == "한"


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "bpe"])
@settings(max_examples=80, deadline=None)
@example(writing=("état", "e\u0301\u00adtat", [0, 3, 4, 5, 6]), seed=0)
@given(writing=writings(), seed=st.integers(0, 5))
def test_models_see_one_text_and_give_the_same_entities_where_they_stand(
    kind: str, writing: tuple[str, str, list[int]], seed: int
) -> None:
    plain, given, _ = writing
    one, other = (encode(tokenizer(kind), [text], window_tokens=64, stride_tokens=16) for text in (plain, given))
    assert [w.input_ids for w in one] == [w.input_ids for w in other]
    assert all((a.continues == b.continues).all() and (a.real == b.real).all() for a, b in zip(one, other, strict=True))
    rng = np.random.default_rng(seed)
    per_window: tuple[list[list[Entity]], list[list[Entity]]] = ([], [])
    for pair in zip(one, other, strict=True):
        ids, scores = rng.integers(0, 3, len(pair[0])), rng.random(len(pair[0]), dtype=np.float32)
        for window, found in zip(pair, per_window, strict=True):
            found.append(decode(window, ids, scores, LABELS.labels))
    expected, found = finish(plain, per_window[0]), finish(given, per_window[1])
    assert [flatten(given[e.start : e.end]) for e in found] == [plain[e.start : e.end] for e in expected]
    assert [e.score for e in found] == [e.score for e in expected]
    for entity in found:
        piece = given[entity.start : entity.end]
        assert piece == piece.strip() and not (set(piece[0] + piece[-1]) & set(HIDDEN))
        assert entity.end == len(given) or not is_mark(given[entity.end])


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "bpe"])
def test_gold_mentions_of_any_writing_are_learnt_alike(kind: str) -> None:
    plain, given = "severe état asthma", "severe\u00a0e\u0301ta\u00adt as\u200bthma"
    spans = [(Span(7, 18, "Disease"), plain), (Span(7, len(given), "Disease"), given)]
    labels = [
        label_window(encode(tokenizer(kind), [text], window_tokens=64, stride_tokens=16)[0], [span], LABELS)
        for span, text in spans
    ]
    assert labels[0] == labels[1] and 1 in labels[0]


def test_usual_text_is_not_touched() -> None:
    for text in ("plain text\n", "état 5 µg β-carotene", "患者服用阿司匹林。", "می\u200cخواهم", "👩\u200d⚕️"):
        assert text == flatten(text)
    assert flatten("می\u200cخواهم") == "می\u200cخواهم", "in Persian it parts letters"
    assert flatten("asp\u200cirin") == "aspirin"
    assert trim("cafe\u0301 \u200b", 0, 4) == (0, 5) and trim("cafe\u0301", 4, 5) is None
    assert trim("\u200b \u00ad", 0, 3) is None


def test_words_of_scripts_with_and_without_spaces() -> None:
    text = "患者服用阿司匹林100mg（IL-6升高），三天后出现头痛！"
    assert "".join(text[start:end] for start, end in word_spans(text)) == text
    assert letter_runs(text)[:4] == ["患者", "服用", "阿司匹林", "100mg"] and count_words(text) == len(word_spans(text))
    assert count_words("ผู้ป่วยได้รับยาแอสไพรินทุกวัน") > 5 and letter_runs("अस्थमा का") == ["अस्थमा", "का"]
    assert count_words("IL-6 (5 %)") == 3 and letter_runs("TNF-α (p53_x)") == ["TNF", "α", "p53", "x"]
    assert letter_runs("🧬日本 x😷中国") == ["日本", "x", "中国"]


@given(text=st.text(st.sampled_from("aé \n。患者กำ”🧬(5"), max_size=40))
def test_words_are_in_order_and_hold_all_but_white_space(text: str) -> None:
    spans = word_spans(text)
    assert "".join(text[start:end] for start, end in spans) == "".join(text.split())
    assert list(accumulate(spans, lambda a, b: b if b[0] >= a[1] else (len(text) + 1, 0))) == spans


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("ru", "Назначен аспирин 5 мг. Через 2 нед. боль прошла, т.е. помог.", 2),
        ("zh", "患者服用阿司匹林。他说：“头痛。”三天后出现头痛！\n需要复查吗？", 4),
        ("ar", "تناول المريض الأسبرين. هل شعر بألم؟ توقف بعد 3.5 أيام.", 3),
        ("en", "He took 2.5 mg. It helped. Fig. 3 shows it", 4),
    ],
)
def test_sentences_of_languages(language: str, text: str, expected: int) -> None:
    found = sentences(text, language)
    assert len(found) == expected
    assert "".join("".join(found).split()) == "".join(text.split())


def test_languages_have_names_and_are_compared_without_their_region() -> None:
    assert [language_name(tag) for tag in ("de-AT", "zh", "mul", "xq")] == ["German", "Chinese", "many languages", "xq"]
    assert speaks(("en",), "en-GB") and speaks(("mul",), "ru") and not speaks(("en", "de"), "es")


def test_columns_of_scripts_without_spaces_become_text_without_spaces(tmp_path: Path) -> None:
    rows = {"zh": ["患者", "服用", "阿司匹林", "100", "mg", "。"], "ru": ["Назначен", "аспирин", "."]}
    for language, tokens in rows.items():
        lines = [f"{token}\t{'B-Chemical' if token in ('阿司匹林', 'аспирин') else 'O'}" for token in tokens]
        (tmp_path / f"{language}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    chinese, russian = (next(read_conll(tmp_path / f"{language}.tsv")) for language in rows)
    assert (chinese.text, russian.text) == ("患者服用阿司匹林 100 mg 。", "Назначен аспирин .")
    for document in (chinese, russian):
        (span,) = document.spans
        assert document.text[span.start : span.end] in ("阿司匹林", "аспирин")
        assert [document.text[start:end] for start, end in document.tokens or ()] in rows.values()


def test_documents_in_columns_are_cut_where_sentences_of_their_language_end() -> None:
    def starts(text: str, language: str) -> list[str]:
        rows = [_Row(token, "O", number, True) for number, token in enumerate(text.split())]
        return [sentence[0].token for sentence in cut_sentences(rows, language)]

    assert starts("患者 服药 。 三天 后 头痛 ！ 停药 。", "zh") == ["患者", "三天", "停药"]
    assert starts("تناول الأسبرين . هل شعر بألم ؟ توقف .", "ar") == ["تناول", "هل", "توقف"]
    assert starts("Grew in E. coli . See Fig . 2 . It died .", "en") == ["Grew", "See", "It"]


def test_names_are_linked_however_they_are_written() -> None:
    assert plain("E\u0301pilepsie") == plain("épilepsie") and plain("अस्थमा रोग").split() == ["अस्थमा", "रोग"]
    assert find_abbreviations("慢性肾脏病（CKD）", [(0, 5, "D"), (6, 9, "D")]) == {"CKD": "慢性肾脏病"}
    assert find_abbreviations("heart fai\u00adlure (HF)") == {"HF": "heart failure"}
