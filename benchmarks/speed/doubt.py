"""How far bfloat16's logits are off, and whether `zoo tag --precision auto` allows for enough.

    python benchmarks/speed/doubt.py MODEL [MODEL ...] --texts FILE_OR_FOLDER [--documents 400]

All windows are computed in bfloat16 and in float32. Errors are those of the difference of a word's best two logits,
where that is under 2. `auto` takes the error that one near tie in a thousand exceeds, estimated from the tail, for what
bfloat16 may be off by, and computes again each window that could have other entities then: the table has the
estimate beside what was found, the share of windows it leaves open, and by how much bfloat16 would have to be off for
`auto` to notice the windows in which it does find other entities: where that is more than the estimate, it misses them.
Windows missed are estimated as half the windows that open per logit of further doubt, times the mean excess of errors
above the estimate (exponential: that above the 95th percentile), times the thousandth of ties that exceed it.

Writes `doubt.{json,md}` to `benchmarks/results/amx` or `no-amx`, or to `--results`.
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
from zoo.kernels.labelling import _RARE, Labelled, _errors, _is_open, _label, _likely_doubt
from zoo.kernels.packed import Format, pack
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.windows import Window, decode
from zoo.tagging.stream import stream_windows
from zoo.tagging.tagger import _PACKED_TOKENS, Tagger
from zoo.tagging.texts import Text, read_texts


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
        f"`python benchmarks/speed/doubt.py MODEL ... --documents {arguments.documents}`: {processor_name()}; "
        f"{len(texts):,} texts; errors in logits.",
        "",
        "| adapter | windows | near ties | root mean square | 99.9th percentile | estimate | largest | open windows "
        "| windows that differ | error to notice them | missed of 100,000 windows, estimate |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        errors = [f"{row[key]:.3f}" for key in ("root_mean_square", "percentile_999", "estimate", "largest")]
        last = [f"{100 * row['open']:.0f} %", row["differing"], f"{row['needed']:.2f}", f"{1e5 * row['missed']:.1f}"]
        cells = [row["model"], row["windows"], row["near_ties"], *errors, *last]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "doubt.json").write_text(json.dumps(rows, indent=1) + "\n")
    (arguments.results / "doubt.md").write_text("\n".join([*lines, ""]))
    sys.stdout.write("\n".join([*lines, ""]))


def _row(model: str, texts: list[Text]) -> dict[str, Any]:
    tagger = Tagger.load(model)
    windows = [window for text in texts for window in stream_windows(tagger, text.text)]

    def label(form: Format) -> dict[int, Labelled]:
        encoders = pack([(tagger.model, None)], form)
        return _label(encoders, windows, [set(range(len(windows)))], _PACKED_TOKENS, None)[0]

    def entities(number: int, found: dict[int, Labelled]) -> list[tuple[int, int, str]]:
        each = found[number]
        return [e.key for e in decode(windows[number], each.ids[:, 0], each.scores, tagger.labels)]

    rough, exact = label("bfloat16"), label("float32")
    errors = np.concatenate([_errors(rough[i], exact[i]) for i in range(len(windows))])
    estimate = _likely_doubt(errors)

    def share_open(doubt: float) -> float:
        return sum(_is_open(window, rough[i], doubt, tagger.labels) for i, window in enumerate(windows)) / len(windows)

    per_logit = (share_open(1.5 * estimate) - share_open(estimate)) / (0.5 * estimate)
    knee = np.quantile(errors, 0.95)
    differing = [i for i in range(len(windows)) if entities(i, rough) != entities(i, exact)]
    needed = [_needed(windows[i], rough[i], tagger.labels) for i in differing]
    return {
        "model": "/".join(Path(model).parts[-2:]),
        "windows": len(windows),
        "near_ties": len(errors),
        "root_mean_square": float(np.sqrt(np.square(errors).mean())),
        "percentile_999": float(np.quantile(errors, 1 - _RARE)),
        "estimate": estimate,
        "largest": float(errors.max()),
        "open": share_open(estimate),
        "missed": 0.5 * per_logit * float((errors[errors > knee] - knee).mean()) * _RARE,
        "differing": len(differing),
        "needed": max(needed, default=0.0),
    }


def _needed(window: Window, found: Labelled, names: list[str]) -> float:
    """The smallest error, in hundredths, with which a window counts as open."""
    return next(step / 100 for step in range(1000) if _is_open(window, found, step / 100, names))


if __name__ == "__main__":
    main()
