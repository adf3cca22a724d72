"""What strangers get: the quickstart zoo pushed to a Hub on loopback, then loaded by transformers and peft alone.

    python benchmarks/hub_roundtrip.py [--out builds] [--others "transformers==4.57.* peft==0.18.*" ...]

builds `--suite quickstart` (what is built already is not built again), pushes it twice, and then, in processes that do
not have `zoo` and start with an empty `HF_HOME`, loads every adapter by its id through `pipeline`,
`AutoModelForTokenClassification` and `AutoPeftModelForTokenClassification`, puts all four on one loaded base, and does
it again offline. Entities and logits are compared with those of the adapters on disk, loaded here. `--others` does the
same in a new virtual environment for each set of versions. Writes `benchmarks/results/hub_roundtrip.{json,md}`; exit
code 1: other entities, or logits that differ at all here or by more than rounding there.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.loopback_hub import WRITER, LoopbackHub, loopback_hub

RESULTS = Path(__file__).parent / "results"
HERE = "this environment"
ROUNDING = 1e-4
NAMES = ("sample-disease", "sample-chemical", "sample-gene", "sample-species")
TEXTS = (
    "She was treated for type 2 diabetes and chronic kidney disease.",
    "Metformin was stopped, and BRCA1 was sequenced in mice and in Escherichia coli.",
    "No fever. Aspirin 100 mg daily for coronary artery disease; TP53 and EGFR wild type.",
)
PLAIN = """
import json, sys
import peft, torch, transformers
from peft import AutoPeftModelForTokenClassification, PeftModel
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

models, base_id, texts = json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])


def logits(model, tokenizer):
    with torch.inference_mode():
        return [model(**tokenizer(text, return_tensors="pt")).logits.tolist() for text in texts]


found = {}
for name, model in models.items():
    ner = pipeline("token-classification", model, aggregation_strategy="simple")
    found[name] = {
        "entities": [[[int(e["start"]), int(e["end"]), e["entity_group"]] for e in ner(text)] for text in texts],
        "pipeline": logits(ner.model, ner.tokenizer),
        "AutoModel": logits(AutoModelForTokenClassification.from_pretrained(model).eval(), ner.tokenizer),
        "AutoPeftModel": logits(AutoPeftModelForTokenClassification.from_pretrained(model).eval(), ner.tokenizer),
    }
base = AutoModelForTokenClassification.from_pretrained(base_id)
tokenizer = AutoTokenizer.from_pretrained(base_id)
names = list(models)
together = PeftModel.from_pretrained(base, models[names[0]], adapter_name=names[0])
for name in names[1:]:
    together.load_adapter(models[name], adapter_name=name)
together.eval()
for name in reversed(names):
    together.set_adapter(name)
    found[name]["all on one base"] = logits(together, tokenizer)
assert "zoo" not in sys.modules
versions = {"transformers": transformers.__version__, "peft": peft.__version__, "torch": torch.__version__}
print(json.dumps({"versions": versions, "found": found}))
"""


def main() -> None:
    """Push, load, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("builds"))
    parser.add_argument("--others", nargs="*", default=[], help="requirements of a further environment, each")
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    with tempfile.TemporaryDirectory() as folder, loopback_hub() as hub:
        runs = _round_trips(hub, out, Path(folder), arguments.others)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "hub_roundtrip.json").write_text(json.dumps(runs, indent=1) + "\n")
    (RESULTS / "hub_roundtrip.md").write_text(_table(runs))
    sys.stdout.write(_table(runs))
    sys.exit(0 if all(_agrees(load) for load in runs["loads"]) else 1)


def _agrees(load: dict[str, Any]) -> bool:
    allowed = 0.0 if load["environment"] == HERE else ROUNDING
    return load["max_logit_difference"] <= allowed and load["same_entities"] and load["entities"] > 0


