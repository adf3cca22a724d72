"""`predictions.jsonl`: one writer, one reader, and no text in it."""

from __future__ import annotations

import json
from pathlib import Path

from zoo.corpora.document import Document, Span
from zoo.evaluation.predictions import PREDICTIONS_FILE, read_predictions, write_predictions
from zoo.evaluation.spans import Counts
from zoo.modeling.windows import Entity
from zoo.ontologies.link import Candidate, Link

DOCUMENT = Document("a", "asthma and gout", (Span(0, 6, "Disease", ("D001249",)), Span(11, 15, "Disease")))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_predictions(tmp_path / PREDICTIONS_FILE, [DOCUMENT], [[Entity(0, 6, "Disease", 0.98765)]])
    text = (tmp_path / PREDICTIONS_FILE).read_text()
    assert json.loads(text) == {
        "id": "a",
        "gold": [
            {"start": 0, "end": 6, "type": "Disease", "concept_ids": ["D001249"]},
            {"start": 11, "end": 15, "type": "Disease"},
        ],
        "predicted": [{"start": 0, "end": 6, "type": "Disease", "score": 0.9877}],
    }
    (line,) = read_predictions(tmp_path)
    assert line.counts == Counts(1, 0, 1)
    assert line.gold[0].concept_ids == ("D001249",)


def test_links_are_kept_with_candidates_and_without_names(tmp_path: Path) -> None:
    candidates = (Candidate("MESH:D001249", "Asthma", 0.91234, "exact"), Candidate("OMIM:1", "ASTHMA 1", 0.1, "ngrams"))
    linked = Entity(0, 6, "Disease", 0.5, Link(("MESH:D001249",), 0.91234, candidates, "medic"))
    abstained = Entity(11, 15, "Disease", 0.5, Link((), 0.3, candidates[1:], "medic"))
    alone = Entity(0, 15, "Disease", 0.5)
    write_predictions(tmp_path / PREDICTIONS_FILE, [DOCUMENT], [[linked, abstained, alone]])
    assert "asthma" not in (tmp_path / PREDICTIONS_FILE).read_text().lower()
    (line,) = read_predictions(tmp_path)
    first, second, third = line.entities
    assert first.link is not None and first.link.score == 0.9123 and first.concept_ids == ("MESH:D001249",)
    assert [(c.concept_id, c.step) for c in first.link.candidates] == [("MESH:D001249", "exact"), ("OMIM:1", "ngrams")]
    assert second.link is not None and second.concept_ids == () and len(second.link.candidates) == 1
    assert third == alone


def test_nested_and_discontinuous_mentions_are_read_as_they_were_written(tmp_path: Path) -> None:
    parts = ((0, 1), (8, 13))
    document = Document("a", "T and B cells", (Span(0, 13, "Cell", (), parts), Span(6, 7, "Gene"), Span(6, 13, "Cell")))
    found = [Entity(0, 13, "Cell", 0.5, None, parts), Entity(0, 13, "Cell", 0.5), Entity(6, 13, "Cell", 0.5)]
    write_predictions(tmp_path / PREDICTIONS_FILE, [document], [found])
    (line,) = read_predictions(tmp_path)
    assert line.entities == found and [m.key for m in line.gold] == [span.key for span in document.spans]
    assert line.counts == Counts(2, 1, 1)


def test_fields_of_later_versions_are_ignored(tmp_path: Path) -> None:
    mention = {"start": 0, "end": 6, "type": "Disease", "later": 1}
    line = {"id": "a", "gold": [mention], "predicted": [], "later": None}
    (tmp_path / PREDICTIONS_FILE).write_text(json.dumps(line) + "\n")
    assert read_predictions(tmp_path)[0].counts == Counts(0, 0, 1)
