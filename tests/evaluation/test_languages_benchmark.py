"""The strict figure of `benchmarks/languages/measure.py`, with the types of the files."""

from __future__ import annotations

import runpy

import pytest

from tests.conftest import ROOT
from zoo.corpora.document import Document, Span
from zoo.modeling.windows import Entity


def test_mentions_of_the_rare_type_are_missed_and_predictions_on_them_wrong() -> None:
    measure = runpy.run_path(str(ROOT / "benchmarks" / "languages" / "measure.py"))["_as_published"]
    text = "hierro, cobre y zinc"
    merged = Document("a", text, (Span(0, 6, "Chemical"), Span(8, 13, "Chemical"), Span(16, 20, "Protein")))
    files = Document("a", text, (Span(0, 6, "NORMAL"), Span(8, 13, "RARE"), Span(16, 20, "PROT")))
    found = [[Entity(s.start, s.end, s.type, 0.9) for s in merged.spans]]
    score = measure([merged], [files], found, "RARE")
    assert score["micro_f1"] == pytest.approx(2 / 3)  # 2 right, 1 wrong, 1 missed
    assert measure([merged], [files], [found[0][:1]], "RARE")["micro_f1"] == pytest.approx(2 / 4)
    assert measure([merged], [files], found, "NONE")["micro_f1"] == 1.0
