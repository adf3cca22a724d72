"""Builds that are stopped, killed and compared; for the tests of builds and for `benchmarks/kills.py`.

Imports nothing of the zoo: it sees a build as a user does, through its command line and the files it leaves.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("dapt", "base", "tune", "train", "evaluate")
_POLL_SECONDS = 0.005
_LINE = re.compile(rf"^({'|'.join(KINDS)}) \S+ ([0-9a-f]{{12}}): (.*)$", re.MULTILINE)
_LICENSE = "license: {spdx: CC0-1.0, source: made in the tests, publishable: true}\n"
_WORDS = (
    "fever aspirin daily ward doctor cough migraine kidney chronic sleep ibuprofen stopped found severe took asthma "
    "patient boy diabetes with and the after before of"
)


def write_empty_models(folder: Path) -> None:
    """Folders that plans take for the backbones of `write_registry`; no model is in them."""
    for family in ("bert", "electra", "roberta"):
        (folder / family).mkdir(parents=True)
        (folder / family / "config.json").write_text("{}")
        (folder / family / "model.safetensors").write_bytes(family.encode())


def write_registry(folder: Path, models: Path) -> Path:
    """An overlay registry in which all kinds of stages occur and take a moment each.

    Checkpoints of `tiny-bert` have DAPT and share it; `tiny-bert/tiny` has a search of two trials, `tiny-bert/other` is
    trained with its recipe. `tiny-electra` and `tiny-roberta` have neither.

    Args:
        folder: Where to write.
        models: Folder with the backbones `bert`, `electra` and `roberta`.
    """
    from tests.conftest import write_tiny_corpus

    for name in ("backbones", "corpora", "passages", "models"):
        (folder / name).mkdir(parents=True)
    for family in ("bert", "electra", "roberta"):
        shutil.copytree(models / family, folder / "models" / family)
        (folder / "backbones" / f"tiny-{family}.yaml").write_text(
            f"id: tiny-{family}\ntitle: Tiny\nfamily: {family}\npath: models/{family}\nparameters_million: 0.1\n"
            f"window_tokens: 32\nstride_tokens: 8\n{_LICENSE}"
        )
    for number, corpus in enumerate(("tiny", "other")):
        write_tiny_corpus(folder / f"data-{corpus}", repeats=6 + number)
        (folder / "corpora" / f"{corpus}.yaml").write_text(
            f"id: {corpus}\ntitle: Tiny\ndescription: Six sentences.\nformat: jsonl\nunit: sentence\n"
            f"types: {{Disease: Disease, Chemical: Chemical}}\n{_LICENSE}"
            f"sources: [{{kind: bundled, path: data-{corpus}}}]\n"
        )
    rng = random.Random(0)
    lines = [json.dumps({"id": str(n), "text": " ".join(rng.choices(_WORDS.split(), k=40))}) + "\n" for n in range(40)]
    (folder / "texts").mkdir()
    (folder / "texts" / "passages.jsonl").write_text("".join(lines))
    (folder / "passages" / "tiny-passages.yaml").write_text(
        f"id: tiny-passages\ntitle: Tiny\n{_LICENSE}sources: [{{kind: bundled, path: texts}}]\n"
    )
    (folder / "recipes.yaml").write_text(
        "overrides:\n"
        '  - match: "tiny-*/*"\n'
        "    set: {lora.rank: 4, finetune.epochs: 8, finetune.batch_size: 4, finetune.learning_rate: 1.0e-2,"
        " finetune.patience: 8, finetune.precision: float32, evaluation.bootstrap_samples: 200}\n"
        '  - match: "*/other"\n'
        "    set: {finetune.epochs: 20, finetune.patience: 20}\n"
        '  - match: "tiny-bert/*"\n'
        "    set: {dapt.passages: [tiny-passages], dapt.test_sets: [tiny, other], dapt.epochs: 2, dapt.batch_size: 8,"
        " dapt.heldout_max: 5, dapt.precision: float32}\n"
        '  - match: "tiny-bert/tiny"\n'
        "    set: {tune.trials: 2, tune.confirm_top: 1,"
        " tune.space: {finetune.learning_rate: {low: 5.0e-3, high: 2.0e-2, log: true}}}\n"
    )
    return folder


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of the zoo, off the network."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")}
    return {**clean, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", **more}


@dataclass(frozen=True)
class Build:
    """A `zoo` command in a process group of its own, so that it can be killed with all its workers."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8")

    def wait(self, timeout: float = 600) -> int:
        """The exit code, once the command has ended by itself."""
        return self.process.wait(timeout)

    def when(self, moment: Callable[[], object]) -> bool:
        """Wait for something to be true; False if the command ended before it was."""
        while not moment():
            if self.process.poll() is not None:
                return bool(moment())
            time.sleep(_POLL_SECONDS)
        return True

    def kill(self) -> None:
        """`kill -9` of the command and of all its workers, and wait until they are gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.wait_for_all()

    def wait_for_all(self) -> None:
        """Wait until no process of the group is left."""
        while self.alive():
            time.sleep(_POLL_SECONDS)

    def alive(self) -> bool:
        """Whether a process of the group is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return any(state != "Z" for state in _states(self.process.pid))


