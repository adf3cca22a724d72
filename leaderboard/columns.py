"""The columns of the board: what each holds, how it is written, and how it sorts."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass

from entry import Entry

Value = float | int | str | bool | None
MISSING = "–"


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: Name in links, exports and code.
        title: Heading.
        help: What the figure means, with its unit.
        value: What sorts and is exported; fractions stay fractions.
        text: What the cell shows; plain text.
        numeric: Set to the right.
        low_first: The first click sorts upwards.
        default: Shown unless the reader chooses columns.
        where_measured: Shown only where a row has a value.
    """

    key: str
    title: str
    help: str
    value: Callable[[Entry], Value]
    text: Callable[[Entry], str]
    numeric: bool = True
    low_first: bool = False
    default: bool = True
    where_measured: bool = False


def percent(value: float | None) -> str:
    """A fraction of 1 in percent with one decimal."""
    return MISSING if value is None else f"{100 * value:.1f}"


def interval(entry: Entry) -> str:
    """The 95 % interval in percent."""
    return "" if entry.low is None or entry.high is None else f"{percent(entry.low)} to {percent(entry.high)}"


def count(value: float | None) -> str:
    """A large number in short: `298 k`, `22.9 M`."""
    if value is None:
        return MISSING
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.0f}"


def figure(value: float | None) -> str:
    """Three significant digits, no exponent."""
    if value is None:
        return MISSING
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.4f}"


def rank(entry: Entry) -> str:
    """`2`, or `2=` for a shared rank."""
    return MISSING if entry.rank is None else f"{entry.rank}{'=' if entry.shared else ''}"


def verified(entry: Entry) -> str:
    """Whether the score was reproduced from the Hub."""
    return "yes" if entry.verified else "not yet"


COLUMNS: tuple[Column, ...] = (
    Column("rank", "Rank", "Within a corpus; 2= shares its rank", lambda e: e.rank, rank, low_first=True),
    Column("name", "Model", "Opens the page of the model", lambda e: e.name, lambda e: e.name, False, True),
    Column(
        "backbone", "Backbone", "Pretrained encoder", lambda e: e.backbone, lambda e: e.backbone, False, True, False
    ),
    Column(
        "corpus", "Corpus", "Trained and scored on", lambda e: e.corpus, lambda e: e.corpus, False, True,
        False,
    ),
    Column(
        "language", "Language", "Languages of the corpus, as BCP 47 tags", lambda e: " ".join(e.languages) or None,
        lambda e: ", ".join(e.languages) or MISSING, False, True, False,
    ),
    Column(
        "types", "Finds", "Entity types", lambda e: " ".join(e.types), lambda e: ", ".join(e.types), False, True, False
    ),
    Column(
        "f1", "F1", "Strict micro-F1 on the test split, percent, with 95 % interval", lambda e: e.f1,
        lambda e: percent(e.f1),
    ),
    Column("precision", "P", "Precision, percent", lambda e: e.precision, lambda e: percent(e.precision)),
    Column("recall", "R", "Recall, percent", lambda e: e.recall, lambda e: percent(e.recall)),
    Column(
        "unseen", "Unseen", "F1 on mentions that do not stand in the training split, percent",
        lambda e: e.unseen_f1, lambda e: percent(e.unseen_f1),
    ),
    Column(
        "raw", "Raw text", "F1 on the original documents through the plain pipeline, percent",
        lambda e: e.raw_f1, lambda e: percent(e.raw_f1),
    ),
    Column(
        "nested", "Nested", "Recall of mentions inside another one, percent", lambda e: e.inner_recall,
        lambda e: percent(e.inner_recall), where_measured=True,
    ),
    Column(
        "discontinuous", "Discontinuous", "Recall of mentions of several parts, percent",
        lambda e: e.discontinuous_recall, lambda e: percent(e.discontinuous_recall), where_measured=True,
    ),
    Column(
        "linked", "Linked F1", "F1 of start, end, type and concept ids, percent; mentions found and linked",
        lambda e: e.linked_f1, lambda e: percent(e.linked_f1), where_measured=True,
    ),
    Column(
        "concepts", "Concepts", "Accuracy of concepts of annotated mentions by BELB's rule, percent",
        lambda e: e.linking_accuracy, lambda e: percent(e.linking_accuracy), where_measured=True,
    ),
    Column(
        "vocabulary", "Linked to", "Vocabulary and version of each type", lambda e: e.linked_to or None,
        lambda e: e.linked_to or MISSING, False, True, where_measured=True,
    ),
    Column(
        "robustness", "Noise loss", "Mean loss of F1 under typos, other case, shorthand and line breaks, in points",
        lambda e: e.robustness, lambda e: percent(e.robustness), low_first=True,
    ),
    Column(
        "trained", "Trained", "Trained parameters", lambda e: e.trained_parameters,
        lambda e: count(e.trained_parameters), low_first=True,
    ),
    Column(
        "size", "Parameters", "All parameters that a pipeline loads", lambda e: e.parameters,
        lambda e: count(e.parameters), low_first=True, default=False,
    ),
    Column(
        "adapter", "MB", "Size of the adapter, megabytes (10^6 bytes)", lambda e: e.adapter_bytes,
        lambda e: MISSING if e.adapter_bytes is None else f"{e.adapter_bytes / 1e6:.2f}", low_first=True,
    ),
    Column(
        "speed", "ms/1k words", "Milliseconds to tag 1,000 words on a CPU, one document at a time",
        lambda e: e.ms_per_1000_words, lambda e: figure(e.ms_per_1000_words), low_first=True,
    ),
    Column(
        "energy", "Wh", "Energy of search, training and scoring, watt-hours", lambda e: e.energy_wh,
        lambda e: figure(e.energy_wh), low_first=True,
    ),
    Column(
        "co2", "g CO2e", "Emissions of search, training and scoring, grams of CO2 equivalent", lambda e: e.emissions_g,
        lambda e: figure(e.emissions_g), low_first=True,
    ),
    Column("license", "Licence", "SPDX id of the adapter", lambda e: e.license, lambda e: e.license, False, True),
    Column("verified", "Verified", "Score reproduced from the Hub by zoo verify", verified, verified, False),
    Column("date", "Date", "When it was built", lambda e: e.created, lambda e: e.created[:10], False),
)  # fmt: skip
BY_KEY: dict[str, Column] = {column.key: column for column in COLUMNS}
ALWAYS = ("rank", "name")
DEFAULT: tuple[str, ...] = tuple(column.key for column in COLUMNS if column.default)


def escape(text: object) -> str:
    """Text made harmless in HTML, also where a template engine would look for braces or backticks."""
    safe = html.escape(str(text).replace("\0", "\ufffd"), quote=True)  # a browser drops NUL, and offsets would shift
    return safe.replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;").replace("`", "&#96;")
