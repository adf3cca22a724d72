"""Builds from end to end: resumed, killed, stopped, side by side, failing in parts. Through the real command line."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builds import (
    KINDS,
    content,
    differences,
    environment,
    finished,
    made_again,
    stages_told,
    started,
    workers,
    write_registry,
)
from tests.sharing import shared_folder

IDS = ("tiny-bert/tiny", "tiny-bert/other")
KEPT = "stopped; finished stages are kept: the same command goes on from there\n"
Moment = Callable[[Path], bool]


@dataclass(frozen=True)
class Reference:
    """An undisturbed build; copied where a test changes something."""

    registry: Path
    out: Path
    output: str

    def copy(self, folder: Path, *, without: tuple[str, ...] = ()) -> Path:
        """A copy of the output folder, without the artefacts of some kinds and then without checkpoints."""
        out = folder / "out"
        shutil.copytree(self.out, out)
        for kind in without:
            shutil.rmtree(out / "artefacts" / kind)
        if without:
            shutil.rmtree(out / "checkpoints")
        return out


@pytest.fixture(scope="session")
def reference(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    def make(folder: Path) -> None:
        registry = write_registry(folder / "registry", tiny_registry / "models")
        (folder / "output.txt").write_text(build(registry, folder / "out", folder))

    folder = shared_folder(tmp_path_factory, "reference", make)
    registry, out, output = folder / "registry", folder / "out", (folder / "output.txt").read_text()
    assert {name.partition("/")[0] for name in finished(out)} == set(KINDS)
    assert len(finished(out)) == 7  # DAPT and base once for both; one search; two trained, two scored
    return Reference(registry, out, output)


def command(registry: Path, out: Path, *more: str, ids: tuple[str, ...] = IDS) -> list[object]:
    return ["build", *ids, "--registry", registry, "--out", out, *more]


def build(registry: Path, out: Path, folder: Path, *more: str, ids: tuple[str, ...] = IDS, exit_code: int = 0) -> str:
    """Run a build to its end and return what it printed."""
    with started(command(registry, out, *more, ids=ids), folder / "log.txt", cwd=folder) as running:
        assert running.wait() == exit_code, running.output
        assert "Traceback" not in running.output
        return running.output


def test_a_second_run_does_nothing_and_says_so(reference: Reference, tmp_path: Path, zoo: Any) -> None:
    before = finished(reference.out)
    output = build(reference.registry, reference.out, tmp_path)
    assert "2 of 2 checkpoints were up to date: nothing to do for them" in output
    assert not stages_told(output)
    assert finished(reference.out) == before
    plan = zoo("plan", *IDS, "--registry", reference.registry, "--out", reference.out)
    assert "everything is done; a build would do nothing" in plan.stdout


def test_a_changed_corpus_rebuilds_what_depends_on_it_and_gc_removes_the_rest(
    reference: Reference, tmp_path: Path, zoo: Any
) -> None:
    registry, out = tmp_path / "registry", reference.copy(tmp_path)
    shutil.copytree(reference.registry, registry)
    train = registry / "data-other" / "train.jsonl"
    train.write_text("".join(train.read_text().splitlines(keepends=True)[:-1]))
    before, untouched = finished(out), (out / "checkpoints" / IDS[0] / "result.json").stat()
    plan = zoo("plan", *IDS, "--registry", registry, "--out", out, "--json").stdout
    todo = {(s["kind"], s["name"]): s for s in json.loads(plan)["stages"] if s["state"] != "cached"}
    assert set(todo) == {("train", IDS[1]), ("evaluate", IDS[1])}
    assert todo["train", IDS[1]]["reason"] == "changed: splits.train"

    output = build(registry, out, tmp_path)
    new = set(finished(out)) - set(before)
    assert sorted(name.partition("/")[0] for name in new) == ["evaluate", "train"]
    assert not made_again(before, out)
    assert "1 of 2 checkpoints were up to date" in output
    assert (out / "checkpoints" / IDS[0] / "result.json").stat().st_ino == untouched.st_ino

    old = json.loads((reference.out / "checkpoints" / IDS[1] / "result.json").read_text())["fingerprints"]
    stale = {f"{kind}/{old[kind][:32]}" for kind in ("train", "evaluate")}
    would = json.loads(zoo("gc", "--dry-run", "--out", out, "--json").stdout)
    assert {"/".join(Path(item["path"]).parts[-2:]) for item in would} == stale
    assert set(finished(out)) == set(before) | new
    zoo("gc", "--out", out)
    assert set(finished(out)) == (set(before) | new) - stale
    assert not stages_told(build(registry, out, tmp_path))


def any_of(*patterns: str) -> Moment:
    """When a file of the output folder is there; later patterns are what comes of it, should it be gone again."""
    return lambda out: any(next(out.glob(pattern), None) for pattern in patterns)


MOMENTS: dict[str, Moment] = {
    "writing the adapter of DAPT": any_of("artefacts/.work/dapt-*/adapter", "artefacts/dapt/*"),
    "in the first trial": any_of("artefacts/.work/tune-*/resume/study/trial-0/*", "artefacts/tune/*"),
    "in the epochs of a training": lambda out: (
        any((folder / "resume" / "snapshot.safetensors").is_file() for folder in out.glob("artefacts/.work/train-*"))
        or len(list(out.glob("artefacts/train/*"))) == 2
    ),
    "scoring": any_of("artefacts/.work/evaluate-*/adapter", "artefacts/evaluate/*"),
}


def test_a_build_killed_at_four_moments_ends_as_if_undisturbed(reference: Reference, tmp_path: Path) -> None:
    """Each run goes on with what the killed one before left; `benchmarks/kills.py` kills at many more."""
    out = tmp_path / "out"
    done: dict[str, tuple[int, int]] = {}
    order = command(reference.registry, out)
    kills, trials_told = 0, ""
    for name, moment in MOMENTS.items():
        with started(order, tmp_path / "log.txt", cwd=tmp_path) as running:
            assert running.when(lambda moment=moment: moment(out)), f"never {name}:\n{running.output}"  # type: ignore[misc]
            running.kill()
            output = running.output
        kills += running.process.returncode == -signal.SIGKILL
        assert not made_again(done, out), name
        assert not {key.partition("/")[2][:12] for key in done} & set(stages_told(output)), name
        trials_told += output
        done = finished(out)
    assert kills >= 3, "the last may have come too late"
    output = build(reference.registry, out, tmp_path)
    assert (trials_told + output).count("trial 0: complete") == 1, "a finished trial ran again"
    assert not made_again(done, out)
    assert not {key.partition("/")[2][:12] for key in done} & set(stages_told(output))
    assert len(finished(out)) == 7
    assert differences(content(reference.out), content(out)) == []


def test_two_builds_at_once_share_the_work(reference: Reference, tmp_path: Path) -> None:
    out = reference.copy(tmp_path, without=("tune", "train", "evaluate"))
    before = finished(out)
    order = command(reference.registry, out)
    with (
        started(order, tmp_path / "one.txt", cwd=tmp_path) as one,
        started(order, tmp_path / "two.txt", cwd=tmp_path) as two,
    ):
        assert one.wait() == 0, one.output
        assert two.wait() == 0, two.output
        both = one.output + two.output
    assert "Traceback" not in both
    assert differences(content(reference.out), content(out)) == []
    assert not made_again(before, out)
    for line in ("trial 0: complete", "trial 1: complete", "epoch 1: loss"):  # of the search, and of the training
        assert both.count(line) == 1, both


def test_ctrl_c_and_sigterm_end_a_build_cleanly(reference: Reference, tmp_path: Path) -> None:
    """And `--overwrite` forgets the search, the trainings and the scores: they are what is stopped here."""
    out = reference.copy(tmp_path)
    before = finished(out)
    order = command(reference.registry, out)
    code, screen = in_terminal([*order, "--overwrite"], tmp_path, until="trial 0: complete", keys=b"\x03")
    assert code == 130, screen
    assert "Traceback" not in screen
    assert screen.count("stopped") == 1
    assert screen.endswith("\x1b[2K" + KEPT.replace("\n", "\r\n")), "the bar is still there"
    assert "\x1b[?25h" in screen, "the cursor is hidden"
    done = finished(out)
    assert done == {name: file for name, file in before.items() if name.startswith(("dapt/", "base/"))}
    with started(order, tmp_path / "log.txt", cwd=tmp_path) as running:
        assert running.when(lambda: "epoch 1: loss" in running.output), running.output
        os.killpg(running.process.pid, signal.SIGTERM)  # as a scheduler does: to every process of the job
        assert running.wait(timeout=10) == 143, running.output
        running.wait_for_all()
    assert running.output.endswith(KEPT)
    assert running.output.count("stopped") == 1
    assert "trial 0:" not in running.output, "a finished trial ran again"
    assert "Traceback" not in running.output
    assert "FAILED" not in running.output
    assert not made_again(done, out)
    again = {name for name, file in finished(out).items() if file != before[name]}
    assert {name.partition("/")[0] for name in again} == {"tune", "train", "evaluate"}, "of the first checkpoint"
    assert len(again) == 3
    assert not (out / "failures.json").exists()


def in_terminal(order: list[object], folder: Path, *, until: str, keys: bytes) -> tuple[int, str]:
    """Run `zoo` in a terminal of its own, type something as soon as a text is seen; exit code and screen."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execvpe(sys.executable, [sys.executable, "-m", "zoo", *map(str, order)], environment(TERM="xterm"))
    seen = b""
    typed = False
    try:
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            seen += piece
            if not typed and until.encode() in seen:
                os.write(terminal, keys)
                typed = True
        _, status = os.waitpid(process, 0)
    except BaseException:
        os.kill(process, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_other_commands_end_cleanly_too(number: signal.Signals, code: int, tmp_path: Path) -> None:
    (tmp_path / "registry" / "corpora").mkdir(parents=True)
    pipe = tmp_path / "registry" / "corpora" / "slow.yaml"
    os.mkfifo(pipe)
    with started(["list", "--registry", tmp_path / "registry"], tmp_path / "log.txt", cwd=tmp_path) as running:
        with pipe.open("wb"):  # opens when the command does, which then waits for what never comes
            running.process.send_signal(number)
            assert running.wait(timeout=10) == code
        assert running.output == "stopped\n"


def test_what_fails_leaves_the_others_untouched(reference: Reference, tmp_path: Path, zoo: Any) -> None:
    """One training loses its process, one diverges, the third is built."""
    registry, out = tmp_path / "registry", reference.copy(tmp_path, without=("tune", "train", "evaluate"))
    shutil.copytree(reference.registry, registry)
    with (registry / "recipes.yaml").open("a") as file:
        file.write('  - match: "tiny-electra/*"\n    set: {finetune.learning_rate: 1.0e+30}\n')
    ids = ("tiny-bert/other", "tiny-electra/other", "tiny-roberta/other")
    with started(command(registry, out, ids=ids), tmp_path / "log.txt", cwd=tmp_path) as running:
        assert running.when(lambda: "epoch 2: loss" in running.output), running.output
        (worker,) = workers(running)
        os.kill(worker, signal.SIGKILL)
        assert running.wait() == 1, running.output
        output = running.output
    assert "Traceback" not in output
    failures = {failure["checkpoint_id"]: failure for failure in json.loads((out / "failures.json").read_text())}
    assert set(failures) == set(ids[:2])
    assert "its process was killed (out of memory?)" in failures[ids[0]]["message"]
    assert "the loss became" in failures[ids[1]]["message"]
    assert "lower finetune.learning_rate" in failures[ids[1]]["message"]
    assert all(failure["traceback"] is None for failure in failures.values())
    assert [path.parts[-3:-1] for path in out.glob("checkpoints/*/*/result.json")] == [("tiny-roberta", "other")]
    plan = zoo("plan", ids[0], "--registry", registry, "--out", out, "--json").stdout
    assert {stage["kind"]: stage["state"] for stage in json.loads(plan)["stages"]} == {
        "dapt": "cached",
        "base": "cached",
        "train": "resume",
        "evaluate": "new",
    }
