"""`zoo tag`: find the entities of texts."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import load_taggers, open_linking, text_language
from zoo.cli.options import AsJson, PrecisionOption, RegistryOption
from zoo.cli.output import console, print_json, print_line, print_step, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.tagging.outputs.format import Run
    from zoo.tagging.outputs.output import Output
    from zoo.tagging.texts import Tagged, Text


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
        typer.Option(
            "--out",
            metavar="PATH",
            help="Write .jsonl, .csv, .pubtator, .bioc.xml or .bioc.json, or a folder for BRAT; a killed run goes on.",
        ),
    ] = None,
    text_field: Annotated[str, typer.Option("--text-field", help="Field or column of the text.")] = "text",
    id_field: Annotated[str, typer.Option("--id-field", help="Field or column of the id.")] = "id",
    link: Annotated[
        list[str] | None,
        typer.Option(
            "--link",
            metavar="[TYPE=]ONTOLOGY",
            help="Link mentions to an ontology (zoo ontologies list) or to your own .csv, .tsv or .obo file.",
        ),
    ] = None,
    assertion: Annotated[
        bool,
        typer.Option(
            "--assertion",
            help="Say of each entity whether it is negated, possible, past, of someone else, and its section.",
        ),
    ] = False,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="TAG", help="Language of the texts; by default that of the model's corpus."),
    ] = None,
    redact: Annotated[
        bool,
        typer.Option(
            "--redact",
            help="Hide details in what is written, by their form: addresses, numbers, dates, names behind titles. "
            "This is no de-identification.",
        ),
    ] = False,
    precision: PrecisionOption = "auto",
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Find the entities of texts of any length; offsets are [start, end) in characters.

    A single text is answered as a table (or --json), many documents as JSON lines, or into --out.
    """
    if (text is None) == (file is None):
        raise ZooError("give either a text or --file", fix='zoo tag --model DIR "text", or --file note.txt')
    from zoo.tagging.asserting import assert_document, redact_document
    from zoo.tagging.inputs import STANDARD_INPUT, Fields, format_of, read_texts
    from zoo.tagging.models import resolve_model
    from zoo.tagging.outputs import jsonl
    from zoo.tagging.outputs.format import Run, entity_records
    from zoo.tagging.outputs.output import Output
    from zoo.tagging.texts import Text

    if file and file != STANDARD_INPUT and not file.exists():
        raise ZooError("there is no such file or folder", where=file)
    if language and not assertion:
        raise ZooError("--language is for --assertion", fix="add --assertion")
    said = _rules(language or text_language(model, registry)) if assertion else None
    names = [resolve_model(m) for m in model]
    given: list[object] = [names, str(file.resolve()) if file else text, text_field, id_field, precision]
    skipped: Counter[str] = Counter()
    alone_text = iter([Text("text", text or "")])
    texts = read_texts(file, fields=Fields(id_field, text_field), skipped=skipped) if file else alone_text
    alone = file is None or not (file.is_dir() or format_of(file) != "text")
    taggers = load_taggers(model)
    linking = open_linking(link, model, taggers, registry) if link else None
    in_parts = any(tagger.splitter for tagger in taggers)
    run = Run(model, linking.concept_name if linking else None, in_parts, said is not None)
    given += [*([linking.key] if linking else []), *([said] if said else []), *(["redacted"] if redact else [])]
    output = Output(out, run, json.dumps(given)) if out else None
    hidden: Counter[str] = Counter()
    from zoo.tagging.stream import tag_stream

    def answers(texts: Iterator[Text]) -> Iterator[Tagged]:
        found = tag_stream(taggers, texts, precision=precision)
        found = map(linking.link, found) if linking else found
        found = (assert_document(tagged, said) for tagged in found) if said else found
        return (redact_document(tagged, hidden) for tagged in found) if redact else found

    if output:
        _write(output, texts, answers)
        _print_skipped(skipped)
        _print_hidden(hidden, redact)
        return
    for tagged in answers(texts):
        if not alone:
            sys.stdout.write(jsonl.FORMAT.document(tagged, run))
        elif as_json:
            print_json(entity_records(tagged, run))
        else:
            _print_entities(tagged, run)
    _print_skipped(skipped)
    _print_hidden(hidden, redact)


def _rules(language: str) -> str:
    """The language whose rules are used, which may be that of a regional tag.

    Raises:
        ZooError: There are none.
    """
    from zoo.context.rules import load_rules

    return load_rules(language).language


def _print_hidden(hidden: Counter[str], redacted: bool) -> None:
    if redacted:
        from zoo.redaction import NO_DEIDENTIFICATION

        counted = ", ".join(f"{kind} {number:,}" for kind, number in sorted(hidden.items())) or "nothing"
        print_step(f"hidden: {counted}; {NO_DEIDENTIFICATION}")


def _print_entities(tagged: Tagged, run: Run) -> None:
    """A table; a mention inside another is indented, and of a discontinuous one a … stands for what is between."""
    from zoo.corpora.document import text_of
    from zoo.corpora.overlaps import places
    from zoo.tagging.outputs.format import entity_records

    records = entity_records(tagged, run)
    around = [places([entity.key for entity in entities]) for entities in tagged.entities]
    shown = [
        "  " * len(lie[entity.key].holders) + text_of(tagged.text.text, entity.key, " … ")
        for lie, entities in zip(around, tagged.entities, strict=True)
        for entity in entities
    ]
    concept = ["concept_ids", "concept", "link_score"] if run.linked else []
    said = ["context", "section"] if run.asserted else []
    columns = ["start", "end", "type", "text", "score", *concept, *said, *(["model"] if len(run.models) > 1 else [])]
    found = [entity for entities in tagged.entities for entity in entities]
    rows = [
        {
            **record,
            "concept_ids": " ".join(record.get("concept_ids", ())),
            "text": text,
            "context": entity.assertion.words if entity.assertion else "",
        }
        for record, text, entity in zip(records, shown, found, strict=True)
    ]
    written = [[row.get(name, "") for name in columns] for row in rows]
    print_table(columns, [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row] for row in written])


def _write(output: Output, texts: Iterator[Text], answers: Callable[[Iterator[Text]], Iterator[Tagged]]) -> None:
    """Write all documents that are not in the output yet."""
    from itertools import islice

    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("documents"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar, output.writing():
        if output.documents:
            print_step(f"going on after {output.documents:,} documents")
        task = bar.add_task("", total=None, completed=output.documents)
        kept = time.monotonic()
        for tagged in answers(islice(texts, output.documents, None)):
            output.add(tagged)
            bar.advance(task)
            if time.monotonic() - kept > _KEEP_SECONDS:
                output.keep()
                kept = time.monotonic()
    print_line(f"{output.documents:,} documents tagged: {output.path}", wrap=False)
    if output.made_whole:
        print_step(f"{output.made_whole:,} discontinuous mentions are written whole: the format has no parts")
    if output.leaves_out_assertions:
        print_step("assertions and sections are not written: the format has no place for them")


def _print_skipped(skipped: Counter[str]) -> None:
    for what, number in skipped.items():
        print_step(f"skipped: {number:,} times {what}")
