"""The layout of the Space and what its controls do. All state of the board is in its controls and in the link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import gradio as gr

import choose
import demo
import submissions
from about import ABOUT
from columns import escape
from concepts import Linkers
from controls import Controls
from figures import build_model, build_plots
from hub import Store
from parts import html
from table import render_board
from views import View, counts
from zoo.tagging.pool import Pool


@dataclass(frozen=True)
class Extension:
    """What a page that its owner runs adds to the demo: what it says of texts, and what it lays out below."""

    privacy: str
    build: Callable[[demo.Parts], object]


TABS = ("board", "choose", "plots", "model", "demo", "submit", "about")


def theme() -> gr.themes.Base:
    """Fonts of the machine, colours with enough contrast; nothing is fetched."""
    system = [gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")]
    mono = [gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")]
    return gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=system, font_mono=mono).set(
        button_primary_background_fill="#0b5cad",
        button_primary_background_fill_hover="#084a8c",
        button_primary_background_fill_dark="#1565c0",
        button_primary_background_fill_hover_dark="#0d4f9e",
        button_primary_text_color="#ffffff",
        body_text_color_subdued="#4a5565",
        body_text_color_subdued_dark="#b4bcc9",
        block_info_text_color="#4a5565",
        block_info_text_color_dark="#b4bcc9",
        input_placeholder_color="#5b6472",
        input_placeholder_color_dark="#a5adba",
    )


def build(store: Store, pool: Pool, linkers: Linkers, extension: Extension | None = None) -> gr.Blocks:
    """The whole page."""
    board = store.board()
    app: gr.Blocks
    with gr.Blocks(title="Biomedical NER leaderboard", analytics_enabled=False, fill_width=True) as app:
        header = html(_header(store))
        query = gr.Textbox(visible=False)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Leaderboard", id="board") as board_tab:
                controls = Controls(board)
            with gr.Tab("Which model?", id="choose") as choose_tab:
                choose.build(store.board)
            with gr.Tab("Plots", id="plots") as plots_tab:
                build_plots(store, plots_tab)
            with gr.Tab("Model", id="model") as model_tab:
                model = build_model(store, model_tab)
            with gr.Tab("Live demo", id="demo") as demo_tab:
                privacy = extension.privacy if extension else demo.PRIVACY
                parts = demo.build(store.board, pool, linkers, demo_tab, privacy)
                if extension:
                    extension.build(parts)
            with gr.Tab("Submit a model", id="submit") as submit_tab:
                submissions.build(store.board)
            with gr.Tab("About", id="about") as about_tab:
                gr.Markdown(ABOUT, elem_classes="prose-page")
        for name, tab in zip(
            TABS, (board_tab, choose_tab, plots_tab, model_tab, demo_tab, submit_tab, about_tab), strict=True
        ):
            tab.select(None, model, None, js=f"(key) => {{ window.space.tab('{name}', key); return []; }}")
        controls.connect(store, tabs, model)

        def restore(text: str) -> list[Any]:
            now = store.board()
            if now is board and not text:
                return [gr.skip()] * (len(controls.components) + 5)  # the page came with this view
            given = {name: values[-1] for name, values in parse_qs(text.lstrip("?")).items()}
            view = View.from_query(text, now)
            key = given.get("model", "")
            if key not in now.by_key:
                key = now.entries[0].key if now.entries else ""
            tab = given.get("tab", "")
            fresh: dict[str, Any] = {} if now is board else {"choices": demo.choices(now)}
            return [
                _header(store),
                gr.Tabs(selected=tab) if tab in TABS else gr.skip(),  # the reader may have gone on already
                *controls.values(view, now),
                f"{render_board(now, view)}<!-- restored -->",  # differs, so that the page sees that it has come
                gr.Dropdown(value=key or None, **fresh),
                gr.Dropdown(**fresh) if fresh else gr.skip(),
            ]

        app.load(
            restore, query, [header, tabs, *controls.components, controls.table, model, parts.chosen],
            queue=False,
            show_progress="hidden", js="() => window.space.start", api_visibility="private",
        )  # fmt: skip
    return app


def _header(store: Store) -> str:
    number = counts(store.board().entries)
    return (
        '<header class="top"><h1>Biomedical NER leaderboard</h1><p>Which model for my entity type, how sure is '
        "that, how "
        "big, how fast, at what energy, may I use it, and what does it do on <em>my</em> text?</p>"
        f'<p class="fine">{_number(number["models"], "model")} · {_number(number["backbones"], "backbone")} · '
        f"{_number(number['corpora'], 'corpus', 'corpora')} · {escape(store.status())}</p></header>"
    )


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
