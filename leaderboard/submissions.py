"""The tab "Submit a model": a Hub id and a label map become a check that would run and a pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from columns import escape
from data import Board
from parts import html

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_LABEL = re.compile(r"[^\s=`]{1,64}")
MOST_LABELS = 64


@dataclass(frozen=True)
class Submission:
    """A model that somebody proposes.

    Attributes:
        repo_id: On the Hub.
        corpus: Scored on this.
        labels: Its labels -> the types of the corpus.
        note: How it was trained, in its author's words.
    """

    repo_id: str
    corpus: str
    labels: tuple[tuple[str, str], ...]
    note: str

    @property
    def command(self) -> str:
        """What checks it."""
        maps = "".join(f" --map {source}={target}" for source, target in self.labels)
        return f"zoo evaluate {self.repo_id} {self.corpus}{maps}"


def parse(repo_id: str, corpus: str | None, labels: str, note: str, board: Board) -> Submission:
    """Check the fields of the form.

    Raises:
        ValueError: A field is wrong; the message is for the reader.
    """
    name = repo_id.strip().removeprefix("https://huggingface.co/").strip("/")
    if not _HUB_ID.fullmatch(name) or ".." in name or "--" in name:
        raise ValueError("Give the id of a model on the Hub, such as owner/name.")
    if corpus not in board.corpora:
        raise ValueError("Choose the corpus that it is to be scored on.")
    pairs: list[tuple[str, str]] = []
    allowed = {kind for entry in board.entries if corpus in entry.corpora for kind in entry.types}
    for number, line in enumerate(labels.splitlines(), start=1):
        if not line.strip():
            continue
        source, equals, target = (part.strip() for part in line.partition("="))
        if not (equals and _LABEL.fullmatch(source) and _LABEL.fullmatch(target)):
            raise ValueError(f"Line {number} of the label map is not FROM=TO, such as DIS=Disease.")
        if target not in allowed:
            raise ValueError(f"Line {number}: {corpus} has no type {target}; it has {', '.join(sorted(allowed))}.")
        pairs.append((source, target))
    if len(pairs) > MOST_LABELS:
        raise ValueError(f"At most {MOST_LABELS} labels.")
    if len(dict(pairs)) < len(pairs):
        raise ValueError("A label stands twice in the label map.")
    return Submission(name, corpus, tuple(pairs), " ".join(note.split())[:600])


def pull_request(submission: Submission) -> str:
    """The text of the pull request."""
    entry = {"repo_id": submission.repo_id, "corpus": submission.corpus, "labels": dict(submission.labels)}
    quoted = f"> {submission.note.replace('`', chr(39))}\n\n" if submission.note else ""
    return (
        f"# Submit {submission.repo_id} on {submission.corpus}\n\n{quoted}"
        f"```json\n{json.dumps(entry, indent=2)}\n```\n\n"
        f"Checked with\n\n```bash\n{submission.command}\n```\n\n"
        "- [ ] The model was not trained on the test split, nor on documents of it.\n"
        "- [ ] Its licence lets others download and use it.\n"
        "- [ ] It loads in transformers without code of its own.\n"
    )


def steps(submission: Submission) -> list[str]:
    """What the check does, in order."""
    renamed = ", ".join(f"{a} as {b}" for a, b in submission.labels) or "its labels as they are"
    return [
        f"downloads {submission.repo_id} at its newest commit, safetensors only, without running code of the repo",
        "loads it as a token-classification model with a fast tokenizer",
        f"tags the canonical test split of {submission.corpus} through overlapping windows, taking {renamed}",
        "computes strict span F1, precision and recall with a 95 % interval over documents",
        "compares with the figure that the model's card names, where it names one",
    ]


def render(submission: Submission) -> str:
    """Plan and text as HTML, with copy buttons."""
    text = pull_request(submission)
    items = "".join(f"<li>{escape(step)}</li>" for step in steps(submission))
    return (
        f'<div class="modelpage"><h3>What the check would do</h3><ol>{items}</ol>'
        f'<div class="code"><p>Run it yourself</p><pre tabindex="0">{escape(submission.command)}</pre>'
        f'<button type="button" class="copy" data-copy="{escape(submission.command)}" aria-label="Copy the '
        'command">copy'
        f'</button></div><div class="code"><p>Text of the pull request</p><pre tabindex="0">{escape(text)}</pre>'
        f'<button type="button" class="copy" data-copy="{escape(text)}" aria-label="Copy the text of the pull request">'
        "copy</button></div></div>"
    )


def build(board: Callable[[], Board]) -> None:
    """Lay out the tab."""
    html(
        '<p class="privacy">This Space runs no code and loads no weights of submitted models. It writes the text of a '
        "pull request; a maintainer runs the check.</p>"
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=280):
            repo = gr.Textbox(label="Model on the Hub", placeholder="owner/name", max_lines=1, elem_id="submit-repo")
            corpus = gr.Dropdown(choices=board().corpora, value=None, label="Corpus", elem_id="submit-corpus")
        with gr.Column(min_width=280):
            labels = gr.Textbox(
                label="Label map, one FROM=TO a line", placeholder="DIS=Disease", lines=4, elem_id="submit-labels"
            )
            note = gr.Textbox(label="How it was trained (optional)", max_lines=3, max_length=600)
    go = gr.Button("Prepare the pull request", variant="primary", elem_id="submit-run")
    out = html("", elem_id="submit-out")

    def answer(repo_id: str, name: str | None, pairs: str, words: str) -> str:
        try:
            return render(parse(repo_id, name, pairs, words, board()))
        except ValueError as error:
            return f'<p class="summary error" role="alert">{escape(error)}</p>'

    go.click(answer, [repo, corpus, labels, note], out, queue=False, show_progress="hidden", api_visibility="private")
