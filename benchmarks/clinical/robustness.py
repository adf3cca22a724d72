r"""What writing as in clinical notes costs in F1, without and with noise in training.

    zoo build minilm-l6/bc5cdr-disease --out builds/plain
    zoo build minilm-l6/bc5cdr-disease --out builds/noise --set finetune.noise=0.5
    python benchmarks/clinical/robustness.py builds/plain builds/noise

scores the checkpoints in these folders on the whole test split as it is and in each worse spelling of
`zoo.evaluation.robustness` (or in those that `--spellings` names), and writes
`benchmarks/results/clinical_robustness.json` and `.md`. `--dev` prints scores
on the dev split in the spellings of training, each operation alone: by these the share of noise is chosen, so that the
test's spellings stay unseen.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.corpora.document import Document
from zoo.corpora.edits import apply_edits
from zoo.evaluation.result import RESULT_FILE, Result, load_result
from zoo.evaluation.robustness import perturbations_for
from zoo.evaluation.scoring import gold_keys, tag_documents
from zoo.evaluation.spans import count_documents
from zoo.evaluation.statistics import f1
from zoo.files import write_whole
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.registry.loader import load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger
from zoo.training.noise import OPERATIONS

RESULTS = Path(__file__).parents[1] / "results"
SAMPLES = 2000
GOALS = {"abbreviations": 3.0, "typos": 2.5}
"""Points of F1 that a spelling may cost."""
Table = np.ndarray[Any, np.dtype[np.int64]]


def main() -> None:
    """Score what is asked for, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="+", help="output folders of zoo build, the one without noise first")
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--spellings", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    quiet_libraries()
    context = Context(load_registry(Settings.load().registry), Settings.load())
    plain: dict[str, Table] = {}
    rows: list[dict[str, Any]] = []
    for path in (path for out in arguments.out for path in sorted(out.glob(f"checkpoints/*/*/{RESULT_FILE}"))):
        result = load_result(path)
        entry = context.registry.corpora[result.corpus]
        tagger = Tagger.load(path.parent)
        if arguments.dev:
            scores = {}
            for name, documents in _as_trained(context.corpus(entry).splits["dev"], entry.language).items():
                scores[name] = 100 * float(f1(_counts(tagger, documents).sum(0)[None])[0])
            sys.stdout.write(f"{path.parent}\n" + "".join(f"  {n:12} {s:.2f}\n" for n, s in scores.items()))
            continue
        counts = {}
        texts: dict[str, Sequence[Document]] = {"original": context.corpus(entry).splits["test"]}
        for name, perturb in perturbations_for(entry.language).items():
            if arguments.spellings and name not in arguments.spellings:
                continue
            texts[name] = [perturb(document, 0).document for document in texts["original"]]
        for name, documents in texts.items():
            counts[name] = _counts(tagger, documents)
        if not _noise(result):
            plain[result.checkpoint_id] = counts["original"]
        rows.append(_row(result, counts, plain.get(result.checkpoint_id)))
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
    if rows:
        write_whole(RESULTS / "clinical_robustness.json", json.dumps(rows, indent=1) + "\n")
        write_whole(RESULTS / "clinical_robustness.md", _markdown(rows))


def _as_trained(documents: Sequence[Document], language: str) -> Mapping[str, Sequence[Document]]:
    """Documents in the spellings of training: each of an operation alone."""

    def spelled(operation: Callable[..., Any], document: Document) -> Document:
        return apply_edits(document, operation(document, random.Random(document.id), language)).document

    found = {operation.__name__: [spelled(operation, d) for d in documents] for operation in OPERATIONS}
    return {"original": documents, **found}


def _counts(tagger: Tagger, documents: Sequence[Document]) -> Table:
    """Rows of `(tp, fp, fn)`, shape [documents, 3]."""
    found = tag_documents(tagger, documents, precision="auto")
    counts = count_documents(gold_keys(documents), [[entity.key for entity in entities] for entities in found])
    return np.array([(c.tp, c.fp, c.fn) for c in counts], dtype=np.int64)


def _noise(result: Result) -> float:
    return float(result.recipe["finetune"].get("noise", 0.0))


def _row(result: Result, counts: Mapping[str, Table], plain: Table | None) -> dict[str, Any]:
    original = counts["original"]
    return {
        "checkpoint": result.checkpoint_id,
        "noise": _noise(result),
        "seed": result.recipe["seed"],
        "epochs": result.recipe["finetune"]["epochs"],
        "adapter": result.fingerprints["adapter"],
        "documents": len(original),
        "dev": 100 * result.scores.dev.micro_f1,
        "test": 100 * float(f1(original.sum(0)[None])[0]),
        "against_plain": None if plain is None else _difference(original, plain),
        "loss": {name: _difference(original, other) for name, other in counts.items() if name != "original"},
    }


def _difference(one: Table, other: Table) -> tuple[float, float, float]:
    """F1 of the first less that of the second in points, with its 95% interval: both on the same drawn documents."""
    rng, drawn = np.random.default_rng(0), []
    for _ in range(SAMPLES):
        times = np.bincount(rng.integers(0, len(one), len(one)), minlength=len(one))
        drawn.append(100 * float((f1((times @ one)[None]) - f1((times @ other)[None]))[0]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return 100 * float((f1(one.sum(0)[None]) - f1(other.sum(0)[None]))[0]), float(low), float(high)


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    spellings = list(rows[0]["loss"])
    lines = [
        "# Writing as in clinical notes",
        "",
        "Made by `python benchmarks/clinical/robustness.py` (its docstring says how). Strict micro-F1 on the whole",
        "test split, and how many points a worse spelling of the same text costs; in brackets 95% intervals of paired",
        "bootstrap over documents. What training mixes in (`finetune.noise`, `zoo/training/noise.py`) is other",
        "shorthand and other typing errors than the test has; shares that the table does not name were not",
        "tried. Goals: "
        + "; ".join(f"{name} cost at most {most} points" for name, most in GOALS.items())
        + "; clean text at most 0.3.",
        "",
        "| checkpoint | noise | epochs | seed | dev F1 | test F1 | against no noise | " + " | ".join(spellings) + " |",
        "|" + "---|" * (7 + len(spellings)),
    ]
    for row in rows:
        cells = [row["checkpoint"], row["noise"], row["epochs"], row["seed"]]
        cells += [f"{row['dev']:.2f}", f"{row['test']:.2f}"]
        cells.append(_shown(row["against_plain"], sign="+") if row["noise"] and row["against_plain"] else "")
        cells += [_shown(row["loss"][name]) for name in spellings]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _shown(difference: Sequence[float], sign: str = "") -> str:
    value, low, high = difference
    return f"{value:{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"


if __name__ == "__main__":
    main()
