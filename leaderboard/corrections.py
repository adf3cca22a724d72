"""Corrections of what models found, in the demo of a page that its owner runs: kept as BRAT files in their folder.

What is shown when it is saved is what is written: suggestions that were neither accepted nor rejected, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from columns import escape
from demo import Parts, Result
from layers import Layer
from marks import colors, legend, render_text, stack
from page import Extension
from parts import html
from zoo.corpora.readers.brat import read_brat_pair
from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.language.writing import trim
from zoo.modeling.windows import Entity, in_order, join_heads
from zoo.tagging.outputs.brat import FORMAT
from zoo.tagging.outputs.format import Run
from zoo.tagging.texts import Tagged, Text

SUGGESTED, YOURS = "suggested", "yours"
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Draft:
    """A text in correction.

    Attributes:
        text: The text.
        suggested: What a model found and nobody has looked at yet.
        yours: What a person accepted, changed or added.
        saved: Whether the folder holds just this.
        before: The state before the last change.
    """

    text: str
    suggested: tuple[Entity, ...]
    yours: tuple[Entity, ...] = ()
    saved: bool = False
    before: Draft | None = None

    @property
    def layers(self) -> list[Layer]:
        """Both kinds as the page shows them; entities are numbered over both, in order of the text."""
        return [Layer(SUGGESTED, self.suggested), Layer(YOURS, self.yours)]

    def entity(self, number: int | None) -> Entity:
        """The entity of a label.

        Raises:
            ValueError: None is picked; the message is for the reader.
        """
        marks = stack(self.layers)
        if number is None or not 0 <= number < len(marks):
            raise ValueError("Click the label of an entity first.")
        return marks[number].entity

    def put(self, old: Entity | None, *new: Entity) -> Draft:
        """With entities of a person in the place of one."""
        keys = {entity.key for entity in (*new, *([old] if old else []))}
        left = tuple(entity for entity in self.suggested if entity.key not in keys)
        own = [entity for entity in self.yours if entity.key not in keys]
        yours = tuple(in_order([*own, *(replace(entity, score=1.0) for entity in new)]))
        return Draft(self.text, left, yours, before=self)


def borders(draft: Draft, words: dict[str, Any] | None) -> tuple[int, int]:
    """`[start, end)` of the selected words, without white space around them.

    Raises:
        ValueError: None are selected, or they are not those of the text; the message is for the reader.
    """
    if not words:
        raise ValueError("Select words in the text first.")
    start, end = int(words["start"]), int(words["end"])
    if draft.text[start:end].replace("\0", "\ufffd") != words["text"]:
        raise ValueError("The selection does not fit the text: select it again.")
    if not (found := trim(draft.text, start, end)):
        raise ValueError("The selection holds white space alone.")
    return found


def accept(draft: Draft, picked: dict[str, Any], name: str) -> Draft:
    """The picked entity is right."""
    found = draft.entity(picked["entity"])
    return draft.put(found, found)


def accept_all(draft: Draft, picked: dict[str, Any], name: str) -> Draft:
    """All that is left is right."""
    return draft.put(None, *draft.suggested)


def reject(draft: Draft, picked: dict[str, Any], name: str) -> Draft:
    """The picked entity is none."""
    return draft.put(draft.entity(picked["entity"]))


def add(draft: Draft, picked: dict[str, Any], name: str) -> Draft:
    """The selected words are an entity."""
    return draft.put(None, Entity(*borders(draft, picked["words"]), _type(name), 1.0))


def resize(draft: Draft, picked: dict[str, Any], name: str) -> Draft:
    """The picked entity has the borders of the selection."""
    old = draft.entity(picked["entity"])
    return draft.put(old, Entity(*borders(draft, picked["words"]), old.type, 1.0))


def retype(draft: Draft, picked: dict[str, Any], name: str) -> Draft:
    """The picked entity has another type."""
    old = draft.entity(picked["entity"])
    return draft.put(old, replace(old, type=_type(name), link=None))


def undo(draft: Draft, picked: dict[str, Any], name: str) -> Draft:
    """Take the last change back."""
    if draft.before is None:
        raise ValueError("There is nothing to take back.")
    return draft.before


def _type(name: str) -> str:
    if not name or not _TYPE.fullmatch(name):
        raise ValueError("A type is a word of letters, digits, hyphens: choose one, or write a new one.")
    return name


class Folder:
    """Where corrections are kept: `note-HASH.txt` and `.ann` of each text, written whole.

    Args:
        path: The folder; made with the first document.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, text: str) -> Path:
        """The `.txt` of a text, whether it is there or not."""
        return self.path / f"note-{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"

    def load(self, text: str) -> list[Entity] | None:
        """What was saved of a text; None: nothing yet.

        Raises:
            ZooError: The files were changed so that they cannot be read.
        """
        file = self.file(text)
        if not file.with_suffix(".ann").is_file() or not file.is_file():
            return None
        spans = read_brat_pair(file).spans
        return [Entity(span.start, span.end, span.type, 1.0, None, span.fragments) for span in spans]

    def save(self, draft: Draft) -> Path:
        """Write a text and all that is shown of it.

        Raises:
            OSError: It cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.file(draft.text)
        entities = in_order([*draft.suggested, *draft.yours])
        plain = [replace(entity, link=None, assertion=None) for entity in entities]
        tagged = Tagged(Text(file.stem, draft.text), (plain,))
        for name, content in sorted(FORMAT.files(tagged, Run([YOURS])).items(), reverse=True):  # the text comes first
            write_whole(self.path / name, content)
        return file.with_suffix(".ann")


def begin(folder: Folder, result: Result | None, threshold: float, now: Draft | None) -> tuple[Draft | None, str]:
    """What is corrected after an answer, and what is said of it.

    Changes of this text that are not saved yet, else what was saved of it, else what was found.

    Raises:
        ValueError: What was saved cannot be read; the message is for the reader.
    """
    if result is None:
        return None, ""
    text, layers = result
    if now and now.text == text and now.before and not now.saved:
        return now, "Not saved yet."
    try:
        saved = folder.load(text)
    except ZooError as error:
        raise ValueError(f"Your corrections of this text cannot be read: {error.what} ({error.where}).") from None
    if saved is not None:
        return Draft(text, (), tuple(saved), saved=True), f"Your corrections of this text: {folder.file(text).stem}."
    found = join_heads([list(layer.above(threshold).entities) for layer in layers])
    return Draft(text, tuple(found)), "Not saved yet."


CHANGES: dict[str, tuple[str, Callable[[Draft, dict[str, Any], str], Draft]]] = {
    "accept": ("Accept", accept),
    "reject": ("Reject", reject),
    "resize": ("Set to selection", resize),
    "retype": ("Change type", retype),
    "add": ("Add selection", add),
    "accept-all": ("Accept all", accept_all),
    "undo": ("Undo", undo),
}
_HELP = (
    "Click a label, then accept or reject it (keys a and r), or give it another type. Select words with the mouse, a "
    "finger or, after F7, the keyboard: add them, or set the picked entity to them. What is shown is what is saved."
)


def extension(path: Path) -> Extension:
    """What the page of an owner with a folder for corrections has more."""
    folder = Folder(path)
    privacy = (
        f"This page runs on your machine. Texts that you save corrections of are written to {path.resolve()}, with "
        "nothing hidden in them; no other text is written anywhere."
    )
    return Extension(privacy, lambda parts: build(folder, parts))


def build(folder: Folder, parts: Parts) -> None:
    """Lay out the corrections below the demo."""
    draft, picked = gr.State(None, time_to_live=None), gr.Textbox(visible=False)
    with gr.Column(elem_id="fix", visible=False) as group:
        html(f'<h2>Corrections</h2><p class="fine">{escape(_HELP)}</p>')
        status = html("", elem_id="fix-status")
        shown = html("", elem_id="fix-text")
        html('<p id="fix-picked" class="fine" role="status"></p>')
        with gr.Row(elem_classes="fixes"):
            name = gr.Dropdown([], label="Type", allow_custom_value=True, elem_id="fix-type", min_width=150, scale=0)
            buttons = {
                key: gr.Button(words, size="sm", elem_id=f"fix-{key}", min_width=90)
                for key, (words, _) in CHANGES.items()
            }
            save = gr.Button("Save", variant="primary", size="sm", elem_id="fix-save", min_width=90)
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    following = {"fn": None, "js": "() => { setTimeout(window.fix.next, 50); return []; }"}

    def opened(result: Result | None, threshold: float, keys: list[str], now: Draft | None) -> tuple[Any, ...]:
        try:
            made, said = begin(folder, result, threshold, now)
        except ValueError as error:
            return None, _said(str(error), "error"), "", gr.skip(), gr.Column(visible=True)
        entries = parts.board().by_key
        types = list(dict.fromkeys(kind for key in keys if key in entries for kind in entries[key].types))
        choice = gr.Dropdown(choices=types, value=types[0] if types else None)
        return made, _said(said), _text(made), choice, gr.Column(visible=made is not None)

    def changed(now: Draft | None, chosen: str, given: str, *, change: Callable[..., Draft]) -> tuple[Any, ...]:
        if now is None:
            return gr.skip(), _said("Find entities first.", "error"), gr.skip()
        try:
            made = change(now, json.loads(chosen), (given or "").strip())
        except ValueError as error:
            return gr.skip(), _said(str(error), "error"), gr.skip()
        return made, _said("Saved." if made.saved else "Not saved yet."), _text(made)

    def kept(now: Draft | None) -> tuple[Any, ...]:
        if now is None:
            return gr.skip(), _said("Find entities first.", "error"), gr.skip()
        try:
            file = folder.save(now)
        except OSError as error:
            return gr.skip(), _said(f"Not saved: {error.strerror or error} ({folder.path}).", "error"), gr.skip()
        made = replace(now.put(None, *now.suggested), saved=True)
        return made, _said(f"Saved {len(made.yours)} entities: {file.name}."), _text(made)

    parts.answered.then(
        opened, [parts.result, parts.threshold, parts.chosen, draft], [draft, status, shown, name, group], **quiet
    ).then(**following)
    for key, (_, change) in CHANGES.items():
        buttons[key].click(
            lambda *given, change=change: changed(*given, change=change),
            [draft, picked, name], [draft, status, shown],
            js="draft => [draft, window.fix.picked(), window.fix.type()]", **quiet,
        ).then(**following)  # fmt: skip
    save.click(kept, draft, [draft, status, shown], **quiet).then(**following)


def _text(draft: Draft | None) -> str:
    if draft is None:
        return ""
    palette = colors(draft.layers)
    return legend(draft.layers, palette) + render_text(draft.text, draft.layers, palette)


def _said(text: str, kind: str = "") -> str:
    return f'<p class="summary {kind}" role="{"alert" if kind else "status"}">{escape(text)}</p>' if text else ""
