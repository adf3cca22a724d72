"""Whatever goes wrong, a push ends well or with one clear message, and no repository is left half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.hub.test_push import BASE, FIRST, SECOND, Publish, belongs_together
from tests.loopback_hub import WRITER, LoopbackHub
from tests.publishing import Waits
from zoo.hub.retry import asked_seconds

ALWAYS = 10_000
API = f"/api/models/{FIRST}"
COMMIT, LOOK, TREE, CREATE = f"{API}/commit/", f"{API}$", f"{API}/tree/", "/api/repos/create"
PREUPLOAD, BATCH, PUT, MANIFEST = f"{API}/preupload/", f"{FIRST}.git/info/lfs", "/__lfs/", f"{FIRST}/resolve/.*manifest"


@dataclass(frozen=True)
class Scenario:
    """One thing that goes wrong.

    Attributes:
        path: Requests that it happens to.
        fault: What happens; see `Fault`.
        says: Part of the message; None: the push goes well all the same.
        first: Whether the repository is new; else it holds an earlier state.
        waits: Seconds that must have been waited for.
    """

    name: str
    path: str
    fault: dict[str, Any]
    says: str | None = None
    first: bool = True
    waits: float | None = None
    hub: dict[str, Any] = field(default_factory=dict)


def _status(status: int, times: int = 1, **more: Any) -> dict[str, Any]:
    return {"status": status, "times": times, **more}


SCENARIOS = [
    Scenario("401 looking", LOOK, _status(401, ALWAYS), "does not accept the token"),
    Scenario("401 creating", CREATE, _status(401, ALWAYS), "does not accept the token"),
    Scenario("401 committing", COMMIT, _status(401, ALWAYS), "does not accept the token"),
    Scenario("402 committing", COMMIT, _status(402, ALWAYS), "paid for"),
    Scenario("403 looking", LOOK, _status(403, ALWAYS, message="gated"), "gated"),
    Scenario("403 creating", CREATE, _status(403, ALWAYS, message="no rights here", skip=1), "no rights here"),
    Scenario("403 uploading", BATCH, _status(403, ALWAYS), "does not allow it"),
    Scenario("403 committing", COMMIT, _status(403, ALWAYS), "does not allow it"),
    Scenario("404 preuploading", PREUPLOAD, _status(404, ALWAYS), "does not have it"),
    Scenario("404 committing", COMMIT, _status(404, ALWAYS), "does not have it"),
    Scenario("400 committing", COMMIT, _status(400, ALWAYS, message="bad path"), "bad path"),
    Scenario("408 committing", COMMIT, _status(408)),
    Scenario("409 committing once", COMMIT, _status(409)),
    Scenario("409 committing always", COMMIT, _status(409, ALWAYS), "conflict"),
    Scenario("412 committing once", COMMIT, _status(412), first=False),
    Scenario("412 committing always", COMMIT, _status(412, ALWAYS), "others keep committing", first=False),
    Scenario("413 uploading", PUT, _status(413, ALWAYS), "too large"),
    Scenario("429 committing", COMMIT, _status(429, 2)),
    Scenario("429 with Retry-After", COMMIT, _status(429, headers={"Retry-After": "77"}), waits=77),
    Scenario("429 looking, Retry-After", LOOK, _status(429, 2, headers={"Retry-After": "33"}), waits=33),
    Scenario("429 with RateLimit", CREATE, _status(429, skip=1, headers={"RateLimit": '"api";r=0;t=41'}), waits=42),
    Scenario("429 for two hours", COMMIT, _status(429, ALWAYS, headers={"Retry-After": "7200"}), "wait 120 min"),
    Scenario("429 always", COMMIT, _status(429, ALWAYS), "rate limit"),
    Scenario("500 looking", LOOK, _status(500, 3)),
    Scenario("500 creating", CREATE, _status(500, skip=1)),
    Scenario("500 after creating", CREATE, _status(500, skip=1, done=True)),
    Scenario("500 committing", COMMIT, _status(500, 2), first=False),
    Scenario("500 uploading", PUT, _status(500, 2)),
    Scenario("500 always", COMMIT, _status(500, ALWAYS), "in trouble (HTTP 500)"),
    Scenario("502 listing", TREE, _status(502, 2)),
    Scenario("503 with Retry-After", COMMIT, _status(503, headers={"Retry-After": "12"}), waits=12),
    Scenario("503 always", LOOK, _status(503, ALWAYS), "in trouble (HTTP 503)"),
    Scenario("504 after committing", COMMIT, _status(504, done=True)),
    Scenario("504 after updating", COMMIT, _status(504, done=True), first=False),
    Scenario("507 uploading", PUT, _status(507, ALWAYS), "storage on the Hub is full"),
    Scenario("the card is refused", "/api/validate-yaml", _status(400, ALWAYS, skip=1), "request wrong"),
    Scenario("no answer to the commit, once", COMMIT, {"stall": threading.Event()}),
    Scenario("no answer to the upload, once", PUT, {"stall": threading.Event(), "skip": 1}),
    Scenario("no answer to looking, ever", LOOK, {"stall": threading.Event(), "times": ALWAYS}, "connection"),
    Scenario("commit cut at its first byte", COMMIT, {"cut_request": 0}),
    Scenario("commit cut in the middle", COMMIT, {"cut_request": 3000}, first=False),
    Scenario("commit cut always", COMMIT, {"cut_request": 100, "times": ALWAYS}, "connection"),
    Scenario("upload cut at its first byte", PUT, {"cut_request": 0}),
    Scenario("upload cut in the middle", PUT, {"cut_request": 20_000, "times": 3}),
    Scenario("upload cut always", PUT, {"cut_request": 20_000, "times": ALWAYS, "skip": 1}, "connection"),
    Scenario("answer to the commit lost", COMMIT, {"done": True}, first=False),
    Scenario("answer to the commit cut", COMMIT, {"cut_response": 5}),
    Scenario("answer to looking cut", LOOK, {"cut_response": 40}),
    Scenario("listing cut", TREE, {"cut_response": 100}),
    Scenario("manifest cut in the download", MANIFEST, {"cut_response": 100, "method": "GET"}, first=False),
    Scenario("manifest 503 in the download", MANIFEST, _status(503, 2), first=False),
    Scenario(
        "manifest download cut always",
        MANIFEST,
        {"cut_response": 9, "times": ALWAYS, "method": "GET"},
        "connection",
        first=False,
    ),
    Scenario("a full quota", "never", {}, "Storage limit reached", hub={"quota_bytes": 1}),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_a_push_ends_well_or_with_one_message(
    scenario: Scenario, publish: Publish, hub: LoopbackHub, client: Waits, tmp_path: Path, capfd: Any
) -> None:
    if not scenario.first:
        publish("tiny-bert/tiny")
        hub.put(FIRST, {"result.json": b"{}", "old.txt": b"old"})
    for name, value in scenario.hub.items():
        setattr(hub, name, value)
    fault = hub.fail(scenario.path, **scenario.fault)
    before = {name: repo.refs["main"] for name, repo in hub.repos.items()}
    done = publish("tiny-bert/tiny")
    last = done[-1]
    if scenario.says is None:
        assert (last.status, last.exit_code, last.message) == ("created" if scenario.first else "updated", 0, None)
        assert len(hub.history(FIRST)) == (2 if scenario.first else 4)
    else:
        assert last.exit_code == 3, last.message
        assert scenario.says in last.message
        assert len([line for line in last.message.splitlines() if not line.startswith("  ")]) == 1
        assert WRITER not in last.message
        if FIRST in before:
            assert hub.repos[FIRST].refs["main"] == before[FIRST]
    assert fault.hits or scenario.hub
    assert WRITER not in "".join(capfd.readouterr())
    if scenario.waits:
        assert any(scenario.waits <= seconds <= scenario.waits + 1 for seconds in client.seconds), client.seconds
    if scenario.says is None or scenario.first:
        for repo_id in hub.repos:
            belongs_together(hub, repo_id, tmp_path)

    hub.heal()
    again = publish("tiny-bert/tiny")[-1]
    assert again.exit_code == 0
    belongs_together(hub, FIRST, tmp_path)
    assert publish("tiny-bert/tiny")[-1].status == "unchanged"


def test_a_date_to_wait_for() -> None:
    class Answer:
        headers: ClassVar = {"Retry-After": "Wed, 21 Oct 2026 07:28:55 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}
        status_code = 429

    error = OSError()
    error.response = Answer()  # type: ignore[attr-defined]
    assert asked_seconds(error) == 55.0


def test_no_hub_at_all(publish: Publish, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    done = publish("tiny-bert/tiny")
    assert "connection to the Hub broke" in done[0].message
    assert all(item.exit_code == 3 for item in done)


def test_a_base_that_fails_holds_its_adapters_back(publish: Publish, hub: LoopbackHub) -> None:
    hub.fail(f"/api/models/{BASE}/commit", status=403, times=ALWAYS)
    done = publish("tiny-bert/tiny", "tiny-bert/tiny2")
    assert [item.status for item in done] == ["failed"] * 3
    assert not {FIRST, SECOND} & set(hub.repos)


def test_two_pushers_at_once(
    publish: Publish, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one commits the same just before us: ours is refused with 412, and then there is nothing left to do."""
    monkeypatch.setattr("zoo.hub.client.REQUEST_SECONDS", 60.0)  # ours waits for the other, however slow the machine
    others: list[Any] = []
    hub.fail(COMMIT, before=lambda: others.extend(publish("tiny-bert/tiny")))
    assert publish("tiny-bert/tiny")[-1].exit_code == 0
    assert others[-1].status == "created"
    assert len(hub.history(FIRST)) == 2
    belongs_together(hub, FIRST, tmp_path)


