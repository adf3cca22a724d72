"""`zoo tag`: find the entities of texts."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zoo.cli.opening import load_taggers, open_linking, open_registry, text_language
from zoo.cli.options import AddressOption, AsJson, PrecisionOption, RegistryOption
from zoo.cli.output import console, print_json, print_line, print_step, print_table
from zoo.errors import ZooError
from zoo.files import is_url

if TYPE_CHECKING:
    from zoo.scale.answers import Answers, Question
    from zoo.scale.shards import Cutting
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
        str | None,
        typer.Option(
            "--file",
            metavar="PATH_OR_URL",
            help="Documents: .txt (one each), .jsonl, .csv, PubMed .xml, or .gz of these, .parquet; a folder of them; "
            "- for standard input.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="Write .jsonl, .csv, .pubtator, .bioc.xml or .bioc.json, or a folder for BRAT; a killed run goes on. "
            "With --engine ray a folder of such files, or its URL.",
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
    engine: Annotated[
        Literal["local", "ray"], typer.Option("--engine", help="This process, or the workers of a Ray cluster.")
    ] = "local",
    address: AddressOption = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Of --engine ray; default: a core, or a GPU, each.")
    ] = None,
    shard: Annotated[int, typer.Option("--shard", min=1, help="Documents of a file that --engine ray writes.")] = 1000,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Find the entities of texts of any length; offsets are [start, end) in characters.

    A single text is answered as a table (or --json), many documents as JSON lines, or into --out.
    """
    if (text is None) == (file is None):
        raise ZooError("give either a text or --file", fix='zoo tag --model DIR "text", or --file note.txt')
    if language and not assertion:
        raise ZooError("--language is for --assertion", fix="add --assertion")
    from zoo.scale.answers import Answers, Question

    said = _rules(language or text_language(model, registry)) if assertion else None
    question = Question(tuple(model), precision, tuple(link or ()), said, redact)
    if engine == "ray":
        from zoo.scale.shards import Cutting
        from zoo.tagging.inputs import Fields

        cutting = Cutting(Fields(id_field, text_field), shard)
        _on_cluster(question, file, out, registry, address, workers, cutting)
        return
    if address or workers:
        raise ZooError("--address and --workers are for a Ray cluster", fix="add --engine ray")
    from zoo.tagging.inputs import STANDARD_INPUT, Fields, input_files, read_files
    from zoo.tagging.models import resolve_model
    from zoo.tagging.outputs import jsonl
    from zoo.tagging.outputs.format import entity_records
    from zoo.tagging.outputs.output import Output
    from zoo.tagging.texts import Text

    _check_there(file)
    place = file if file is None or file == STANDARD_INPUT or is_url(file) else str(Path(file).resolve())
    given: list[object] = [[resolve_model(m) for m in model], place or text, text_field, id_field, precision]
    skipped: Counter[str] = Counter()
    alone, texts = True, iter([Text("text", text or "")])
    if file:
        files = input_files(file)
        first = next(files)
        alone = not first.name and first.format == "text"
        texts = read_files(chain([first], files), fields=Fields(id_field, text_field), skipped=skipped)
    taggers = load_taggers(model)
    linking = open_linking(link, model, taggers, registry) if link else None
    answers = Answers(question, taggers, linking, many=file is not None)
    given += [*([linking.key] if linking else []), *([said] if said else []), *(["redacted"] if redact else [])]
    if out:
        _write(Output(Path(out), answers.run, json.dumps(given)), texts, answers)
    else:
        for tagged in answers(texts):
            if not alone:
                sys.stdout.write(jsonl.FORMAT.document(tagged, answers.run))
            elif as_json:
                print_json(entity_records(tagged, answers.run))
            else:
                _print_entities(tagged, answers.run)
    _print_skipped(skipped)
    _print_hidden(answers.hidden, redact)


def _check_there(file: str | None) -> None:
    """See that a file or folder is there.

    Raises:
        ZooError: It is not.
    """
    from zoo.tagging.inputs import STANDARD_INPUT

    if file and file != STANDARD_INPUT and not is_url(file) and not Path(file).exists():
        raise ZooError("there is no such file or folder", where=file)


def _on_cluster(
    question: Question, file: str | None, out: str | None, registry: Path | None, address: str | None,
    workers: int | None, cutting: Cutting,
) -> None:  # fmt: skip
    """Tag on the workers of a Ray cluster, into a folder of shards."""
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from zoo.scale.answers import Remote
    from zoo.scale.ray_data import Outcome, tag_shards
    from zoo.scale.shards import Folder
    from zoo.tagging.inputs import STANDARD_INPUT, input_files

    if file is None or file == STANDARD_INPUT or out is None:
        raise ZooError("--engine ray tags files into a folder", fix="--file PATH --out FOLDER")
    _check_there(file)
    files = list(input_files(file if is_url(file) else str(Path(file).resolve())))
    _, settings = open_registry(registry)
    remote, folder = Remote.of(question, settings), Folder.of(out)
    columns = (SpinnerColumn(), TextColumn("documents"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(outcome: Outcome) -> None:
            bar.update(task, completed=outcome.documents)

        outcome = tag_shards(files, remote, cutting, folder, address=address, workers=workers, progress=show)
    if outcome.before:
        print_step(f"{outcome.before:,} documents were tagged before")
    _print_written(outcome.documents, out, outcome.made_whole, question.language is not None and not folder.assertions)
    _print_skipped(outcome.skipped)
    _print_hidden(outcome.hidden, question.redact)


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


def _write(output: Output, texts: Iterator[Text], answers: Answers) -> None:
    """Write all documents that are not in the output yet."""
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
    _print_written(output.documents, output.path, output.made_whole, output.leaves_out_assertions)


def _print_written(documents: int, place: str | Path, made_whole: int, leaves_out_assertions: bool) -> None:
    print_line(f"{documents:,} documents tagged: {place}", wrap=False)
    if made_whole:
        print_step(f"{made_whole:,} discontinuous mentions are written whole: the format has no parts")
    if leaves_out_assertions:
        print_step("assertions and sections are not written: the format has no place for them")


def _print_skipped(skipped: Counter[str]) -> None:
    for what, number in skipped.items():
        print_step(f"skipped: {number:,} times {what}")
