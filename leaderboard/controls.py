"""The tab of the board: its controls hold all its state, so that a link can restore it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr

from columns import ALWAYS, BY_KEY, COLUMNS
from data import Board
from entry import SIZES
from hub import Store
from parts import html
from table import render_board
from views import LONGEST_SEARCH, VIEWS, View, export_csv, export_json

_EXPLAIN = {
    "overall": "One row per backbone: the mean over the corpora it covers. Only backbones that cover the same "
    "corpora are "
    "ranked together.",
    "corpus": "One row per model, ranked on the test split of its corpus.",
    "type": "One row per model and entity type, ranked within its corpus.",
}
_BOARD_JS = """
const url = () => { const b = element.querySelector('.board'); if (b) window.space.link(b.dataset.query); };
element.addEventListener('click', event => {
  const hit = event.target.closest('[data-sort],[data-page],[data-reset],[data-model]');
  const {sort = '', page = '', reset = '', model = ''} = hit ? hit.dataset : {};
  if (hit) window.space.settled.then(() => trigger('click', {sort, page, reset, model}));
});
watch('value', () => { url(); setTimeout(window.space.settle); });
"""


class Controls:
    """The controls of the board, in the order in which they stand for a view."""

    def __init__(self, board: Board) -> None:
        with gr.Tabs(selected="corpus", elem_id="views") as self.views:
            self.tabs = {}
            for key, title in VIEWS.items():
                with gr.Tab(title, id=key) as self.tabs[key]:
                    html(f'<p class="explain">{_EXPLAIN[key]}</p>')
        with gr.Row(elem_classes="filters"):
            self.search = gr.Textbox(
                label="Search", placeholder="model, corpus, type …", max_lines=1, max_length=LONGEST_SEARCH,
                min_width=200, elem_id="f-search",
            )  # fmt: skip
            self.types = self._choice("Entity types", board.types, "f-types")
            self.corpora = self._choice("Corpora", board.corpora, "f-corpora")
            self.backbones = self._choice("Backbones", board.backbones, "f-backbones")
        with gr.Accordion("More filters, columns, export", open=False, elem_id="more"):
            with gr.Row(elem_classes="filters"):
                self.languages = self._choice("Language", board.languages, "f-languages")
                self.sizes = self._choice("Size (parameters)", list(SIZES), "f-sizes")
                self.licenses = self._choice("Licence", board.licenses, "f-licenses")
            self.verified = gr.Checkbox(label="Verified only", elem_id="f-verified")
            self.reported = gr.Checkbox(label="Show figures reported by others", elem_id="f-reported")
            optional = [(column.title, column.key) for column in COLUMNS if column.key not in ALWAYS]
            self.columns = gr.CheckboxGroup(
                choices=optional, value=[key for _, key in optional if BY_KEY[key].default], label="Columns",
                elem_id="f-columns",
            )  # fmt: skip
        with gr.Row(elem_classes="downloads"):
            self.reset = gr.Button("Clear filters", size="sm", min_width=110, elem_id="reset")
            self.link = gr.Button("Copy link to this view", size="sm", min_width=150, elem_id="copy-link")
            self.csv = gr.Button("Export CSV", size="sm", min_width=110, elem_id="export-csv")
            self.json = gr.Button("Export JSON", size="sm", min_width=110, elem_id="export-json")
        self.position = gr.Textbox(visible=False, value=_position(View()))
        self.table = html(render_board(board, View()), elem_id="board", js_on_load=_BOARD_JS)
        self.file = gr.Textbox(visible=False)

    @staticmethod
    def _choice(label: str, values: list[str], elem_id: str) -> gr.Dropdown:
        return gr.Dropdown(choices=values, value=[], multiselect=True, label=label, min_width=200, elem_id=elem_id)

    @property
    def filters(self) -> list[Any]:
        """What the reader sets directly."""
        return [
            self.search, self.corpora, self.types, self.backbones, self.languages, self.sizes, self.licenses,
            self.verified, self.reported, self.columns,
        ]  # fmt: skip

    @property
    def components(self) -> list[Any]:
        """All that `values` sets."""
        return [self.views, *self.filters, self.position]

    def values(self, view: View, board: Board) -> list[Any]:
        """Settings of the components for a view."""
        return [
            gr.Tabs(selected=view.view),
            view.search,
            gr.Dropdown(choices=board.corpora, value=list(view.corpora)),
            gr.Dropdown(choices=board.types, value=list(view.types)),
            gr.Dropdown(choices=board.backbones, value=list(view.backbones)),
            gr.Dropdown(choices=board.languages, value=list(view.languages)),
            list(view.sizes),
            gr.Dropdown(choices=board.licenses, value=list(view.licenses)),
            view.verified,
            view.reported,
            [key for key in view.columns if key not in ALWAYS],
            _position(view),
        ]

    def connect(self, store: Store, tabs: gr.Tabs, model: gr.Dropdown) -> None:
        """Make the controls do something."""
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        inputs, out = [*self.filters, self.position], [self.table, self.position]

        def rendered(view: View) -> tuple[str, str]:
            return render_board(store.board(), view), _position(view)

        def filtered(*values: Any) -> tuple[str, str]:
            return rendered(replace(_view(*values), page=1))

        def switched(name: str) -> Callable[..., tuple[Any, ...]]:
            def switch(*values: Any) -> tuple[Any, ...]:
                view = _view(*values)
                if view.view == name:  # a restored link selects the tab too
                    return gr.skip(), gr.skip()
                return rendered(replace(view, view=name, page=1))

            return switch

        def clicked(event: gr.EventData, *values: Any) -> tuple[Any, ...]:
            view, hit = _view(*values), event._data
            same: list[Any] = [gr.skip()] * (len(self.components) + 3)
            if hit.get("model"):
                same[-2:] = [gr.Dropdown(value=hit["model"]), gr.Tabs(selected="model")]
                return tuple(same)
            if hit.get("reset"):
                return (*self.values(View(view=view.view), store.board()), *cleared(*values)[-1:], gr.skip(), gr.skip())
            if hit.get("sort"):
                view = view.sorted_by(str(hit["sort"]))
            elif str(hit.get("page", "")).isdecimal():
                view = replace(view, page=int(hit["page"]))
            same[-4:-2] = [_position(view), render_board(store.board(), view)]
            return tuple(same)

        def cleared(*values: Any) -> tuple[Any, ...]:
            view = View(view=_view(*values).view)
            return (*self.values(view, store.board()), render_board(store.board(), view))

        def searched(*values: Any) -> tuple[Any, ...]:
            if values[0] == _searched(values[-1]):  # a restored link fills the field too
                return gr.skip(), gr.skip()
            return filtered(*values)

        gr.on(
            [item.input for item in self.filters if item is not self.search],
            filtered,
            inputs,
            out,
            trigger_mode="always_last",
            **quick,
        )
        self.search.change(searched, inputs, out, trigger_mode="always_last", **quick)
        for name, tab in self.tabs.items():
            tab.select(switched(name), inputs, out, trigger_mode="always_last", **quick)
        self.table.click(clicked, inputs, [*self.components, self.table, model, tabs], **quick)
        self.reset.click(cleared, inputs, [*self.components, self.table], **quick)
        self.link.click(None, None, None, js="() => { window.space.copy(window.location.href, 'Link'); return []; }")
        for button, kind, write in ((self.csv, "csv", export_csv), (self.json, "json", export_json)):
            button.click(
                lambda *values, write=write: write(store.board(), _view(*values)), inputs, self.file, **quick
            ).then(
                None, [self.file], None, js=f"(text) => {{ window.space.save('leaderboard.{kind}', text); return []; }}"
            )


def _position(view: View) -> str:
    """View, sort, page and search as they were last shown, as the text of a hidden field."""
    return "|".join((view.view, view.sort, "down" if view.descending else "up", str(view.page), view.search))


def _searched(position: str) -> str:
    return position.split("|", 4)[-1]


def _view(*values: Any) -> View:
    """The view of the controls' values."""
    search, corpora, types, backbones, languages, sizes, licenses, verified, reported, columns, position = values
    name, sort, direction, page, _ = (position or _position(View())).split("|", 4)
    return View(
        view=name if name in VIEWS else View.view,
        search=search or "",
        corpora=tuple(corpora or ()),
        types=tuple(types or ()),
        backbones=tuple(backbones or ()),
        languages=tuple(languages or ()),
        sizes=tuple(sizes or ()),
        licenses=tuple(licenses or ()),
        verified=bool(verified),
        reported=bool(reported),
        columns=(*ALWAYS, *_ordered(columns)),
        sort=sort if sort in BY_KEY else View.sort,
        descending=direction == "down",
        page=int(page) if page.isdecimal() else 1,
    )


def _ordered(columns: list[str] | None) -> list[str]:
    chosen = set(columns or ())
    return [column.key for column in COLUMNS if column.key in chosen and column.key not in ALWAYS]
