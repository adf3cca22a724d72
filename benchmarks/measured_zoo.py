r"""The zoo of real corpora: built over several sittings, kept as results alone, shown on the board that is shipped.

    export ZOO_CORPORA=DIR
    python benchmarks/measured_zoo.py build builds/zoo --backbones minilm-l6 --corpora cll ncbi-disease [--minutes 120]
    python benchmarks/measured_zoo.py keep builds/zoo       # what was built there otherwise
    python benchmarks/measured_zoo.py show

`build` trains by the recipes of the repository what is not kept yet (the table says how each was trained): the first
seed of every checkpoint, the smallest corpora first, then two more seeds of the corpora up to NCBI-Disease's size. Each
result goes to `benchmarks/results/zoo/seed-N/` at once (result, predictions packed, times where `zoo latency` measured
them), so that another machine goes on. `show` writes `leaderboard/board.json`, which the Space shows,
`benchmarks/results/zoo.md`, and the cards of the first seeds in `model_cards/`.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.board.rows import refresh_board
from zoo.cards.render import render_base_card, render_card
from zoo.errors import ZooError
from zoo.evaluation.latency import LATENCY_FILE
from zoo.evaluation.predictions import PREDICTIONS_FILE
from zoo.evaluation.result import RESULT_FILE, Result, find_results
from zoo.files import write_whole
from zoo.registry.loader import Registry, load_registry

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "benchmarks" / "results" / "zoo"
BACKBONES = ("minilm-l6", "multilingual-e5-small")
CORPORA = (
    *("cll", "bionlp2013-cg", "bc5cdr-disease", "bc5cdr-chem", "ncbi-disease", "species-800", "anatem", "bc5cdr"),
    *("pharmaconer", "linnaeus", "bc2gm", "jnlpba"),
)
"""By the number of training tokens, nearly; as many sentences as NCBI-Disease or fewer have three seeds."""
SMALL = frozenset({"cll", "bionlp2013-cg", "bc5cdr-disease", "bc5cdr-chem", "ncbi-disease"})
SEEDS = (13, 14, 15)


def main() -> None:
    """Build, keep or show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build")
    build.add_argument("out", type=Path)
    build.add_argument("--backbones", nargs="+", default=BACKBONES)
    build.add_argument("--corpora", nargs="+", default=CORPORA)
    build.add_argument("--set", nargs="*", default=[], metavar="PATH=VALUE", help="recipe, as of `zoo build`")
    build.add_argument("--minutes", type=float, help="begin nothing after so long")
    keep_ = actions.add_parser("keep")
    keep_.add_argument("out", type=Path, nargs="+")
    actions.add_parser("show")
    arguments = parser.parse_args()
    if arguments.action == "build":
        stop = time.monotonic() + 60 * arguments.minutes if arguments.minutes else None
        build_missing(arguments.out, list(wanted(arguments.backbones, arguments.corpora)), arguments.set, stop)
    elif arguments.action == "keep":
        for out in arguments.out:
            keep(out)
    show(load_registry())


def build_missing(out: Path, wanted: Sequence[tuple[str, int]], values: Sequence[str], stop: float | None) -> None:
    """Train what is not kept, one checkpoint after the other."""
    for name, seed in wanted:
        if (KEPT / f"seed-{seed}" / "checkpoints" / name / RESULT_FILE).is_file():
            continue
        if stop is not None and time.monotonic() > stop:
            sys.stdout.write(f"time is up before {name}, seed {seed}\n")
            return
        folder = out / f"seed-{seed}"
        # With `--jobs` above 1 energy is that of the training alone: other jobs run beside in some sittings.
        command = [sys.executable, "-m", "zoo", "build", name, "--out", str(folder), "--jobs", "2"]
        for value in (f"seed={seed}", *values):
            command += ["--set", value]
        if subprocess.run(command, cwd=ROOT, check=False).returncode == 0:
            keep(folder)


