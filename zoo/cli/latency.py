"""The command that times models: `zoo latency`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import load_tagger, nothing_built, open_corpus, open_registry
from zoo.cli.options import AsJson, OutOption, RegistryOption
from zoo.cli.output import print_json, print_line, print_step, print_table, write_file
from zoo.errors import ZooError, did_you_mean

if TYPE_CHECKING:
    from zoo.evaluation.result import Result


def latency(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Built checkpoints, backbone/corpus [default: all].")
    ] = None,
    out: OutOption = None,
    documents: Annotated[
        int, typer.Option("--documents", min=1, help="So many documents of the test split, the first ones.")
    ] = 50,
    repeats: Annotated[int, typer.Option("--repeats", min=5, help="Passes over them; the median counts.")] = 5,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of torch.")] = 1,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Time built checkpoints on the CPU of this machine; the board shows milliseconds per 1,000 words.

    Writes latency.json beside each result.json. Run it on an idle machine, and all models of a board on the same one.
    """
    found, settings = open_registry(registry)
    folder = out or settings.out
    chosen = _chosen(ids or [], folder)
    entries = {result.corpus: found.corpus(result.corpus) for _, result in chosen}
    from zoo.evaluation.latency import LATENCY_FILE, measure_latency

    texts: dict[str, list[str]] = {}
    rows = []
    for place, result in chosen:
        if result.corpus not in texts:
            corpus = open_corpus(entries[result.corpus], found, settings)
            texts[result.corpus] = [document.text for document in corpus.splits["test"][:documents]]
        print_step(f"{result.checkpoint_id}: {len(texts[result.corpus])} documents, {repeats} times")
        measured = measure_latency(load_tagger(str(place)), texts[result.corpus], repeats=repeats, threads=threads)
        write_file(place / LATENCY_FILE, measured.to_json())
        rows.append({"checkpoint_id": result.checkpoint_id, **measured.model_dump(mode="json")})
    if as_json:
        print_json(rows)
        return
    print_table(
        ["checkpoint", "ms per 1,000 words", "fastest to slowest", "words", "documents"],
        [
            [
                row["checkpoint_id"],
                f"{row['ms_per_1000_words']:.0f}",
                " to ".join(f"{value:.0f}" for value in row["ms_per_1000_words_range"]),
                f"{row['words']:,}",
                f"{row['documents']:,}",
            ]
            for row in rows
        ],
    )
    print_line(
        f"on {rows[0]['processor']}, threads: {threads}; `zoo board --out {folder}` takes it onto the board", wrap=False
    )


def _chosen(ids: list[str], out: Path) -> list[tuple[Path, Result]]:
    """Folders and records of the checkpoints with these ids, all of none.

    Raises:
        ZooError: Nothing was built there, or not one of these, or a record is damaged.
    """
    from zoo.evaluation.result import find_result_files, load_result

    files = {f"{path.parent.parent.name}/{path.parent.name}": path for path in find_result_files(out)}
    if not files:
        raise nothing_built(out)
    for name in ids:
        if name not in files:
            raise ZooError(
                f"{name!r} was not built here", where=out, fix=f"{did_you_mean(name, files)}; or zoo build {name}"
            )
    return [(files[name].parent, load_result(files[name])) for name in dict.fromkeys(ids or files)]
