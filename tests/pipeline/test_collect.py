"""`zoo gc`: what nothing refers to goes, everything else stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import records
from zoo.cli import app
from zoo.errors import ZooError
from zoo.modeling.adapters import BASE_INFO
from zoo.pipeline.collect import find_garbage, remove
from zoo.pipeline.context import Context
from zoo.pipeline.store import RESUME
from zoo.registry.loader import load_registry
from zoo.settings import Settings

KINDS = ("dapt", "base", "tune", "train", "evaluate")
USED = {kind: f"{number}" * 64 for number, kind in enumerate(KINDS)}
STALE = {kind: f"{number}{'f' * 63}" for number, kind in enumerate(KINDS)}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A checkpoint on five artefacts, and five that it stood on before."""
    context = Context(load_registry(), Settings(out=tmp_path / "out"))
    for artefacts in (STALE, USED):
        for kind, fingerprint in artefacts.items():
            work = context.store.work_folder(kind, fingerprint)
            (work / "weights").write_bytes(b"w" * 500)
            context.store.finish(work, kind, "tiny-bert/notes", fingerprint, {})
    folder = context.layout.checkpoint("tiny-bert", "notes")
    folder.mkdir(parents=True)
    records.result(fingerprints={**records.FINGERPRINTS, **USED}).save(folder)
    return context


def left(context: Context) -> set[str]:
    return {artefact.fingerprint for _, artefact in context.store.artefacts()}


def everything(context: Context) -> set[Path]:
    return {path for path in context.settings.out.rglob("*") if ".locks" not in path.parts}


def test_only_what_no_checkpoint_refers_to_is_removed(context: Context) -> None:
    garbage = find_garbage(context)
    assert {item.path for item in garbage} == {context.store.folder(*item) for item in STALE.items()}
    assert all(item.size_bytes > 500 for item in garbage)
    assert any(item.what.startswith("train of tiny-bert/notes, ") for item in garbage)
    for item in garbage:
        remove(item, context)
    assert left(context) == set(USED.values())
    assert not list((context.store.root / ".work").iterdir())
    assert not find_garbage(context)


def test_a_base_that_no_checkpoint_stands_on_goes(context: Context) -> None:
    for name, fingerprint in (("tiny-bert", USED["base"]), ("tiny-bert-ffffffff", STALE["base"]), ("own", None)):
        folder = context.layout.base(name)
        folder.mkdir(parents=True)
        info = {"fingerprint": fingerprint} if fingerprint else {}
        (folder / BASE_INFO).write_text(json.dumps(info))
    bases = [item for item in find_garbage(context) if item.path.parent.name == "bases"]
    assert [(item.path.name, item.what) for item in bases] == [
        ("tiny-bert-ffffffff", "base that no checkpoint stands on")
    ]
    for item in bases:
        remove(item, context)
    assert sorted(path.name for path in context.settings.out.glob("bases/*")) == ["own", "tiny-bert"]


def test_what_is_asked_to_be_kept_is_kept(context: Context) -> None:
    garbage = find_garbage(context, keep=[STALE["base"]])
    assert context.store.folder("base", STALE["base"]) not in {item.path for item in garbage}
    assert len(garbage) == len(STALE) - 1


def test_what_killed_builds_left_is_removed(context: Context) -> None:
    out, store = context.settings.out, context.store
    (store.work_folder("train", "a" * 64) / RESUME / "snapshot").write_text("x")
    for folder in (out / "checkpoints" / "tiny-bert" / ".notes-x1y2", out / "bases" / ".tiny-bert-old-12"):
        folder.mkdir(parents=True)
        (folder / "README.md").write_text("half")
    (out / "bases" / "tiny-bert").mkdir()
    for path in (store.root / ".work" / "removed-0123", out / "checkpoints" / "tiny-bert" / ".notes-dead"):
        path.mkdir()
    (out / ".board.json.123.tmp").write_text("[")
    before = everything(context)
    for item in find_garbage(context):
        remove(item, context)
    assert left(context) == set(USED.values())
    gone = {path.name for path in before - everything(context)}
    assert {".notes-x1y2", ".notes-dead", ".tiny-bert-old-12", "removed-0123", ".board.json.123.tmp"} < gone
    assert (out / "bases" / "tiny-bert").is_dir()
    assert (out / "checkpoints" / "tiny-bert" / "notes" / "result.json").is_file()
    assert not list((store.root / ".work").iterdir())


def test_a_stage_that_is_being_made_stays(context: Context) -> None:
    work = context.store.work_folder("train", "a" * 64)
    with context.store.lock("train", "a" * 64):
        assert work not in {item.path for item in find_garbage(context)}
    assert work in {item.path for item in find_garbage(context)}


def test_while_a_build_runs_nothing_is_removed(context: Context) -> None:
    """What it has finished belongs to no checkpoint yet."""
    with context.store.in_use(), pytest.raises(ZooError, match="a build is running here"):
        find_garbage(context)
    assert find_garbage(context)


def test_dry_run_only_says(context: Context) -> None:
    out = str(context.settings.out)
    before = everything(context)
    done = CliRunner().invoke(app, ["gc", "--dry-run", "--out", out])
    assert done.exit_code == 0, done.output
    assert "5 folders would be removed" in done.output
    shown = json.loads(CliRunner().invoke(app, ["gc", "--dry-run", "--out", out, "--json"]).stdout)
    assert {Path(item["path"]).parent.name for item in shown} == set(KINDS)
    assert everything(context) == before
    done = CliRunner().invoke(app, ["gc", "--out", out])
    assert done.exit_code == 0, done.output
    assert "5 folders removed" in done.output
    assert left(context) == set(USED.values())
    assert "0 folders removed" in CliRunner().invoke(app, ["gc", "--out", out]).output
