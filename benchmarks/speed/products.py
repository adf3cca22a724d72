"""Products of an encoder's layers as PyTorch and as oneDNN compute them: which of the two `zoo tag` should take.

    python benchmarks/speed/products.py [--hidden 384] [--rows 1024]

One thread each, as `zoo tag` gives every core a batch of its own. A product is `x W' + bias`; where the layer has a
GELU after it, it is measured with one, within oneDNN's product and after PyTorch's.

Writes `benchmarks/results/{amx,no-amx}/products.{json,md}`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from shared import results_folder

from zoo.evaluation.latency import processor_name
from zoo.modeling.device import has_bfloat16

REPEATS = 50


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--results", type=Path, default=results_folder())
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = arguments.hidden
    shapes = {
        "query, key, value": (size, 3 * size, False),
        "attention's output": (size, size, False),
        "up, with GELU": (size, 4 * size, True),
        "down": (4 * size, size, False),
    }
    formats = [torch.float32, *([torch.bfloat16] if has_bfloat16() else [])]
    rows = []
    for dtype in formats:
        for name, (inputs, outputs, gelu) in shapes.items():
            flop = 2 * arguments.rows * inputs * outputs
            speeds = _measured(arguments.rows, inputs, outputs, gelu=gelu, dtype=dtype)
            rows.append(
                {"product": name, "format": str(dtype).removeprefix("torch.")}
                | {way: flop / seconds for way, seconds in speeds.items()}
            )
    _write(arguments, rows)


@torch.inference_mode()
def _measured(rows: int, inputs: int, outputs: int, *, gelu: bool, dtype: torch.dtype) -> dict[str, float]:
    """Median seconds of either, in turn."""
    ops = torch.ops.mkldnn
    x, weight, bias = (torch.randn(shape).to(dtype) for shape in ((rows, inputs), (outputs, inputs), (outputs,)))
    ready, packed = weight.t().contiguous(), ops._reorder_linear_weight(weight)
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "PyTorch": lambda: torch.addmm(bias, x, ready),
        "oneDNN": lambda: ops._linear_pointwise(x, packed, bias, "gelu" if gelu else "none", [], "none"),
    }
    if gelu:
        ways["PyTorch"] = lambda: torch.nn.functional.gelu(torch.addmm(bias, x, ready))
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(REPEATS + 3):
        for way, compute in ways.items():
            started = time.perf_counter()
            compute()
            if number >= 3:
                seconds[way].append(time.perf_counter() - started)
    return {way: statistics.median(each) for way, each in seconds.items()}


def _write(arguments: argparse.Namespace, rows: list[dict[str, object]]) -> None:
    command = f"python benchmarks/speed/products.py --hidden {arguments.hidden} --rows {arguments.rows}"
    data = {"command": command, "processor": processor_name(), "repeats": REPEATS, "flop_per_second": rows}
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "products.json").write_text(json.dumps(data, indent=1) + "\n")
    lines = [
        "# Products of a layer",
        "",
        f"`{command}`: {processor_name()} ({torch.backends.cpu.get_cpu_capability()}), one thread, medians of "
        f"{REPEATS}; GFLOP/s, those of the GELU not counted.",
        "",
        "| product | format | PyTorch | oneDNN |",
        "|---|---|---|---|",
    ]
    for row in rows:
        speeds = [f"{float(str(row[way])) / 1e9:.0f}" for way in ("PyTorch", "oneDNN")]
        lines.append(f"| {row['product']} | {row['format']} | {' | '.join(speeds)} |")
    (arguments.results / "products.md").write_text("\n".join([*lines, ""]))
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
