"""`zoo tag`: find the entities of texts."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import load_taggers
from zoo.cli.options import AsJson, PrecisionOption
from zoo.cli.output import console, print_json, print_line, print_step, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.modeling.device import Precision
    from zoo.tagging.outputs.output import Output
    from zoo.tagging.tagger import Tagger
    from zoo.tagging.texts import Text


_KEEP_SECONDS = 5.0
"""At most so much tagging is done again after a kill."""


def tag(
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            metavar="DIR_OR_ID",
            help="Checkpoint folder, adapter, model folder or Hub id; several share one pass over the text.",
        ),
    ],
    text: Annotated[str | None, typer.Argument(help="Text to tag.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="PATH",
            help="Documents: .txt (one each), .jsonl, .csv, PubMed .xml, or .gz of these; a folder of them; - for "
            "standard input.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="Write .jsonl or .csv, or a folder for BRAT; a killed run goes on."),
    ] = None,
    text_field: Annotated[str, typer.Option("--text-field", help="Field or column of the text.")] = "text",
    id_field: Annotated[str, typer.Option("--id-field", help="Field or column of the id.")] = "id",
    precision: PrecisionOption = "auto",
    as_json: AsJson = False,
) -> None:
    """Find the entities of texts of any length; offsets are [start, end) in characters.

    A single text is answered as a table (or --json), many documents as JSON lines, or into --out.
    """
    if (text is None) == (file is None):
        raise ZooError("give either a text or --file", fix='zoo tag --model DIR "text", or --file note.txt')
    from zoo.tagging.inputs import STANDARD_INPUT, Fields, format_of, read_texts
    from zoo.tagging.models import resolve_model
    from zoo.tagging.outputs import jsonl
    from zoo.tagging.outputs.format import entity_records
    from zoo.tagging.outputs.output import Output
    from zoo.tagging.texts import Text

    if file and file != STANDARD_INPUT and not file.exists():
        raise ZooError("there is no such file or folder", where=file)
    given = json.dumps(
        [[resolve_model(m) for m in model], str(file.resolve()) if file else text, text_field, id_field, precision]
    )
    output = Output(out, model, given) if out else None
    skipped: Counter[str] = Counter()
    alone_text = iter([Text("text", text or "")])
    texts = read_texts(file, fields=Fields(id_field, text_field), skipped=skipped) if file else alone_text
    alone = file is None or not (file.is_dir() or format_of(file) != "text")
    taggers = load_taggers(model)
    from zoo.tagging.stream import tag_stream

    if output:
        _write(output, taggers, texts, precision)
        _print_skipped(skipped)
        return
    for tagged in tag_stream(taggers, texts, precision=precision):
        records = entity_records(tagged, model)
        if not alone:
            sys.stdout.write(jsonl.FORMAT.document(tagged, model))
        elif as_json:
            print_json(records)
        else:
            columns = ["start", "end", "type", "text", "score", *(["model"] if len(model) > 1 else [])]
            print_table(columns, [[f"{v:.3f}" if k == "score" else str(v) for k, v in r.items()] for r in records])
    _print_skipped(skipped)


def _write(output: Output, taggers: Sequence[Tagger], texts: Iterator[Text], precision: Precision) -> None:
    """Write all documents that are not in the output yet."""
    from itertools import islice

    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from zoo.tagging.stream import tag_stream

    columns = (SpinnerColumn(), TextColumn("documents"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar, output.writing():
        if output.documents:
            print_step(f"going on after {output.documents:,} documents")
        task = bar.add_task("", total=None, completed=output.documents)
        kept = time.monotonic()
        for tagged in tag_stream(taggers, islice(texts, output.documents, None), precision=precision):
            output.add(tagged)
            bar.advance(task)
            if time.monotonic() - kept > _KEEP_SECONDS:
                output.keep()
                kept = time.monotonic()
    print_line(f"{output.documents:,} documents tagged: {output.path}", wrap=False)


def _print_skipped(skipped: Counter[str]) -> None:
    for what, number in skipped.items():
        print_step(f"skipped: {number:,} times {what}")
