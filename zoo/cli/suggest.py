"""`zoo suggest`: which documents to annotate next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.opening import load_taggers, open_corpus, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import console, print_json, print_line, print_step, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.modeling.windows import Entity
    from zoo.tagging.tagger import Tagger
    from zoo.tagging.texts import Tagged, Text
    from zoo.tagging.uncertainty import Unsure

TABLE_FILE = "suggestions.tsv"
_COLUMNS = ["rank", "id", "score", "entities", "in doubt"]
_SHOWN = 5
"""Words named as the reason for a document."""


def suggest(
    model: Annotated[
        list[str],
        typer.Option("--model", metavar="DIR_OR_ID", help="Checkpoint folder, adapter, model folder or Hub id."),
    ],
    file: Annotated[
        Path,
        typer.Option("--file", metavar="PATH", help="Documents to choose from, as zoo tag reads them."),
    ],
    count: Annotated[int, typer.Option("--count", min=1, help="Documents to choose.")] = 20,
    annotated: Annotated[
        list[str] | None,
        typer.Option(
            "--annotated",
            metavar="PATH_OR_CORPUS",
            help="What is annotated already, a folder of corrections, a file or a corpus: left out, and what is chosen "
            "is unlike it.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="Write them with the entities found: a new folder for BRAT, or .jsonl as zoo corpora add reads it.",
        ),
    ] = None,
    text_field: Annotated[str, typer.Option("--text-field", help="Field or column of the text.")] = "text",
    id_field: Annotated[str, typer.Option("--id-field", help="Field or column of the id.")] = "id",
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Choose the documents that are worth annotating next: those the models are unsure of, unlike each other."""
    import numpy as np

    from zoo.modeling.windows import join_heads
    from zoo.tagging import suggestion
    from zoo.tagging.inputs import Fields, read_texts
    from zoo.tagging.stream import tag_stream

    _check_out(out)
    if not file.exists():
        raise ZooError("there is no such file or folder", where=file)
    known = {text.text: text for name in annotated or () for text in _annotated(name, registry)}
    skipped: Counter[str] = Counter()
    fresh = {text.text: text for text in read_texts(file, fields=Fields(id_field, text_field), skipped=skipped)}
    wanted = [text for text in fresh.values() if text.text.strip() and text.text not in known]
    if not wanted:
        raise ZooError("every document is annotated already, or empty", where=file, fix="give others with --file")
    taggers = load_taggers(model)
    read = list(_read(taggers, wanted))
    embeddings = np.stack([unsure.embedding for unsure in read])
    done = [unsure.embedding for unsure in _read(taggers, known.values())]
    uncertainty = np.array([unsure.uncertainty for unsure in read])
    found = suggestion.suggest(uncertainty, embeddings, count, annotated=np.stack(done) if done else None)
    chosen = [read[index] for index, _ in found]
    tagged = [
        replace(each, entities=(join_heads(each.entities),))
        for each in tag_stream(taggers, [unsure.text for unsure in chosen])
    ]
    rows = [
        {
            "rank": rank,
            "id": unsure.text.id,
            "text": unsure.text.text,
            "spans": [_span(entity) for entity in each.entities[0]],
            "score": round(score, 4),
            "uncertainty": round(unsure.uncertainty, 4),
            "doubts": _doubts(unsure),
        }
        for rank, (unsure, (_, score), each) in enumerate(zip(chosen, found, tagged, strict=True), start=1)
    ]
    if out:
        _write(out, rows, tagged)
    if as_json:
        print_json(rows)
        return
    print_table(_COLUMNS, [_cells(row) for row in rows])
    for what, number in skipped.items():
        print_step(f"skipped: {number:,} times {what}")
    if len(rows) < count:
        print_step(f"{len(rows)} of {len(wanted):,}: the others are copies, or hold nothing like an entity")
    if out:
        print_line(f"{len(rows)} documents written: {out}", wrap=False)


def _check_out(out: Path | None) -> None:
    """See that the output is a new one of the two kinds, before any model is loaded."""
    if out is None:
        return
    if out.suffix not in ("", ".jsonl"):
        raise ZooError(f"no format is called {out.suffix!r}", where="--out", fix="name a folder, or a .jsonl file")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ZooError("it is there already", where=out, fix="name another with --out")


def _annotated(name: str, overlay: Path | None) -> Iterable[Text]:
    """Documents of a path, or of all splits of a corpus."""
    from zoo.tagging.inputs import read_texts
    from zoo.tagging.texts import Text

    if Path(name).exists():
        return read_texts(Path(name)) if _has_files(Path(name)) else ()
    registry, settings = open_registry(overlay)
    corpus = open_corpus(registry.corpus(name), registry, settings)
    return [Text(d.id, d.text) for documents in corpus.splits.values() for d in documents]


def _has_files(path: Path) -> bool:
    """Whether anything is there: before the first correction, their folder is empty."""
    return not path.is_dir() or any(path.iterdir())


def _read(taggers: Sequence[Tagger], texts: Iterable[Text]) -> Iterator[Unsure]:
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from zoo.tagging.uncertainty import read_unsure

    columns = (SpinnerColumn(), TextColumn("documents read"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        yield from bar.track(read_unsure(taggers, texts), total=None)


def _doubts(unsure: Unsure) -> list[dict[str, Any]]:
    """The words that the models doubt most, in order of their doubt."""
    most = sorted(unsure.doubts, key=lambda doubt: -doubt.probability)[:_SHOWN]
    text = unsure.text.text
    return [
        {"start": d.start, "end": d.end, "text": text[d.start : d.end], "wrong": round(d.probability, 3)} for d in most
    ]


def _span(entity: Entity) -> dict[str, Any]:
    parts = {"fragments": [list(part) for part in entity.fragments]} if entity.fragments else {}
    return {"start": entity.start, "end": entity.end, "type": entity.type, **parts}


def _cells(row: Mapping[str, Any]) -> list[str]:
    reason = ", ".join(f"{' '.join(doubt['text'].split())} {doubt['wrong']:.2f}" for doubt in row["doubts"])
    return [str(row["rank"]), " ".join(row["id"].split()), f"{row['score']:.3f}", str(len(row["spans"])), reason]


def _write(out: Path, rows: Sequence[Mapping[str, Any]], tagged: Sequence[Tagged]) -> None:
    """Write all documents or none."""
    from zoo.files import new_folder, write_whole
    from zoo.tagging.outputs.brat import FORMAT
    from zoo.tagging.outputs.format import Run

    try:
        if out.suffix:
            out.parent.mkdir(parents=True, exist_ok=True)
            write_whole(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
            return
        with new_folder(out) as folder:
            for document in tagged:
                for name, content in FORMAT.files(document, Run(["suggested"])).items():
                    if (folder / name).exists():
                        raise ZooError(
                            f"the id {document.text.id!r} comes twice",
                            where="--file",
                            fix="write .jsonl, or make ids unique",
                        )
                    write_whole(folder / name, content)
            table = ["\t".join(cells) + "\n" for cells in (_COLUMNS, *map(_cells, rows))]
            write_whole(folder / TABLE_FILE, "".join(table))
    except OSError as error:
        raise ZooError(
            f"cannot write it: {error.strerror or error}", where=out, fix="name another with --out"
        ) from None
