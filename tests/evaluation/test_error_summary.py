"""What of an error analysis is kept in a result."""

from __future__ import annotations

from zoo.corpora.document import Document, Span
from zoo.evaluation.error_summary import ErrorExample, summarize_errors
from zoo.evaluation.errors import analyse
from zoo.modeling.windows import Entity

TEXT = "Severe asthma and gout were noted; " + "nothing else was found in this long sentence about aspirin."


def summary(quote: bool):
    gold = (Span(7, 13, "Disease"), Span(18, 22, "Disease"))
    aspirin = TEXT.index("aspirin")
    predicted = [Entity(0, 13, "Disease", 0.9), Entity(aspirin, aspirin + 7, "Chemical", 0.8)]
    return summarize_errors(analyse([Document("d", TEXT, gold)], [predicted]), quote=quote)


def test_counts_and_examples() -> None:
    found = summary(quote=True)
    counts = {
        kind: (c.false_positives, c.false_negatives)
        for kind, c in found.classes.items()
        if c != type(c)(false_positives=0, false_negatives=0)
    }
    assert counts == {"boundary": (1, 1), "missed": (0, 1), "spurious": (1, 0)}
    boundary, missed, spurious = found.examples
    assert boundary == ErrorExample(
        kind="boundary",
        before="",
        text="Severe asthma",
        after=" and gout were noted; nothing else was f …",
        gold="asthma (Disease)",
        predicted="Severe asthma (Disease)",
    )
    assert (missed.text, missed.gold, missed.predicted) == ("gout", "gout (Disease)", None)
    assert (spurious.text, spurious.gold, spurious.predicted) == ("aspirin", None, "aspirin (Chemical)")
    assert spurious.before.startswith("… ") and spurious.after == "."


def test_nothing_is_quoted_where_the_licence_does_not_allow_it() -> None:
    found = summary(quote=False)
    assert found.examples == [] and found.classes == summary(quote=True).classes
    assert "asthma" not in found.model_dump_json()