def _round_trips(hub: LoopbackHub, out: Path, folder: Path, others: Sequence[str]) -> dict[str, Any]:
    online = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": WRITER, "HF_HOME": str(folder / "pusher")}
    push = ["-m", "zoo", "build", "--all", "--suite", "quickstart", "--out", str(out), "--push", "--json"]
    first = json.loads(_run([sys.executable, *push], {"ZOO_COUNTRY": "DEU", **online}))
    hub.requests.clear()
    again = json.loads(_run([sys.executable, *push], {"ZOO_COUNTRY": "DEU", **online}))
    bases = {
        json.loads(path.read_text())["base_repo_id"] for path in out.glob("checkpoints/minilm-l6/sample-*/result.json")
    }
    (base,) = bases  # of all four
    remote = {name: f"openmed/minilm-l6-{name}" for name in NAMES}
    local = {name: str(out / "checkpoints/minilm-l6" / name / "adapter") for name in NAMES}
    pythons = {HERE: sys.executable}
    for number, requirements in enumerate(others, 1):
        venv.create(folder / f"venv-{number}", with_pip=True)
        python = pythons[requirements] = str(folder / f"venv-{number}/bin/python")
        _run([python, "-m", "pip", "install", "--quiet", "torch<2.14", *requirements.split()], {})
    on_disk = str(out / "bases" / base.split("/")[1].replace("-ner", ""))
    here = _plain(sys.executable, local, on_disk, {"HF_HUB_OFFLINE": "1"})
    loads = []
    for name, python in pythons.items():
        home = {"HF_HOME": str(folder / f"home-{len(loads)}")}
        for how, env in (("by Hub id, empty cache", {"HF_ENDPOINT": hub.url}), ("offline", {"HF_HUB_OFFLINE": "1"})):
            there = _plain(python, remote, base, {**home, **env})
            loads.append({"environment": name, "how": how, "versions": there["versions"], **_compare(here, there)})
    return {
        "command": shlex.join(["python", "benchmarks/hub_roundtrip.py", *(["--others", *others] if others else [])]),
        "pushed": [{key: item[key] for key in ("subject", "status", "verified")} for item in first["published"]],
        "pushed_again": [item["status"] for item in again["published"]],
        "writes_of_second_push": len(hub.asked("^(PUT|POST|DELETE)")),
        "loads": loads,
    }


def _plain(python: str, models: dict[str, str], base: str, env: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        _run([python, "-c", PLAIN, json.dumps(models), base, json.dumps(TEXTS)], env).splitlines()[-1]
    )
    return found


def _run(command: list[str], env: dict[str, str]) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_", "PYTHONPATH"))}
    done = subprocess.run(command, env={**clean, **env}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command[:6])} ...: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def _compare(here: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Largest difference of any logit from the adapter on disk, over adapters, ways to load, texts and tokens.

    Those of types that no training has seen, far below all others, are compared too.
    """
    import numpy as np

    differences = [
        float(np.abs(np.asarray(a) - np.asarray(b)).max())
        for name in NAMES
        for how in ("pipeline", "AutoModel", "AutoPeftModel", "all on one base")
        for a, b in zip(here["found"][name]["pipeline"], there["found"][name][how], strict=True)
    ]
    return {
        "max_logit_difference": max(differences),
        "same_entities": all(here["found"][name]["entities"] == there["found"][name]["entities"] for name in NAMES),
        "entities": sum(len(found) for name in NAMES for found in there["found"][name]["entities"]),
    }


def _table(runs: dict[str, Any]) -> str:
    verified = [item for item in runs["pushed"] if item["verified"]]
    lines = [
        "# From the Hub, with transformers and peft alone",
        "",
        f"`{runs['command']}`: {len(runs['pushed'])} repositories pushed to a Hub on loopback, {len(verified)} of them",
        f"verified from it; the second push made {runs['writes_of_second_push']} writing requests. Four adapters on",
        f"{len(TEXTS)} texts; `pipeline`, `AutoModelForTokenClassification`, `AutoPeftModelForTokenClassification` and",
        "all four on one loaded base, against the adapters on disk.",
        "",
        "| environment | versions | loaded | largest logit difference | same entities |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {load['environment']} | {', '.join(f'{k} {v}' for k, v in load['versions'].items())} | {load['how']} "
        f"| {load['max_logit_difference']} | {'yes' if load['same_entities'] else 'NO'} ({load['entities']}) |"
        for load in runs["loads"]
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