def test_somebody_edits_the_card_in_between(publish: Publish, hub: LoopbackHub, tmp_path: Path) -> None:
    hub.fail(COMMIT, before=lambda: hub.put(FIRST, {"README.md": b"mine"}))
    assert publish("tiny-bert/tiny")[-1].exit_code == 0
    assert len(hub.history(FIRST)) == 3
    belongs_together(hub, FIRST, tmp_path)


def test_another_model_comes_in_between(publish: Publish, hub: LoopbackHub) -> None:
    publish("tiny-bert/tiny2")
    other = hub.files(SECOND)
    hub.fail(COMMIT, before=lambda: hub.put(FIRST, {**other}))
    done = publish("tiny-bert/tiny")[-1]
    assert "holds another model: the checkpoint tiny-bert/tiny2" in done.message
    assert hub.files(FIRST)["result.json"] == other["result.json"]


@pytest.mark.parametrize(("path", "skip"), [(COMMIT, 0), (PUT, 0), (PUT, 1), (CREATE, 1), ("/__lfs-verify", 1)])
def test_killed_in_the_middle(
    path: str, skip: int, publish: Publish, hub: LoopbackHub, out: Path, publishing_registry: Path, tmp_path: Path
) -> None:
    arrived = threading.Event()
    hub.fail(path, skip=skip, before=arrived.set, stall=threading.Event())
    command = [sys.executable, "-c", "from zoo.cli import main; main()", "push", "tiny-bert/tiny", "--no-verify"]
    process = subprocess.Popen(
        [*command, "--registry", str(publishing_registry), "--out", str(out)],
        env={**os.environ, "HF_HUB_OFFLINE": "0"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert arrived.wait(120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    hub.heal()
    for repo_id in hub.repos:
        belongs_together(hub, repo_id, tmp_path)
    assert publish("tiny-bert/tiny")[-1].exit_code == 0
    belongs_together(hub, FIRST, tmp_path)
