"""The artefact store: whole or not at all, one maker a stage, machines that share no disk."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import uuid
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from zoo.energy import Energy
from zoo.pipeline.store import ARTEFACT_FILE, RESUME, Store, differences, is_free, note_energy, spent_energy

KEY = {"code": 1, "recipe": {"epochs": 3}}
PRINT = "0123456789abcdef" * 4
_SPAWN = multiprocessing.get_context("spawn")


def make(store: Store, fingerprint: str = PRINT, kind: str = "train") -> Path:
    """Do a stage: a file, a folder with a file, something to go on from."""
    work = store.work_folder(kind, fingerprint)
    (work / "adapter").mkdir()
    (work / "adapter" / "weights").write_bytes(b"w" * 1000)
    (work / "training.json").write_text("{}")
    (work / RESUME / "snapshot").write_text("half way")
    store.finish(work, kind, "tiny/notes", fingerprint, KEY)
    return store.folder(kind, fingerprint)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


WHOLE = {ARTEFACT_FILE, "adapter/weights", "training.json"}


def test_who_may_read_an_artefact_may_read_its_weights(tmp_path: Path) -> None:
    store = Store(tmp_path / "artefacts")
    work = store.work_folder("train", PRINT)
    (work / "adapter").mkdir()
    (work / "adapter" / "adapter_config.json").write_text("{}")
    save_file({"a": torch.zeros(2)}, work / "adapter" / "adapter_model.safetensors")
    store.finish(work, "train", "tiny/notes", PRINT, KEY)
    adapter = store.get("train", PRINT) / "adapter"
    modes = {path.stat().st_mode for path in adapter.iterdir()}
    assert len(list(adapter.iterdir())) == 2 and len(modes) == 1


def test_an_artefact_appears_whole_at_the_end(tmp_path: Path) -> None:
    store = Store(tmp_path / "artefacts")
    work = store.work_folder("train", PRINT)
    (work / "training.json").write_text("{}")
    (work / ARTEFACT_FILE).write_text("{}")  # all is written, and yet it is not done
    assert not store.has("train", PRINT)
    assert not list(store.artefacts())
    with pytest.raises(FileNotFoundError, match="no artefact train 0123456789ab"):
        store.get("train", PRINT)

    folder = make(store)
    assert store.has("train", PRINT)
    assert files(store.get("train", PRINT)) == WHOLE
    known = store.read("train", PRINT)
    assert (known.kind, known.name, known.fingerprint, known.key) == ("train", "tiny/notes", PRINT, KEY)
    assert [path for path, _ in store.artefacts()] == [folder]
    assert not list((store.root / ".work").iterdir())
    assert not store.has("evaluate", PRINT), "another kind"


def test_what_a_killed_run_left_is_swept_but_for_what_to_go_on_from(tmp_path: Path) -> None:
    store = Store(tmp_path)
    work = store.work_folder("train", PRINT)
    (work / RESUME / "snapshot").write_text("epoch 3")
    (work / "adapter").mkdir()
    (work / "adapter" / "weights").write_text("hal")
    (work / f".{ARTEFACT_FILE}.123.tmp").write_text("{")
    again = store.work_folder("train", PRINT)
    assert again == work
    assert files(again) == {f"{RESUME}/snapshot"}
    assert (again / RESUME / "snapshot").read_text() == "epoch 3"
    other = store.work_folder("train", "f" * 64)
    assert not files(other), "of another stage"


def _killed_while_finishing(root: Path, deaths_after: int) -> None:
    """Make an artefact and die of `kill -9` after so many changes of the tree of folders in `Store.finish`."""
    finish, changes = Store.finish, 0

    def counted(function: Any) -> Any:
        def change(*arguments: Any, **options: Any) -> Any:
            nonlocal changes
            if changes == deaths_after:
                os.kill(os.getpid(), signal.SIGKILL)
            changes += 1
            return function(*arguments, **options)

        return change

    def armed(*arguments: Any) -> Any:
        Path.rename = counted(Path.rename)  # type: ignore[method-assign]
        Path.replace = counted(Path.replace)  # type: ignore[method-assign]
        shutil.rmtree = counted(shutil.rmtree)
        return finish(*arguments)

    Store.finish = armed  # type: ignore[method-assign]
    make(Store(root))


@pytest.mark.parametrize("deaths_after", [0, 1, 2, 3])
def test_killed_while_it_is_made_an_artefact_is_there_whole_or_not_at_all(deaths_after: int, tmp_path: Path) -> None:
    process = _SPAWN.Process(target=_killed_while_finishing, args=(tmp_path, deaths_after))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    store = Store(tmp_path)
    assert store.has("train", PRINT) == (deaths_after == 3)
    if not store.has("train", PRINT):
        make(store)
    assert files(store.get("train", PRINT)) == WHOLE
    store.remove(store.folder("train", PRINT))
    assert not store.has("train", PRINT)


def _ask(root: Path, waits: Event, pipe: Connection[Any, Any]) -> None:
    """What a build does for a stage: the first to come works until the other one waits."""
    store = Store(root)

    def now_waits() -> None:
        waits.set()

    pipe.send("asks")
    with store.lock("train", PRINT, on_wait=now_waits):
        if store.has("train", PRINT):
            pipe.send("took it")
            return
        if not waits.wait(60):
            pipe.send("nobody waits")
            return
        make(store)
        pipe.send("made it")


def test_of_two_processes_one_makes_a_stage_and_the_other_waits_and_takes_it(tmp_path: Path) -> None:
    waits = _SPAWN.Event()
    pipes, processes = [], []
    for _ in range(2):
        here, there = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_ask, args=(tmp_path, waits, there))
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    said = [[pipe.recv(), pipe.recv()] for pipe in pipes]
    for process in processes:
        process.join()
    assert sorted(said) == [["asks", "made it"], ["asks", "took it"]]
    assert files(Store(tmp_path).get("train", PRINT)) == WHOLE


def _hold(root: Path, pipe: Connection[Any, Any]) -> None:
    with Store(root).lock("train", PRINT):
        pipe.send("holds it")
        pipe.recv()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    here, there = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_hold, args=(tmp_path, there))
    process.start()
    assert here.recv() == "holds it"
    (lock,) = (tmp_path / ".locks").iterdir()
    assert not is_free(lock)
    process.kill()
    process.join()
    assert is_free(lock)
    waited = []
    with Store(tmp_path).lock("train", PRINT, on_wait=lambda: waited.append(True)):
        assert not waited


@pytest.fixture(params=["file", "memory"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"file://{tmp_path}/shared/" if request.param == "file" else f"memory://{uuid.uuid4().hex}"


def test_machines_without_a_common_disk_share_artefacts(remote: str, tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one", remote), Store(tmp_path / "two", remote)
    assert not two.has("train", PRINT)
    make(one)
    assert two.has("train", PRINT)
    assert not (tmp_path / "two" / "train").exists(), "nothing is fetched before it is needed"
    with two.lock("train", PRINT):  # as a stage that finds that another machine has just done it
        folder = two.get("train", PRINT)
    assert folder.is_relative_to(tmp_path / "two")
    assert files(folder) == WHOLE
    assert two.read("train", PRINT) == one.read("train", PRINT)
    assert not list((tmp_path / "two" / ".work").iterdir())

    one.discard("train", PRINT)
    assert not one.has("train", PRINT)
    assert not Store(tmp_path / "three", remote).has("train", PRINT)


def test_an_artefact_that_did_not_get_through_is_nowhere_done(
    remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Store(tmp_path / "one", remote)
    system, _ = one._remote("train", PRINT)
    put, sent = type(system).put_file, []

    def breaks(self: Any, here: str, there: str, **options: Any) -> None:
        if sent:
            raise ConnectionError("the network is gone")
        sent.append(there)
        put(self, here, there, **options)

    monkeypatch.setattr(type(system), "put_file", breaks)
    with pytest.raises(ConnectionError):
        make(one)
    assert sent, "a file is there already"
    for store in (one, Store(tmp_path / "two", remote)):
        assert not store.has("train", PRINT)
    assert (one.work_folder("train", PRINT) / RESUME / "snapshot").is_file(), "it cannot be gone on from"
    monkeypatch.undo()
    make(one)
    assert files(Store(tmp_path / "two", remote).get("train", PRINT)) == WHOLE


def test_a_half_fetched_artefact_is_fetched_again(remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(Store(tmp_path / "one", remote))
    two = Store(tmp_path / "two", remote)
    system, _ = two._remote("train", PRINT)
    get, fetched = type(system).get_file, []

    def breaks(self: Any, there: str, here: str, **options: Any) -> None:
        if fetched:
            raise ConnectionError("the network is gone")
        fetched.append(there)
        get(self, there, here, **options)

    monkeypatch.setattr(type(system), "get_file", breaks)
    with pytest.raises(ConnectionError):
        two.get("train", PRINT)
    assert not list(two.artefacts())
    monkeypatch.undo()
    assert files(two.get("train", PRINT)) == WHOLE


def test_discarding_forgets_what_was_begun_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    make(store)
    (store.work_folder("train", PRINT) / RESUME / "snapshot").write_text("old")
    (store.work_folder("tune", PRINT) / RESUME / "snapshot").write_text("of another stage")
    store.discard("train", PRINT)
    assert not store.has("train", PRINT)
    assert files(store.root / ".work") == {f"tune-{PRINT[:32]}/{RESUME}/snapshot"}
    store.discard("train", PRINT)  # once more: nothing to do


def test_a_removal_that_was_killed_does_not_stand_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    folder = make(store)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda path: None)  # dead before it deletes
        store.remove(folder)
    assert not store.has("train", PRINT)
    store.remove(make(store))
    assert not store.has("train", PRINT)


def test_a_store_knows_whether_a_build_works_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not store.is_in_use()
    with store.in_use(), store.in_use():
        assert Store(tmp_path).is_in_use()
    assert not store.is_in_use()
    assert not list((tmp_path / ".locks").iterdir())


def energy(seconds: float) -> Energy:
    return Energy(
        energy_wh=seconds / 100,
        emissions_g=seconds / 200,
        seconds=seconds,
        country="DEU",
        method="guessed",
        hardware="abacus",
        components_wh={"cpu": seconds / 100},
    )


def test_energy_of_killed_runs_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    work = store.work_folder("train", PRINT)
    note_energy(work, "first", energy(10))
    note_energy(work, "first", energy(30))  # a later note of the same run
    work = store.work_folder("train", PRINT)  # it was killed
    note_energy(work, "second", energy(12))
    assert sorted(each.seconds for each in spent_energy(work)) == [12, 30]
    artefact = store.finish(work, "train", "tiny/notes", PRINT, KEY)
    assert artefact.seconds == 42
    assert artefact.energy is not None
    assert artefact.energy.energy_wh == pytest.approx(0.42)


def test_differences_name_fields_and_not_their_order() -> None:
    old = {"a": 1, "recipe": {"epochs": 3, "rate": 0.1}, "types": ["A", "B"], "gone": None, "old": 2}
    assert differences(old, dict(reversed(old.items()))) == []
    new = {"a": 1, "recipe": {"epochs": 4, "rate": 0.1, "rank": 2}, "types": ["B", "A"], "new": None}
    assert differences(old, new) == ["recipe.epochs", "recipe.rank", "types", "gone", "old", "new"]
