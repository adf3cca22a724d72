"""All benchmarks of speed, one after another.

    ZOO_CORPORA=DIR ZOO_PASSAGES=DIR python benchmarks/speed/all.py BUILDS --texts FILE_OR_FOLDER [--quick]

BUILDS is the output folder of `zoo build`: `minilm-l6/ncbi-disease` in it is what tagging is measured with. A script
that fails does not keep the others from running; the exit status is then 1. With `--quick` everything runs on a handful
of texts, to see that it runs: figures mean nothing, and go to `results/quick` unless `--results` says
where. `--only` takes some of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--model", default="minilm-l6/ncbi-disease", help="checkpoint in BUILDS that tags")
    parser.add_argument("--together", nargs="*", default=[], metavar="MODEL", help="adapters on upper layers alone")
    parser.add_argument("--only", nargs="*", choices=list(_scripts("", "", [], quick=True)))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    model = (arguments.builds / "checkpoints" / arguments.model).resolve()
    if not (model / "adapter").is_dir():
        parser.error(f"there is no adapter in {model}: zoo build {arguments.model} --out {arguments.builds}")
    results = arguments.results or (RESULTS / "quick" if arguments.quick else None)
    where = ["--results", str(results.resolve())] if results else []
    env = os.environ | {"ZOO_OUT": str(arguments.builds.resolve())}
    failed = []
    scripts = _scripts(str(model), str(arguments.texts.resolve()), arguments.together, quick=arguments.quick)
    for name, options in scripts.items():
        if arguments.only is not None and name not in arguments.only:
            continue
        sys.stderr.write(f"== {name}.py {' '.join(options)}\n")
        started = time.perf_counter()
        command = [sys.executable, str(HERE / f"{name}.py"), *options, *where]
        if subprocess.run(command, env=env).returncode:
            failed.append(name)
        sys.stderr.write(f"== {name}.py: {time.perf_counter() - started:.0f} s\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _scripts(model: str, texts: str, together: list[str], *, quick: bool) -> dict[str, list[str]]:
    """Name of each script -> its options, the short ones first."""
    if quick:
        return {
            "products": ["--rows", "64"],
            "dapt": ["--passages", "sample-passages", "--documents", "8", "--batch-size", "4", "--rounds", "1"],
            "peers": [model, "--texts", texts, "--documents", "4", "--rounds", "1"],
            "device": ["--corpora", "sample-disease", "--epochs", "1", "--sizes", "tiny", "--documents", "20"],
            "training": ["minilm-l6/sample-disease", "--documents", "20", "--rounds", "1"],
            "f1": ["minilm-l6/sample-disease", "--epochs", "1", "--seeds", "13"],
            "tagging": [model, "--texts", texts, "--documents", "8", "--rounds", "1"],
            "uncertain": [model, "--texts", texts, "--documents", "8"],
            "search": ["minilm-l6/sample-disease", "--trials", "2"],
        }
    return {
        "products": [],
        "dapt": [],
        "peers": [model, "--texts", texts],
        "tagging": [model, "--texts", texts, *(["--together", *together] if together else [])],
        "training": ["minilm-l6/ncbi-disease", "minilm-l6/bc5cdr"],
        "f1": [],
        "uncertain": [model, *together, "--texts", texts],
        "device": [],
        "search": [],
    }


if __name__ == "__main__":
    main()
