"""`zoo board`: rank what was built."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.opening import nothing_built, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import percent, print_json, print_line, print_table, score_cells


def board(
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Output folder [ZOO_OUT; default: builds]. Give it again for builds with other seeds; "
            "the board is written into the first.",
        ),
    ] = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Rank what was built, corpus by corpus; writes board.json and board.csv."""
    from zoo.board.rows import refresh_board

    found, settings = open_registry(registry)
    folders = list(dict.fromkeys(out or [settings.out]))
    for folder in folders:
        if not (folder / "checkpoints").is_dir():
            raise nothing_built(folder)
    rows = refresh_board(folders[0], found, folders[1:])
    if as_json:
        print_json(rows)
        return
    ids = Counter(row["checkpoint_id"] for row in rows)
    splits = Counter(corpus for corpus, _ in {(row["corpus"], row["test_fingerprint"]) for row in rows})
    table = [
        [
            row["corpus"] + (f" (test {row['test_fingerprint'][:8]})" if splits[row["corpus"]] > 1 else ""),
            f"{row['rank']}{'=' if row['rank_shared_by'] > 1 else ''}",
            row["checkpoint_id"] + (f" (recipe {row['recipe'][:8]})" if ids[row["checkpoint_id"]] > 1 else ""),
            *score_cells(
                row["test_micro_f1"],
                row["test_precision"],
                row["test_recall"],
                (row["test_ci95_low"], row["test_ci95_high"]),
            ),
            f"{row['n_seeds']} (± {percent(row['test_micro_f1_std'])})" if row["n_seeds"] > 1 else "1",
            f"{row['adapter_bytes'] / 1e6:.2f}",
        ]
        for row in rows
    ]
    print_table(["corpus", "rank", "checkpoint", "test F1", "95% interval", "P", "R", "seeds", "adapter MB"], table)
    if any(row["rank_shared_by"] > 1 for row in rows):
        print_line("= : not separable at 95 % from the first of that rank")
    for corpus, share in {(row["corpus"], row["dropped_share"]) for row in rows if row["dropped_share"]}:
        print_line(f"{corpus}: {percent(share)} % of the annotated test mentions are not scored (overlap policy)")
    if any(row["n_seeds"] > 1 for row in rows):
        print_line("several seeds: means, ± the standard deviation of F1; the interval is over documents")
