"""How far bfloat16's logits are off, and whether `zoo tag --precision auto` allows for enough.

    python benchmarks/speed/uncertain.py MODEL [MODEL ...] --texts FILE_OR_FOLDER [--documents 400]

All windows are computed in bfloat16 and in float32. Errors are those of the difference of a word's best two logits,
where that is under 2. `auto` takes the error that one near tie in a thousand exceeds, estimated from the tail, for what
bfloat16 may be off by, and computes again each window that could have other entities then: the table has the
estimate beside what was found, the share of uncertain windows, and by how much bfloat16 would have to be off for
`auto` to notice the windows in which it does find other entities: where that is more than the estimate, it misses them.
Windows missed are estimated as half the windows that become uncertain per logit of further error, times the mean
excess of errors above the estimate (exponential: that above the 95th percentile), times the thousandth of ties that
exceed it.

Writes `uncertain.{json,md}` to `benchmarks/results/amx` or `no-amx`, or to `--results`.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from shared import results_folder

from zoo.evaluation.latency import processor_name
from zoo.kernels.entities import RARE, is_uncertain, likely_error, logit_errors
from zoo.kernels.infer import Format, Labelled, Packable, label_windows, pack
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.windows import Window, decode
from zoo.tagging.engine import PACKED_TOKENS
from zoo.tagging.inputs import read_texts
from zoo.tagging.stream import stream_windows
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--results", type=Path, default=results_folder())
    arguments = parser.parse_args()
    quiet_libraries()
    texts = list(islice(read_texts(arguments.texts), arguments.documents))
    rows = [_row(model, texts) for model in arguments.models]
    lines = [
        "# What bfloat16 is off by",
        "",
        f"`python benchmarks/speed/uncertain.py MODEL ... --documents {arguments.documents}`: {processor_name()}; "
        f"{len(texts):,} texts; errors in logits.",
        "",
        "| adapter | windows | near ties | root mean square | 99.9th percentile | estimate | largest "
        "| uncertain windows | windows that differ | error to notice them | missed of 100,000 windows, estimate |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        errors = [f"{row[key]:.3f}" for key in ("root_mean_square", "percentile_999", "estimate", "largest")]
        last = [
            f"{100 * row['uncertain']:.0f} %",
            row["differing"],
            f"{row['needed']:.2f}",
            f"{1e5 * row['missed']:.1f}",
        ]
        cells = [row["model"], row["windows"], row["near_ties"], *errors, *last]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "uncertain.json").write_text(json.dumps(rows, indent=1) + "\n")
    (arguments.results / "uncertain.md").write_text("\n".join([*lines, ""]))
    sys.stdout.write("\n".join([*lines, ""]))


def _row(model: str, texts: list[Text]) -> dict[str, Any]:
    tagger = Tagger.load(model)
    windows = [window for text in texts for window in stream_windows(tagger, text.text)]

    def label(form: Format) -> dict[int, Labelled]:
        encoders = pack([Packable(tagger.model)], form)
        return label_windows(encoders, windows, [set(range(len(windows)))], PACKED_TOKENS, None)[0]

    def entities(number: int, found: dict[int, Labelled]) -> list[tuple[int, int, str]]:
        each = found[number]
        return [e.key for e in decode(windows[number], each.ids[:, 0], each.scores, tagger.labels)]

    rough, exact = label("bfloat16"), label("float32")
    errors = np.concatenate([logit_errors(rough[i], exact[i]) for i in range(len(windows))])
    estimate = likely_error(errors)

    def share_uncertain(error: float) -> float:
        return sum(is_uncertain(window, rough[i], error, tagger.labels) for i, window in enumerate(windows)) / len(
            windows
        )

    per_logit = (share_uncertain(1.5 * estimate) - share_uncertain(estimate)) / (0.5 * estimate)
    knee = np.quantile(errors, 0.95)
    differing = [i for i in range(len(windows)) if entities(i, rough) != entities(i, exact)]
    needed = [_needed(windows[i], rough[i], tagger.labels) for i in differing]
    return {
        "model": "/".join(Path(model).parts[-2:]),
        "windows": len(windows),
        "near_ties": len(errors),
        "root_mean_square": float(np.sqrt(np.square(errors).mean())),
        "percentile_999": float(np.quantile(errors, 1 - RARE)),
        "estimate": estimate,
        "largest": float(errors.max()),
        "uncertain": share_uncertain(estimate),
        "missed": 0.5 * per_logit * float((errors[errors > knee] - knee).mean()) * RARE,
        "differing": len(differing),
        "needed": max(needed, default=0.0),
    }


def _needed(window: Window, found: Labelled, names: list[str]) -> float:
    """The smallest error, in hundredths, with which a window counts as uncertain."""
    return next(step / 100 for step in range(1000) if is_uncertain(window, found, step / 100, names))


if __name__ == "__main__":
    main()
