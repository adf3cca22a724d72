"""`zoo tag --engine ray` on a real Ray cluster of this machine: the answers of a single run, whatever happens."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow
import pytest
from pyarrow import parquet

from tests.conftest import TINY_SENTENCES
from tests.in_process import Zoo
from tests.scale.test_page import BUILT, PAGE
from tests.tagging.test_inputs import PUBMED
from zoo.scale.answers import Question, Remote
from zoo.scale.ray_data import Outcome, tag_shards
from zoo.scale.shards import Cutting, Folder
from zoo.settings import Settings
from zoo.tagging.inputs import Fields, input_files

ray = pytest.importorskip("ray")
TEXTS = [f"{text} {number}" for number in range(10) for text, _ in TINY_SENTENCES]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - as Ray has it; other tests share the cores
    ray.init(num_cpus=2, object_store_memory=80 << 20, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of every kind."""
    folder = tmp_path_factory.mktemp("notes")
    lines = [json.dumps({"id": number, "text": text}) for number, text in enumerate(TEXTS)]
    (folder / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    parquet.write_table(pyarrow.table({"id": ["x", "y"], "text": [TEXTS[0], None]}), folder / "b.parquet")
    (folder / "c.csv").write_text(f"id,text\n1,{TEXTS[1]}\n")
    (folder / "d.xml").write_text(PUBMED)
    for number in range(3):
        (folder / f"e{number}.txt").write_text(TEXTS[number])
    return folder


def joined(folder: Path, suffix: str = ".jsonl") -> str:
    return "".join(path.read_text() for path in sorted(folder.glob(f"part-*{suffix}")))


def test_the_answers_are_those_of_one_run_and_only_what_is_missing_is_done_again(
    cluster: Any, models: list[str], notes: Path, zoo: Zoo, tmp_path: Path
) -> None:
    given = ["tag", *(part for model in models for part in ("--model", model)), "--file", notes, "--assertion"]
    given += ["--language", "en", "--redact"]
    zoo(*given, "--out", "alone.jsonl")
    on_ray = [*given, "--out", "shards", "--engine", "ray", "--workers", "1", "--shard", "8"]
    first = zoo(*on_ray)
    folder = tmp_path / "shards"
    alone = (tmp_path / "alone.jsonl").read_text()
    assert alone.count('"start"') > 100 and joined(folder) == alone
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["documents"] == 66 and manifest["skipped"] == {"record without a text": 1}
    assert "66 documents tagged" in first.stdout and "1 times record without a text" in first.stderr

    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert "66 documents were tagged before" in zoo(*on_ray).stderr
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    gone = "part-000000-000003.jsonl"
    (folder / gone).unlink()
    (folder / "manifest.json").write_text(json.dumps({**manifest, "documents": None}))
    assert "58 documents were tagged before" in zoo(*on_ray).stderr
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {gone, "manifest.json"}
    assert joined(folder) == alone

    refused = zoo(*on_ray, "--precision", "float32", check=2)
    assert 'another run, with precision "auto"; now it is "float32"' in refused.stderr
    (notes / "e0.txt").write_text("another text")
    assert "another run, with input" in zoo(*on_ray, check=2).stderr


def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    cluster: Any, models: list[str], zoo: Zoo, tmp_path: Path
) -> None:
    lines = [json.dumps({"text": text}) for text in TEXTS * 4]
    (tmp_path / "many.jsonl").write_text("\n".join(lines))
    zoo("tag", "--model", models[0], "--file", "many.jsonl", "--out", "alone.jsonl")
    killed: list[int] = []

    def kill(outcome: Outcome) -> None:
        if not killed:
            found = [process for process in psutil.process_iter(["cmdline"]) if _is_worker(process)]
            os.kill(found[0].pid, signal.SIGKILL)
            killed.append(found[0].pid)

    remote = Remote.of(Question((models[0],)), Settings())
    folder = Folder.of(str(tmp_path / "shards"))
    files = list(input_files(f"file://{tmp_path}/many*"))
    outcome = tag_shards(files, remote, Cutting(Fields(), 10), folder, workers=2, progress=kill)
    assert killed and outcome.documents == 240 and outcome.before == 0
    assert joined(tmp_path / "shards").replace("many.jsonl#", "") == (tmp_path / "alone.jsonl").read_text()
    assert len(list((tmp_path / "shards").iterdir())) == 25, "nothing half written is left"


def _is_worker(process: psutil.Process) -> bool:
    return any("MapWorker" in part for part in process.info["cmdline"] or ())


def test_what_is_wrong_is_said_with_its_place(cluster: Any, models: list[str], zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "x"}\n{"text": 7}\n')
    given = ["tag", "--model", models[0], "--engine", "ray", "--workers", "1", "--file", "bad.jsonl"]
    refused = zoo(*given, "--out", "found.csv", check=2)
    assert "the line has no text field" in refused.stderr and "bad.jsonl:2" in refused.stderr
    assert json.loads((tmp_path / "found.csv" / "manifest.json").read_text())["documents"] is None
    (tmp_path / "bad.jsonl").write_text('{"text": "x"}\n')
    assert "another run, with input" in zoo(*given, "--out", "found.csv", check=2).stderr
    assert "not empty" in zoo(*given, "--out", ".", check=2).stderr
    assert "no format" in zoo(*given, "--out", "found.docx", check=2).stderr
    assert "no such file" in zoo(*given[:-1], "nothing", "--out", "x", check=2).stderr
    assert "into a folder" in zoo(*given, check=2).stderr
    assert "--engine ray" in zoo(*given[:3], "--file", "bad.jsonl", "--workers", "2", check=2).stderr


def test_the_commands_of_the_page(cluster: Any, models: list[str], zoo: Zoo, tmp_path: Path) -> None:
    """The second of them finds all done and asks no cluster."""
    shutil.copytree(models[1], tmp_path / BUILT / "adapter")
    (tmp_path / "notes").mkdir()
    for number, (text, _) in enumerate(TINY_SENTENCES):
        (tmp_path / "notes" / f"{number}.txt").write_text(text)
    (block,) = (each for each in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "zoo tag" in each)
    _, first, second, together = block.strip().splitlines()
    for command, word in ((first, "6 documents tagged: found"), (second, "6 documents tagged: found")):
        assert word in zoo(*shlex.split(command)[1:]).stdout
    subprocess.run(["bash", "-ec", together], check=True, cwd=tmp_path)
    zoo("tag", "--model", BUILT, "--file", "notes/", "--out", "alone.jsonl")
    assert (tmp_path / "found.jsonl").read_text() == (tmp_path / "alone.jsonl").read_text() != ""
