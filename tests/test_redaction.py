"""Details are hidden by their form, numbers by their checksum; texts keep their length. All numbers are examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.redaction import MASK, redact


@pytest.mark.parametrize(
    ("text", "kind", "hidden"),
    [
        ("write to a.b+c@mail.example.org today", "e-mail address", "a.b+c@mail.example.org"),
        ("see https://example.org/x?y=1.", "web address", "https://example.org/x?y=1"),
        ("from 192.0.2.7 and", "IP address", "192.0.2.7"),
        ("paid by GB82 WEST 1234 5698 7654 32 AND then", "IBAN", "GB82 WEST 1234 5698 7654 32"),
        ("card 4111 1111 1111 1111", "card number", "4111 1111 1111 1111"),
        ("DNI 54362315-K", "DNI or NIE", "54362315-K"),
        ("NIE X-2482300W", "DNI or NIE", "X-2482300W"),
        ("NHS 943 476 5919", "NHS number", "943 476 5919"),
        ("SSN 536-90-4399", "social security number", "536-90-4399"),
        ("on 12/03/2021", "date", "12/03/2021"),
        ("on 2021-03-12", "date", "2021-03-12"),
        ("on March 3rd, 2020", "date", "March 3rd, 2020"),
        ("el 5 de mayo de 2019", "date", "5 de mayo de 2019"),
        ("call +34 612 345 678", "telephone number", "+34 612 345 678"),
        ("call (555) 123-4567", "telephone number", "(555) 123-4567"),
        ("MRN 12345678", "long number", "12345678"),
        ("Seen by Dr. J. Roe.", "name", "J. Roe"),
        ("Mrs Anna Doe says", "name", "Anna Doe"),
        ("la Dra. Núñez", "name", "Núñez"),
    ],
)
def test_what_is_hidden(text: str, kind: str, hidden: str) -> None:
    covered = "".join(MASK if not c.isspace() else c for c in hidden)
    found, counts = redact(text)
    assert found == text.replace(hidden, covered) and counts == {kind: 1}


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, 37.5 C, HbA1c 7.2 %, 1000 mg in 1990-2000; it may 12 times",
        "2,3,7,8-tetrachlorodibenzodioxin 50-78-2 rs1234567 IL-2 p53 NM_000546.6",
        "John Roe of Springfield, aged 103",  # no title, no number: this is no de-identification
    ],
)
def test_what_stays(text: str) -> None:
    assert redact(text) == (text, {})


@pytest.mark.parametrize("number", ["4111 1111 1111 1112", "GB83 WEST 1234 5698 7654 32"])
def test_a_wrong_checksum_is_not_that_number(number: str) -> None:
    assert not {"card number", "IBAN"} & redact(number)[1].keys()


@given(st.text(alphabet=st.sampled_from("aZ1 0.-/@:+()\n\u0301中DGBr,MayX"), max_size=120))
def test_the_length_and_all_white_space_stay(text: str) -> None:
    found, counts = redact(text)
    assert len(found) == len(text) and redact(found)[1].keys() <= counts.keys()
    assert all(new == old or (new == MASK and not old.isspace()) for new, old in zip(found, text, strict=True))


@pytest.mark.parametrize("piece", ["a", "1", "1 ", "A1 ", "Dr. ", "a@", "GB82", "Mr. A. ", ":", "www.", "+1", "(1) "])
def test_hostile_texts_are_answered(piece: str) -> None:
    text = piece * (100_000 // len(piece))  # a quadratic answer takes minutes
    assert len(redact(text)[0]) == len(text)
