r"""Mentions found and linked, beside mentions found: what `zoo build` measured on corpora with concept ids.

    ZOO_CORPORA=DIR ZOO_ONTOLOGIES=DIR zoo build minilm-l6/ncbi-disease-abstracts minilm-l6/bc5cdr-abstracts --out OUT
    python benchmarks/linking/end_to_end.py OUT

writes `benchmarks/results/linking_end_to_end.{json,md}`. Strict: start, end, type and the whole set of ids must agree;
a mention that is annotated without an id is right where it was linked to none.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from zoo.evaluation.result import RESULT_FILE, load_result
from zoo.files import write_whole

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    rows = [_row(path) for path in sorted(parser.parse_args().out.glob(f"checkpoints/*/*/{RESULT_FILE}"))]
    found = [row for row in rows if row]
    write_whole(RESULTS / "linking_end_to_end.json", json.dumps(found, indent=1) + "\n")
    lines = [
        "# Linking, end to end on raw text",
        "",
        "Made by `zoo build` and `python benchmarks/linking/end_to_end.py` (its docstring says how): strict micro-F1",
        "on the test split in percent, with 95% bootstrap intervals over documents; gold: accuracy at 1 on the",
        "annotated mentions by BELB's rule. One seed; recipes as given.",
        "",
        "| checkpoint | vocabularies | recognition F1 | recognition and linking F1 | gold accuracy@1 | recipe |",
        "|" + "---|" * 6,
    ]
    lines += [
        f"| {row['checkpoint']} | {row['vocabularies']} "
        f"| {_with_interval(row['recognition'], row['recognition_ci95'])} "
        f"| **{_with_interval(row['f1'], row['ci95'])}** | {100 * row['gold']:.2f} | {row['recipe']} |"
        for row in found
    ]
    write_whole(RESULTS / "linking_end_to_end.md", "\n".join([*lines, ""]))


def _row(path: Path) -> dict[str, Any] | None:
    result = load_result(path)
    if result.linking is None or result.linking.end_to_end is None:
        return None
    whole = result.linking.end_to_end
    finetune, link = result.recipe["finetune"], result.recipe["link"]
    return {
        "checkpoint": result.checkpoint_id,
        "vocabularies": ", ".join(
            f"{type}: {used.id} ({used.version})" for type, used in result.linking.vocabularies.items()
        ),
        "recognition": whole.recognition_f1,
        "recognition_ci95": whole.recognition_ci95,
        "f1": whole.f1,
        "ci95": whole.ci95,
        "gold": result.linking.gold.belb.accuracy_at_1,
        "recipe": f"{finetune['epochs']} epochs, batches of {finetune['batch_size']}, "
        + ("with an encoder" if link["reranker"] else "without an encoder"),
    }


def _with_interval(share: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * share:.2f} ({100 * low:.2f} to {100 * high:.2f})"


if __name__ == "__main__":
    main()
