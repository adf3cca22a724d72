"""The tabs "Plots" and "Model": what is drawn when, and for which model."""

from __future__ import annotations

from typing import Any

import gradio as gr

import demo
import model_page
import plots
from data import Board
from entry import Entry
from hub import Store
from parts import html


def build_plots(store: Store, tab: gr.Tab) -> None:
    """Lay out the plots; they are drawn when the tab is opened."""
    board = store.board()
    with gr.Row(elem_classes="filters"):
        corpus = gr.Dropdown(
            choices=board.corpora, value=_fullest(board), label="Corpus", elem_id="plot-corpus", min_width=220,
            info="F1 on different corpora does not compare: plots show one at a time",
        )  # fmt: skip
        axis = gr.Dropdown(
            list(plots.X_AXES), value="Parameters", label="F1 against", elem_id="plot-axis", min_width=200
        )
        reported = gr.Checkbox(label="Show figures reported by others", elem_id="plot-reported", min_width=220)
    titles = {
        "cost": "F1 against cost, with the Pareto front",
        "intervals": "F1 with 95 % intervals",
        "types": "F1 by entity type",
        "cross": "Across corpora",
        "gains": "What DAPT, LoRA and search bring",
    }
    made = {name: gr.Plot(label=title, elem_id=f"plot-{name}") for name, title in titles.items()}
    drawn = list(made.values())

    def draw(name: str | None, against: str, others: bool) -> list[Any]:
        now = store.board()
        entries = [entry for entry in now.entries if entry.corpus == name]
        return [
            plots.cost(entries, against if against in plots.X_AXES else "Parameters"),
            plots.intervals(entries, now.reported if others else ()),
            plots.types(entries),
            plots.cross(now.cross),
            plots.contributions(now.ablation, now.entries),
        ]

    for event in (tab.select, corpus.input, axis.input, reported.input):
        event(
            draw, [corpus, axis, reported], drawn, queue=False, show_progress="hidden", trigger_mode="always_last",
            api_visibility="private",
        )  # fmt: skip


def _fullest(board: Board) -> str | None:
    """The corpus with the most models."""
    numbers: dict[str, int] = {}
    for entry in board.entries:
        numbers[entry.corpus] = numbers.get(entry.corpus, 0) + 1
    return max(sorted(numbers), key=lambda name: numbers[name], default=None)


def build_model(store: Store, tab: gr.Tab) -> gr.Dropdown:
    """Lay out the page of a model; returns the choice of the model."""
    board = store.board()
    first = board.entries[0].key if board.entries else None
    model = gr.Dropdown(choices=demo.choices(board), value=first, label="Model", elem_id="model-choice")
    content = html(_model_html(store, first), elem_id="model-page")
    with gr.Row():
        curve = gr.Plot(label="Training", elem_id="model-curve", min_width=300)
        energy = gr.Plot(label="Carbon by stage", elem_id="model-carbon", min_width=300)

    def shown(key: str | None) -> tuple[Any, ...]:
        entry = _entry(store, key)
        result = entry.details.get("result", {}) if entry else {}
        stages = result.get("energy_stages") or ({"all stages": result["energy"]} if result.get("energy") else {})
        return (
            _model_html(store, key),
            plots.training_curve(result.get("training", ()), result.get("best_epoch", 0)),
            plots.carbon(stages),
        )

    for event in (tab.select, model.change):
        event(shown, model, [content, curve, energy], queue=False, show_progress="hidden", api_visibility="private")
    model.input(None, model, None, js="(key) => { window.space.set('model', key || ''); return []; }")
    return model


def _entry(store: Store, key: str | None) -> Entry | None:
    return store.board().by_key.get(key or "")


def _model_html(store: Store, key: str | None) -> str:
    entry = _entry(store, key)
    return model_page.render_model(entry) if entry else '<p class="empty">Choose a model.</p>'
