"""The overview of a corpus as one HTML page: self-contained, offline, without scripts, for light and dark screens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.corpora.overview import CorpusOverview

_TEMPLATE = Path(__file__).with_name("overview.html.j2")


@dataclass(frozen=True)
class _Column:
    """One column of a bar chart, in the units of its 320 x 150 plot."""

    label: str
    short: str
    count: int
    x: float
    y: float
    width: float
    height: float
    middle: float


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


def _columns(counts: Mapping[str, int]) -> list[_Column]:
    slot = 320 / max(1, len(counts))
    most = max([1, *counts.values()])
    columns = []
    for index, (label, count) in enumerate(counts.items()):
        height, width = 108 * count / most, min(0.75 * slot, 40)
        middle = (index + 0.5) * slot
        short = label.replace(" or more", "+").replace(" to ", "–")
        columns.append(
            _Column(
                label,
                short,
                count,
                round(middle - width / 2, 1),
                round(128 - height, 1),
                round(width, 1),
                round(height, 1),
                round(middle, 1),
            )
        )
    return columns
