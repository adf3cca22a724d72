"""Which model for me? A type, a language, a size and a licence in; one model out, with the reason and its snippet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import gradio as gr

from columns import escape, interval, percent
from data import Board
from entry import SIZES, Entry
from model_page import render_use
from parts import html


@dataclass(frozen=True)
class Answer:
    """A model, and why it is this one.

    Attributes:
        entry: The model, with its score for the type.
        reasons: Sentences.
        others: Entries that fit as well, the next best first.
    """

    entry: Entry
    reasons: tuple[str, ...]
    others: tuple[Entry, ...]


def answer(
    board: Board, kind: str, language: str = "", most_parameters: float = 0.0, license_id: str = ""
) -> Answer | None:
    """The model to take; None: none fits.

    Scores on different corpora do not compare. So the corpus is chosen first: of those with a model that fits, the one
    with the most annotated mentions of the type in its test split, as its scores say most. Within it the best rank
    counts; of models that a test cannot separate the smallest, then the fastest.

    Args:
        board: The board.
        kind: Entity type.
        language: Tag of a language; empty: any.
        most_parameters: Of base and adapter; 0: any.
        license_id: Licence of the model; empty: any.
    """
    most = float("inf")
    fitting = [
        entry
        for entry in board.per_type
        if entry.types == (kind,)
        and (not language or language in entry.languages)
        and (not most_parameters or (entry.parameters or most) <= most_parameters)
        and (not license_id or entry.license == license_id)
    ]
    if not fitting:
        return None
    corpora = {entry.corpus for entry in fitting}
    corpus = max(sorted(corpora), key=lambda name: max(e.mentions or 0 for e in fitting if e.corpus == name))
    inside = [entry for entry in fitting if entry.corpus == corpus]
    best = min(entry.rank or len(board.per_type) for entry in inside)
    tied = [entry for entry in inside if (entry.rank or len(board.per_type)) == best]
    tied.sort(key=lambda e: (e.parameters or most, e.ms_per_1000_words or most, -e.f1, e.name))
    chosen = tied[0]
    reasons = [f"{percent(chosen.f1)} % strict F1 for {kind} on {corpus} ({interval(chosen) or 'no interval'})."]
    if len(corpora) > 1:
        others = ", ".join(sorted(corpora - {corpus}))
        reasons.append(
            f"{corpus} has the most annotated mentions ({chosen.mentions or 0:,} in test) of the corpora with this "
            f"type; scores on others ({others}) do not compare with it."
        )
    if len(tied) > 1:
        reasons.append(f"{len(tied)} models cannot be told apart at 95 %: this is the smallest, then the fastest.")
    elif len(inside) > 1:
        reasons.append(f"It is the best of {len(inside)} that fit.")
    if chosen.adapter_bytes is not None:
        base = f" on a base of about {4 * chosen.parameters / 1e6:,.0f} MB" if chosen.parameters else ""
        reasons.append(f"The adapter has {chosen.adapter_bytes / 1e6:.1f} MB{base}.")
    rest = sorted((entry for entry in inside if entry is not chosen), key=lambda e: (e.rank or most, -e.f1))
    return Answer(chosen, tuple(reasons), tuple(rest))


def showcase(entries: Sequence[Entry], most: int) -> list[Entry]:
    """Models of one backbone that together find as many types as possible: the backbone with the most, then the best.

    Args:
        entries: What there is to choose from.
        most: Models at most; one that finds nothing new is left out.
    """
    sets: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: (-len(e.types), -e.f1, e.name)):
        chosen = sets.setdefault(entry.backbone, [])
        if len(chosen) < most and not set(entry.types) <= {name for other in chosen for name in other.types}:
            chosen.append(entry)

    def worth(chosen: list[Entry]) -> tuple[int, float]:
        return len({name for e in chosen for name in e.types}), fmean(e.f1 for e in chosen)

    return max(sets.values(), key=worth, default=[])


def render(board: Board, kind: str | None, language: str, most_parameters: float, license_id: str) -> str:
    """The answer as HTML."""
    if not board.entries:
        return '<p class="empty">The board is empty: run zoo board on what you have built, and it can be asked.</p>'
    if not kind:
        return '<p class="empty">Choose what is to be found.</p>'
    found = answer(board, kind, language, most_parameters, license_id)
    if found is None:
        return (
            f'<p class="empty">No model on this board finds {escape(kind)} with all of that. Give up the licence, the '
            "size or the language first.</p>"
        )
    entry = board.by_key[found.entry.key.rpartition("#")[0]]
    key = escape(entry.key)
    also = ", ".join(f"{escape(other.name)} ({percent(other.f1)})" for other in found.others[:4])
    return (
        f'<article class="modelpage answer"><h2>{escape(entry.name)}</h2>'
        + "".join(f"<p>{escape(reason)}</p>" for reason in found.reasons)
        + f"<p>Licence: {escape(entry.license or 'unknown')}. "
        f'<a href="?tab=model&amp;model={key}">All about it</a></p>'
        + render_use(entry)
        + (f'<p class="fine">Next: {also}.</p>' if also else "")
        + "</article>"
    )


def build(board: Callable[[], Board]) -> None:
    """Lay out the tab."""
    start = board()
    any_ = [("Any", "")]
    html('<p class="explain">Four questions, one answer. It goes by the measured scores alone.</p>')
    with gr.Row(elem_classes="filters"):
        kind = gr.Dropdown(
            choices=start.types, value=start.types[0] if start.types else None,
            label="What is to be found", elem_id="choose-type",
        )  # fmt: skip
        language = gr.Dropdown(
            choices=any_ + [(tag, tag) for tag in start.languages], value="",
            label="Language of the texts", elem_id="choose-language",
        )  # fmt: skip
        size = gr.Dropdown(
            choices=[("Any", 0.0), *((f"at most {n / 1e6:.0f} M", n) for _, n in SIZES.values() if n < 1e9)],
            value=0.0, label="Parameters", elem_id="choose-size",
        )  # fmt: skip
        license_id = gr.Dropdown(
            choices=any_ + [(name, name) for name in start.licenses if name], value="",
            label="Licence", elem_id="choose-license",
        )  # fmt: skip
    questions = [kind, language, size, license_id]
    shown = html(render(start, *(question.value for question in questions)), elem_id="choose-answer")
    for question in questions:
        question.change(
            lambda *given: render(board(), *given), questions, shown,
            queue=False, show_progress="hidden", api_visibility="private",
        )  # fmt: skip