def wanted(backbones: Sequence[str], corpora: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Checkpoints and seeds in the order in which they are built."""
    ordered = sorted(corpora, key=lambda name: CORPORA.index(name) if name in CORPORA else len(CORPORA))
    for seed in SEEDS:
        for backbone in backbones:
            for corpus in ordered:
                if seed == SEEDS[0] or corpus in SMALL:
                    yield f"{backbone}/{corpus}", seed


def keep(out: Path) -> None:
    """Copy the results of an output folder of `zoo build`.

    Raises:
        ZooError: A checkpoint in it has several seeds.
    """
    for result in find_results(out):
        if len(result.seeds) > 1:
            raise ZooError(
                f"{result.checkpoint_id} has several seeds",
                where=out,
                fix="build each into its own folder, --set seed=N",
            )
        source = out / "checkpoints" / result.checkpoint_id
        place = KEPT / f"seed-{result.seeds[0]}" / "checkpoints" / result.checkpoint_id
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / RESULT_FILE, place)
        packed = gzip.compress((source / PREDICTIONS_FILE).read_bytes(), mtime=0)
        (place / f"{PREDICTIONS_FILE}.gz").write_bytes(packed)
        if (source / LATENCY_FILE).is_file():
            shutil.copy(source / LATENCY_FILE, place)


def show(registry: Registry) -> None:
    """Write board, table and cards from what is kept.

    Raises:
        ZooError: Nothing is kept.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folders = []
        for seed in sorted(KEPT.glob("seed-*")):
            folders.append(Path(scratch) / seed.name)
            shutil.copytree(seed, folders[-1])
            for packed in folders[-1].rglob("*.gz"):
                packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        if not folders:
            raise ZooError("no result is kept", where=KEPT, fix="build first")
        rows = refresh_board(folders[0], registry, folders[1:])
        shutil.copy(folders[0] / "board.json", ROOT / "leaderboard" / "board.json")
        first = {result.checkpoint_id: result for result in find_results(folders[0])}
        write_whole(KEPT.with_suffix(".md"), page(rows, first))
        for result in first.values():
            checkpoint = registry.checkpoint(result.checkpoint_id)
            cards = {
                result.repo_id: render_card(result, checkpoint, registry),
                result.base_repo_id: render_base_card(result, checkpoint.backbone, registry),
            }
            for repo_id, text in cards.items():
                write_whole(ROOT / "model_cards" / f"{repo_id.rpartition('/')[2]}.md", text)


def page(rows: Sequence[dict[str, Any]], first: Mapping[str, Result]) -> str:
    """The table, with the training of the first seed of each checkpoint."""
    lines = [
        "# The measured zoo",
        "",
        "Strict entity micro-F1 on the canonical test splits, in percent, without pre-training or search; two shared "
        "CPU cores. LoRA+ is the ratio of learning rates, 1 where there is none. Intervals are 95 % bootstraps over "
        "documents; with several seeds the mean and its standard deviation. Made by `python "
        "benchmarks/measured_zoo.py show` of what `... build` trained.",
        "",
        "| checkpoint | test F1 | 95 % interval | seeds | dev F1 | epochs | LoRA+ | trained | adapter MB | training s "
        "| Wh |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        finetune = first[row["checkpoint_id"]].recipe["finetune"]
        spread = f" ± {100 * row['test_micro_f1_std']:.2f}" if row["n_seeds"] > 1 else ""
        lines.append(
            f"| {row['checkpoint_id']} | **{100 * row['test_micro_f1']:.2f}**{spread} "
            f"| {100 * row['test_ci95_low']:.2f} to {100 * row['test_ci95_high']:.2f} | {row['n_seeds']} "
            f"| {100 * row['dev_micro_f1']:.2f} | {finetune['epochs']} | {finetune['loraplus_lr_ratio']:g} "
            f"| {100 * row['trained_share']:.2f} % "
            f"| {row['adapter_bytes'] / 1e6:.2f} | {row['train_seconds']:.0f} | {row['energy_wh']:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
