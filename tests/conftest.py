"""Fixtures: the environment's real data where it is there, tiny models of every family, the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.in_process import Zoo, runner
from tests.sharing import shared_folder

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# A shell ignores SIGINT for what it starts with `&`, and a child inherits that: tests would send it in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.browser", "tests.publishing"]
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _the_same_environment() -> Iterator[None]:
    """`datasets.map(num_proc=...)` puts a copy in the place of `os.environ`; libraries go on with the first."""
    environ = os.environ
    yield
    os.environ = environ  # noqa: B003  (the object itself)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real corpora; tests on it are skipped where it is not."""
    folder = Path(os.environ.get("ZOO_TEST_DATA") or ROOT.parent / "shared")
    if not (folder / "corpora").is_dir():
        pytest.skip("no real corpora here (ZOO_TEST_DATA)")
    return folder


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """Run a `zoo` command in this process, in an empty folder."""
    return runner(tmp_path, monkeypatch)


@pytest.fixture
def zoo_process(tmp_path: Path) -> Zoo:
    """Run the real `zoo` command in a process of its own: for exit codes, pipes, start-up and what survives it."""

    def run(
        *args: object, check: int | None = 0, stdin: str | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")}
        clean |= {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", **env}
        command = [sys.executable, "-c", "from zoo.cli import main; main()", *map(str, args)]
        done = subprocess.run(
            command, cwd=tmp_path, env=clean, input=stdin, capture_output=True, text=True, timeout=300
        )
        if check is not None:
            assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


TINY_SENTENCES = [
    ("Patients with asthma took aspirin daily .", [(14, 20, "Disease"), (26, 33, "Chemical")]),
    ("The boy had severe migraine after ibuprofen .", [(19, 27, "Disease"), (34, 43, "Chemical")]),
    ("No diabetes was found .", [(3, 11, "Disease")]),
    ("Metformin and aspirin were stopped .", [(0, 9, "Chemical"), (14, 21, "Chemical")]),
    ("He sleeps well .", []),
    ("Chronic kidney disease worsened on ibuprofen .", [(0, 22, "Disease"), (35, 44, "Chemical")]),
]


def write_tiny_corpus(folder: Path, repeats: int = 6) -> None:
    """Write the sentences above as train, dev and test in JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        lines = []
        for index in range(repeats * len(TINY_SENTENCES)):
            text, spans = TINY_SENTENCES[index % len(TINY_SENTENCES)]
            items = [{"start": s, "end": e, "type": t} for s, e, t in spans]
            lines.append(json.dumps({"id": f"{split}-{index}", "text": text, "spans": items}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")


FAMILIES = ("bert", "electra", "deberta-v2", "roberta", "xlm-roberta", "modernbert")


@pytest.fixture(scope="session")
def tiny_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An overlay registry: a tiny backbone of every family, each with its own kind of tokenizer, and a tiny corpus."""
    return shared_folder(tmp_path_factory, "registry", write_tiny_registry)


def write_tiny_registry(registry: Path) -> None:
    """Write the registry of the fixture `tiny_registry`."""
    from tests.tiny import save_tiny_backbone

    for name in ("backbones", "corpora"):
        (registry / name).mkdir()
    for family in FAMILIES:
        save_tiny_backbone(family, registry / "models" / family)
        (registry / "backbones" / f"tiny-{family}.yaml").write_text(
            f"id: tiny-{family}\ntitle: Tiny\nfamily: {family}\npath: models/{family}\nparameters_million: 0.1\n"
            "window_tokens: 32\nstride_tokens: 8\n"
            "license: {spdx: CC0-1.0, source: made in the tests, publishable: true}\n"
        )
    write_tiny_corpus(registry / "data")
    (registry / "corpora" / "tiny.yaml").write_text(
        "id: tiny\ntitle: Tiny\ndescription: Six sentences.\nformat: jsonl\nunit: sentence\n"
        "types: {Disease: Disease, Chemical: Chemical}\n"
        "license: {spdx: CC0-1.0, source: made in the tests, publishable: true}\n"
        "sources: [{kind: bundled, path: data}]\n"
    )
    (registry / "recipes.yaml").write_text(
        'overrides:\n  - match: "tiny-*/*"\n'
        "    set: {lora.rank: 4, finetune.epochs: 30, finetune.batch_size: 4, finetune.learning_rate: 1.0e-2,"
        " finetune.patience: 30, finetune.join_sentences: 0.0, finetune.precision: float32}\n"
    )
