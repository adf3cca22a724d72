"""The overview of a corpus as one HTML page: self-contained, offline, without scripts, for light and dark screens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zoo.corpora.overview import CorpusOverview

_TEMPLATE = Path(__file__).with_name("overview.html.j2")


def render_page(corpus: CorpusOverview, *, quote: bool) -> str:
    """The page as HTML; all text of the corpus is escaped.

    Args:
        corpus: What to show.
        quote: Show text of the corpus: frequent mentions, and examples in context.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        corpus=corpus,
        quote=quote,
        most=max(item.mentions for item in corpus.types.values()),
        number=lambda value: f"{value:,}",
        percent=lambda part, whole: f"{100 * part / whole:.1f} %" if whole else "",
        width=lambda value, most: f"{100 * value / most:.1f}" if most else "0",
        columns=_columns,
    )


def _columns(counts: Mapping[str, int]) -> list[dict[str, str | int | float]]:
    """The columns of a bar chart, in the units of its 320 x 150 plot."""
    slot, most = 320 / max(1, len(counts)), max([1, *counts.values()])
    width = min(0.75 * slot, 40)
    return [
        {
            "label": label,
            "short": label.replace(" or more", "+").replace(" to ", "–"),
            "count": count,
            "x": round((index + 0.5) * slot - width / 2, 1),
            "y": round(128 - 108 * count / most, 1),
            "width": round(width, 1),
            "height": round(108 * count / most, 1),
            "middle": round((index + 0.5) * slot, 1),
        }
        for index, (label, count) in enumerate(counts.items())
    ]
