"""The commands that run a model: `zoo tag`, `zoo evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.options import (
    AsJson,
    CorpusArgument,
    MapOption,
    ModelArgument,
    RegistryOption,
    Split,
    SplitOption,
    load_tagger,
    open_corpus,
    open_registry,
    parse_renames,
)
from zoo.cli.output import print_json, print_table, score_cells
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.evaluation.scoring import SplitScore


def tag(
    model: Annotated[
        str, typer.Option("--model", metavar="DIR_OR_ID", help="Checkpoint folder, adapter, model folder or Hub id.")
    ],
    text: Annotated[str | None, typer.Argument(help="Text to tag.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="A UTF-8 text file, one document; - for standard input."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the entities of a text of any length; offsets are [start, end) in characters."""
    if (text is None) == (file is None):
        raise ZooError("give either a text or --file", fix='zoo tag --model DIR "text", or --file note.txt')
    content = text if text is not None else _read_text(file or Path("-"))
    entities = load_tagger(model).tag([content])[0]
    if as_json:
        print_json(
            [
                {
                    "start": e.start,
                    "end": e.end,
                    "type": e.type,
                    "text": content[e.start : e.end],
                    "score": round(e.score, 4),
                }
                for e in entities
            ]
        )
        return
    print_table(
        ["start", "end", "type", "text", "score"],
        [[str(e.start), str(e.end), e.type, content[e.start : e.end], f"{e.score:.3f}"] for e in entities],
    )


def evaluate(
    model: ModelArgument,
    corpus: CorpusArgument,
    split: SplitOption = Split.test,
    mapping: MapOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on a corpus: strict micro-F1 with a 95% document-bootstrap interval."""
    found, settings = open_registry(registry)
    entry = found.corpus(corpus)
    renames = parse_renames(mapping)
    documents = open_corpus(entry, found, settings).splits[split.value]
    from zoo.evaluation.scoring import rename_types, score_predictions, tag_documents

    predictions = rename_types(tag_documents(load_tagger(model), documents), renames)
    score = score_predictions(documents, predictions, samples=10_000)
    if as_json:
        print_json({"model": model, "corpus": corpus, "split": split.value, **score.model_dump(mode="json")})
    else:
        _print_score(score)


def _read_text(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ZooError(f"not UTF-8: byte {error.start}", where=path, fix="convert the file to UTF-8") from None
    except OSError as error:
        raise ZooError(f"cannot read the file: {error.strerror}", where=path) from None


def _print_score(score: SplitScore) -> None:
    rows = [["all", *score_cells(score.micro_f1, score.precision, score.recall, score.ci95), str(score.gold_mentions)]]
    rows += [
        [name, *score_cells(s.f1, s.precision, s.recall), str(s.gold_mentions)] for name, s in score.per_type.items()
    ]
    print_table(["type", "strict F1", "95% interval", "P", "R", "mentions"], rows)
