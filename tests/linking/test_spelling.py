"""One spelling for names that differ in writing alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.linking.spelling import bag, exact_key, plain, stem


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tumours of the oesophagus", "esophagus tumor"),
        ("β-Amyloid", "beta amyloid"),
        ("Diabetes Mellitus, Type II", "type 2 diabetes mellitus"),
        ("Crohn's disease", "Crohn disease"),
        ("Sjögren syndrome", "Sjogren Syndrome"),
        ("haemorrhages", "hemorrhage"),
        ("Neoplasms, Breast", "breast neoplasm"),
        ("ﬁbrosis", "fibrosis"),
    ],
)
def test_names_of_the_same_words(one: str, other: str) -> None:
    assert bag(one) == bag(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("type 1 diabetes", "type 2 diabetes"), ("hepatitis A", "hepatitis B"), ("ulcer", "ulcerative"), ("C3", "C4")],
)
def test_names_of_other_words(one: str, other: str) -> None:
    assert bag(one) != bag(other)


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("diseases", "disease"),
        ("anomalies", "anomaly"),
        ("diagnosis", "diagnosis"),
        ("metastases", "metastasis"),
        ("abscesses", "abscess"),
        ("viruses", "virus"),
        ("gas", "gas"),
    ],
)
def test_stem(plural: str, singular: str) -> None:
    assert stem(plural) == singular


@given(st.text(max_size=40))
def test_spelling_is_stable(name: str) -> None:
    assert plain(f" {name}. ") == plain(name)
    assert exact_key(exact_key(name)) == exact_key(name)
    assert bag(name) == bag(f"  {name} ")


@given(st.permutations(["renal", "cell", "carcinoma", "bilateral"]))
def test_word_order_does_not_count(words: list[str]) -> None:
    assert bag(" ".join(words)) == bag("bilateral renal cell carcinoma")
