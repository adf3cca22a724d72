"""The live demo: text in, entities out, in layers, side by side, and as files. Text is neither logged nor stored."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from choose import showcase
from columns import escape
from concepts import Linkers
from data import Board
from entry import Entry
from examples import EXAMPLES, NESTED, OF_LANGUAGES
from layers import AGREEMENTS, Layer, as_file, compare, table
from marks import colors, legend, render_text
from parts import html
from zoo.errors import ZooError
from zoo.language import primary
from zoo.redaction import redact
from zoo.tagging.pool import Pool
from zoo.tagging.tagger import OutOfTimeError

log = logging.getLogger("space")

MOST_CHARACTERS = 100_000
MOST_MODELS = 6
PRIVACY = (
    "Your text is used to compute this answer and kept in memory while this page is open. It is not logged, not "
    "written "
    "to disk and not sent anywhere else. Do not paste data of patients into a public server."
)
LANGUAGES = {"Off": "", "English": "en", "Spanish": "es"}
"""Whose rules say what the text says of an entity."""
_EVERY_SECONDS = 0.4
Result = tuple[str, tuple[Layer, ...]]


@dataclass(frozen=True)
class Parts:
    """What others connect to: the choice of models, the lowest score shown, the answer, and when it has come."""

    board: Callable[[], Board]
    chosen: gr.Dropdown
    threshold: gr.Slider
    result: gr.State
    answered: Any


@dataclass(frozen=True)
class Shown:
    """What the page shows after an answer: HTML of a status line, of the marked text, and of the table."""

    status: str
    text: str
    table: str


def check_text(text: str | None) -> str:
    """The text, if the demo takes it.

    Raises:
        ValueError: It is empty, too long, or not valid Unicode; the message is for the reader.
    """
    if not text or not text.strip():
        raise ValueError("There is no text yet: paste one, pick an example, or open a file.")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"The text has {len(text):,} characters; the demo takes {MOST_CHARACTERS:,}. Cut it, or use zoo tag on "
            "your "
            "own machine, which has no limit."
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"The text holds half a character (a lone surrogate) at position {error.start}.") from None
    return text


def check_models(keys: list[str] | None, board: Board) -> list[Entry]:
    """The chosen models.

    Raises:
        ValueError: None, too many, or one that is not on the board.
    """
    if not keys:
        raise ValueError("Choose at least one model.")
    if len(keys) > MOST_MODELS:
        raise ValueError(f"Choose at most {MOST_MODELS} models at once, not {len(keys)}.")
    missing = [key for key in keys if key not in board.by_key]
    if missing:
        raise ValueError("This model is not on the board any more: choose again.")
    return [board.by_key[key] for key in dict.fromkeys(keys)]


def adapter_folder(entry: Entry, board: Board) -> Path | None:
    """Where the adapter is on this machine; None: it is not."""
    folder = board.models and board.models / entry.backbone / entry.corpora[0] / "adapter"
    return folder if folder and (folder / "adapter_config.json").is_file() else None


def run(
    pool: Pool, board: Board, text: str | None, keys: list[str] | None, linkers: Linkers | None = None
) -> Iterator[str | Result]:
    """Tag a text with every chosen model, and link what has a linker: lines of progress, then text and layers.

    Raises:
        ValueError: The message is for the reader, and holds nothing of the text.
    """
    checked, chosen = check_text(text), check_models(keys, board)
    layers: list[Layer] = []
    for number, entry in enumerate(chosen, start=1):
        which = f"Model {number} of {len(chosen)}, {entry.name}"
        yield f"{which}: loading"
        said = time.monotonic()
        try:
            model = adapter_folder(entry, board) or entry.repo_id
            for step in pool.steps(model, checked, stride_tokens=entry.stride):
                if step.done == step.windows:
                    found = (step.entities,)
                    if linkers:
                        found = linkers.link(model, pool.get(model).base, checked, step.entities)
                    layers.append(Layer(entry.name, *found))
                elif time.monotonic() - said > _EVERY_SECONDS:
                    said = time.monotonic()
                    yield f"{which}: window {step.done} of {step.windows}"
        except OutOfTimeError as error:
            raise ValueError(f"{entry.name}: {error.what}. Take a shorter text or a smaller model.") from None
        except ZooError as error:
            log.warning("cannot load %s: %s", entry.name, error)
            raise ValueError(f"{entry.name} cannot be loaded now.") from None
    yield checked, tuple(layers)


def prepare(result: Result, threshold: float, language: str, hide: bool) -> tuple[str, list[Layer]]:
    """An answer as it is shown and written: entities above a score, what the text says of them, details hidden."""
    text, found = result
    layers = [layer.above(threshold) for layer in found]
    if language:
        layers = [layer.asserted(text, language) for layer in layers]
    return redact(text)[0] if hide else text, layers


def show(result: Result | None, threshold: float, side_by_side: bool, language: str = "", hide: bool = False) -> Shown:
    """Render an answer."""
    if result is None:
        return Shown(_status("Choose models and find entities."), "", "")
    text, layers = prepare(result, threshold, language, hide)
    palette = colors(layers)
    total = sum(len(layer.entities) for layer in layers)
    hidden = sum(len(layer.entities) for layer in result[1]) - total
    status = f"{total:,} entities in {len(text):,} characters" + (f", {hidden:,} below the threshold" if hidden else "")
    if side_by_side and len(layers) >= 2:
        return Shown(_status(status), _side_by_side(text, layers[0], layers[1]), table(text, layers))
    if side_by_side:
        status += ". Choose two models to compare them."
    return Shown(_status(status), legend(layers, palette) + render_text(text, layers, palette), table(text, layers))


def _side_by_side(text: str, left: Layer, right: Layer) -> str:
    palette = colors([left, right])
    states = compare(left, right)
    columns, same = [], sum(state == "both" for state in states[0])
    for layer, state in zip((left, right), states, strict=True):
        counts = ", ".join(f"{state.count(kind)} {words}" for kind, words in AGREEMENTS.items() if kind in state)
        columns.append(
            f'<section class="side" aria-label="{escape(layer.model)}"><h3>{escape(layer.model)}</h3>'
            f'<p class="fine">{len(layer.entities)} entities{": " + counts if counts else ""}</p>'
            f"{render_text(text, [layer], palette, state)}</section>"
        )
    summary = (
        f'<p class="fine">{same} entities are in both. Differences have a frame: solid, only in this model; '
        "dashed, the other model sets other borders; dotted, the other gives another type; where entities overlap, "
        "their labels alone say it.</p>"
    )
    return f'{summary}{legend([left, right], palette)}<div class="sides">{"".join(columns)}</div>'


def _status(text: str, kind: str = "") -> str:
    role = "alert" if kind == "error" else "status"
    return f'<p class="summary {kind}" role="{role}">{escape(text)}</p>'


def build(board: Callable[[], Board], pool: Pool, linkers: Linkers, tab: gr.Tab, privacy: str = PRIVACY) -> Parts:
    """Lay out the tab; when it is opened, the first example is tagged by the usual models, if they are here."""
    start = board()
    examples = EXAMPLES | (NESTED if any(entry.heads > 1 for entry in start.entries) else {})
    for tag, more in OF_LANGUAGES.items():
        examples |= more if any(primary(each) == tag for each in start.languages) else {}
    html(f'<p class="privacy">{escape(privacy)}</p>')
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            text = gr.Textbox(
                label="Text", lines=9, max_lines=18, elem_id="demo-text",
                placeholder="Paste a text of up to 100,000 characters", value=next(iter(examples.values())),
            )  # fmt: skip
            with gr.Row(elem_classes="examples"):
                samples = [gr.Button(name, size="sm", min_width=90) for name in examples]
            html(_UPLOAD, js_on_load=_UPLOAD_JS)
        with gr.Column(scale=2, min_width=280):
            chosen = gr.Dropdown(
                choices=choices(start), value=usual_choice(start), multiselect=True,
                label="Models", elem_id="demo-models",
                info=f"Up to {MOST_MODELS}; those of one backbone share its base in memory",
            )  # fmt: skip
            threshold = gr.Slider(0, 1, value=0.0, step=0.01, label="Lowest score shown", elem_id="demo-threshold")
            side = gr.Checkbox(label="Compare the first two models side by side", elem_id="demo-compare")
            language = gr.Dropdown(
                choices=list(LANGUAGES.items()), value=usual_language(start, usual_choice(start)),
                label="Negation and context", elem_id="demo-language",
                info="By rules of a language: negated, possible, past, of someone else; sections of notes",
            )  # fmt: skip
            hide = gr.Checkbox(
                label="Hide details by their form", elem_id="demo-hide",
                info="Addresses, numbers, dates, names behind titles. This is no de-identification: the rest stays",
            )  # fmt: skip
            with gr.Row():
                go = gr.Button("Find entities", variant="primary", elem_id="demo-run")
                stop = gr.Button("Stop", elem_id="demo-stop", min_width=80)
    status = html(_status(first_words(start)), elem_id="demo-status")
    marked = html("", elem_id="demo-marked")
    with gr.Row(elem_classes="downloads"):
        buttons = [gr.Button(f"Download {kind}", size="sm", min_width=110) for kind in ("JSON", "CSV", "BRAT")]
    entities = html("", elem_id="demo-table")
    result = gr.State(None, time_to_live=1800)
    file = gr.Textbox(visible=False)

    chosen.change(
        lambda keys: usual_language(board(), keys), chosen, language,
        queue=False, show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    for button, sample in zip(samples, examples.values(), strict=True):
        button.click(lambda sample=sample: sample, outputs=text, queue=False, show_progress="hidden")

    def answer(words: str, keys: list[str], *options: Any) -> Iterator[tuple[Any, ...]]:
        try:
            for step in run(pool, board(), words, keys, linkers):
                if isinstance(step, str):
                    yield _status(step, "busy"), gr.skip(), gr.skip(), gr.skip()
                else:
                    shown = show(step, *options)
                    yield shown.status, shown.text, shown.table, step
        except ValueError as error:
            yield _status(str(error), "error"), "", "", None

    options = [threshold, side, language, hide]
    outputs = [status, marked, entities, result]

    asked: deque[str | None] = deque(maxlen=1000)  # sessions that have asked: no example must replace their answer

    def ask(request: gr.Request, words: str, keys: list[str], *options: Any) -> Iterator[tuple[Any, ...]]:
        asked.append(request.session_hash)
        yield from answer(words, keys, *options)

    def open_with_example(
        request: gr.Request, words: str, keys: list[str], answered: Result | None, *options: Any
    ) -> Iterator[tuple[Any, ...]]:
        now = board()
        usual = words == next(iter(examples.values())) and keys == usual_choice(now)
        if answered is None and usual and keys and all(adapter_folder(now.by_key[key], now) for key in keys):
            for step in answer(words, keys, *options):
                if request.session_hash in asked:
                    break
                yield step
        yield (gr.skip(),) * len(outputs)

    opened = tab.select(
        open_with_example, [text, chosen, result, *options], outputs, concurrency_limit=4, concurrency_id="demo",
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    event = go.click(
        ask, [text, chosen, *options], outputs, concurrency_limit=4, concurrency_id="demo",
        show_progress="hidden", api_name="tag", cancels=[opened],
    )  # fmt: skip
    # after the cancelling and through the queue: else a line of progress that is on its way would overwrite it
    stop.click(None, cancels=[event, opened]).then(lambda: _status("Stopped."), outputs=status, show_progress="hidden")

    def again(answered: Result | None, *chosen: Any) -> tuple[str, str, str]:
        shown = show(answered, *chosen)
        return shown.status, shown.text, shown.table

    for event_of in (threshold.release, threshold.change, side.input, language.input, hide.input):
        event_of(
            again, [result, *options], [status, marked, entities], queue=False, show_progress="hidden",
            trigger_mode="always_last", api_visibility="private",
        )  # fmt: skip
    for button, kind in zip(buttons, ("json", "csv", "ann"), strict=True):
        button.click(
            lambda *given, kind=kind: written(*given, kind=kind), [result, threshold, language, hide], file,
            queue=False, show_progress="hidden", api_visibility="private",
        ).then(
            None, [file], None, js=f"(text) => {{ window.space.save('entities.{kind}', text); return []; }}"
        )  # fmt: skip
    return Parts(board, chosen, threshold, result, event)


def usual_choice(board: Board) -> list[str]:
    """Models on this machine that together find the most types; where none is, the first, which has to be fetched."""
    here = [entry for entry in board.entries if adapter_folder(entry, board)]
    return [entry.key for entry in showcase(here, MOST_MODELS) or board.entries[:1]]


def first_words(board: Board) -> str:
    """What stands where the answer will be, before there is one."""
    if not board.entries:
        return "There is no model yet: what zoo build has made, zoo board puts here."
    if not any(adapter_folder(entry, board) for entry in board.entries):
        return "No model is on this machine: the first answer fetches its base and adapter from the Hub."
    return "Choose models and find entities."


def usual_language(board: Board, keys: list[str]) -> str:
    """The first language of the chosen models that there are rules for; empty: none, and no rules are used."""
    spoken = [primary(tag) for key in keys if key in board.by_key for tag in board.by_key[key].languages]
    return next((tag for tag in spoken if tag in LANGUAGES.values()), "" if spoken else "en")


def choices(board: Board) -> list[tuple[str, str]]:
    """Models to choose from, with what they find."""
    return [(f"{entry.name} ({', '.join(entry.types[:4])})", entry.key) for entry in board.entries]


def written(result: Result | None, threshold: float, language: str = "", hide: bool = False, *, kind: str) -> str:
    """An answer as the content of a file: `json`, `csv` or `ann` (BRAT)."""
    if result is None:
        return ""
    return as_file(*prepare(result, threshold, language, hide), f".{kind}")


_UPLOAD = (
    '<div class="upload"><label for="demo-file">Open a .txt file (UTF-8); it is read by your browser</label>'
    '<input id="demo-file" type="file" accept=".txt,text/plain"><span id="demo-file-note" role="status"></span></div>'
)
_UPLOAD_JS = "element.addEventListener('change', event => window.space.open(event.target));"