def start(command: Sequence[object], log: Path, *, cwd: Path | None = None, **more: str) -> Build:
    """Start `zoo` with some arguments; what it prints on both streams goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "zoo", *map(str, command)],
            cwd=cwd,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Build(process, log)


@contextlib.contextmanager
def started(command: Sequence[object], log: Path, *, cwd: Path | None = None, **more: str) -> Iterator[Build]:
    """As `start`; nothing of it outlives the block."""
    build = start(command, log, cwd=cwd, **more)
    try:
        yield build
    finally:
        build.kill()


def finished(out: Path) -> dict[str, tuple[int, int]]:
    """Artefacts that are there, `kind/fingerprint` -> inode and time of change: one made again has others."""
    found = {}
    for path in (out / "artefacts").glob("[!.]*/*/artefact.json"):
        with contextlib.suppress(FileNotFoundError):  # removed since it was listed
            status = path.stat()
            found[f"{path.parent.parent.name}/{path.parent.name}"] = (status.st_ino, status.st_mtime_ns)
    return found


def in_work(out: Path) -> dict[str, bool]:
    """Stages begun and not finished, `kind/fingerprint` -> whether something of the artefact is written already."""
    found = {}
    for folder in sorted((out / "artefacts" / ".work").glob("*-*")):
        kind, _, fingerprint = folder.name.partition("-")
        if kind in KINDS:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # finished since it was listed
                found[f"{kind}/{fingerprint}"] = any(path.name != "resume" for path in folder.iterdir())
    return found


def stages_told(output: str) -> dict[str, list[str]]:
    """What a command has said of stages: first 12 digits of the fingerprint -> lines, without the stage's name."""
    told: dict[str, list[str]] = {}
    for _, fingerprint, text in _LINE.findall(output):
        told.setdefault(fingerprint, []).append(text)
    return told


def content(out: Path) -> dict[str, Any]:
    """All of an output folder that must come out the same however often its build was killed.

    Names of all visible files; scores, records and weights. Seconds, energy, dates and absolute paths are left out,
    and files that draw or tell them.
    """
    if not out.is_dir():
        return {}
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out)
        if path.is_dir() or any(part.startswith(".") for part in name.parts):
            continue
        if path.suffix in (".safetensors", ".jsonl"):
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.suffix == ".json" and path.name not in ("artefact.json", "board.json"):
            found[str(name)] = _timeless(json.loads(path.read_bytes()))
        else:
            found[str(name)] = None
    return found


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names of what two contents do not have in common."""
    return sorted(name for name in {*one, *other} if name not in one or name not in other or one[name] != other[name])


def made_again(before: Mapping[str, tuple[int, int]], out: Path) -> list[str]:
    """Artefacts that were finished then and are other files now, or gone."""
    after = finished(out)
    return sorted(name for name, file in before.items() if after.get(name) != file)


def workers(build: Build) -> list[int]:
    """Process ids of a command's workers: children of the process that they are forked from."""
    parents: dict[int, int] = {}
    servers: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line, fields = path.read_bytes(), (path.parent / "stat").read_text().rpartition(")")[2].split()
            parent, group = int(fields[1]), int(fields[2])
            if group == build.process.pid and b"forkserver" in line:
                parents[int(path.parent.name)] = parent
                servers |= {int(path.parent.name)} if parent == build.process.pid else set()
    return [process for process, parent in parents.items() if parent in servers]


_TIMES = re.compile(r"seconds$|^energy|^emissions|^created$|^base_model_name_or_path$|^adapter_bytes$")
"""Fields that differ from run to run, or with the folder (the size of an adapter counts the path of its base)."""


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if not _TIMES.search(name)}
    if not isinstance(value, list):
        return value
    # PEFT writes sets of module names, in any order
    return sorted(value) if value and all(isinstance(each, str) for each in value) else [*map(_timeless, value)]


def _states(group: int) -> list[str]:
    """States of the processes of a group, as /proc has them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                found.append(fields[0])
    return found
