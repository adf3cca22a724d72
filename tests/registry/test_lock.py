"""`zoo lock` against a Hub on 127.0.0.1, through the real client; and what a build makes of the lock file."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.in_process import Zoo
from zoo.errors import ZooError
from zoo.modeling.backbones import BackboneFiles
from zoo.pipeline.context import Context
from zoo.registry.loader import load_registry
from zoo.registry.lock import LOCK_FILE, Lock, LockedPassages, LockedRepo, lock_passages, locked, read_lock, resolve
from zoo.registry.passage_entry import PubmedSource
from zoo.registry.schema import Backbone
from zoo.settings import Settings

HUB_ID = "microsoft/deberta-v3-base"
COMMIT, OLD = "ab" * 20, "cd" * 20
FILES = {"config.json": f"git:{'1' * 40}", "pytorch_model.bin": f"sha256:{'2' * 64}"}
API = re.compile(r"^/api/models/(?P<id>[^/]+/[^/]+)(?:/revision/(?P<revision>[^/]+))?\?blobs=true$")


@dataclass
class LoopbackHub:
    """What a Hub answers about models: repository -> commit; and the paths it was asked for."""

    url: str
    registry: Path
    commits: dict[str, str | None] = field(default_factory=lambda: {HUB_ID: COMMIT})
    asked: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """Environment of a command that may ask this Hub: empty is how huggingface_hub spells unset."""
        online = {"HF_ENDPOINT": self.url, "HF_HUB_OFFLINE": "", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return {**online, "ZOO_REGISTRY": str(self.registry)}

    def answer(self, path: str) -> tuple[int, dict[str, str], dict[str, object]]:
        """Status, headers and JSON of one request, shaped as the real Hub's."""
        self.asked.append(path)
        found = API.match(path)
        if not found or found["id"] not in self.commits:
            # The real Hub says 401 for a repository that an anonymous caller may not know of.
            return 401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, {}
        siblings = [
            {"rfilename": "config.json", "size": 10, "blobId": "1" * 40},
            {
                "rfilename": "pytorch_model.bin",
                "size": 20,
                "blobId": "3" * 40,
                "lfs": {"sha256": "2" * 64, "size": 20, "pointerSize": 134},
            },
        ]
        sha = found["revision"] or self.commits[found["id"]]
        body = {
            "_id": "0" * 24,
            "id": found["id"],
            "modelId": found["id"],
            "sha": sha,
            "siblings": siblings,
            "tags": [],
        }
        return 200, {}, body


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHub]:
    """A running loopback Hub, and a registry in which two backbones have no revision."""
    registry = tmp_path_factory.mktemp("open")
    (registry / "backbones").mkdir()
    for name in ("deberta-v3-base", "pubmedbert-base"):
        (registry / "backbones" / f"{name}.yaml").write_text(yaml.safe_dump(backbone(name).model_dump(mode="json")))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = state.answer(self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = LoopbackHub(f"http://127.0.0.1:{server.server_port}", registry)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("error:") == 1, done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} not in:\n{done.stderr}"


@pytest.fixture
def old_lock(tmp_path: Path) -> bytes:
    """A lock file that is there already, with another backbone and an older commit; its bytes."""
    items = {name: {"hub_id": HUB_ID, "revision": OLD, "files": {}} for name in ("deberta-v3-base", "other")}
    (tmp_path / LOCK_FILE).write_text("# mine\n" + yaml.safe_dump({"backbones": items}))
    return (tmp_path / LOCK_FILE).read_bytes()


def test_commit_and_file_hashes_are_written(zoo_process: Zoo, hub: LoopbackHub, tmp_path: Path) -> None:
    done = zoo_process("lock", "deberta-v3-base", **hub.env)
    assert COMMIT in done.stdout and HUB_ID in done.stdout
    assert yaml.safe_load((tmp_path / LOCK_FILE).read_text()) == {
        "backbones": {"deberta-v3-base": {"hub_id": HUB_ID, "revision": COMMIT, "files": FILES}}
    }
    assert hub.asked == [f"/api/models/{HUB_ID}?blobs=true"]
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]


def test_a_new_commit_replaces_the_old_and_other_entries_stay(
    zoo_process: Zoo, hub: LoopbackHub, old_lock: bytes, tmp_path: Path
) -> None:
    source = PubmedSource(kind="pubmed-baseline", url="https://x.org/")
    fetched = LockedPassages(
        source=source, fetched=date(2026, 1, 2), records=0, ids_sha256="0" * 64, records_sha256="1" * 64, parts=()
    )
    lock_passages(tmp_path / LOCK_FILE, "some", fetched)
    zoo_process("lock", "deberta-v3-base", **hub.env)
    lock = read_lock(tmp_path / LOCK_FILE)
    assert lock.backbones["deberta-v3-base"].revision == COMMIT
    assert lock.backbones["other"].revision == OLD
    assert lock.passages == {"some": fetched}


def test_locked_corpora_are_shown_and_stay(zoo_process: Zoo, hub: LoopbackHub, tmp_path: Path) -> None:
    info = {"documents": 1234, "tokens": 20, "mentions": 0, "fingerprint": "ef" * 32}
    corpora = {"fsu": {"source": "somewhere", "splits": {"test": info}}}
    (tmp_path / LOCK_FILE).write_text(yaml.safe_dump({"corpora": corpora}))
    done = zoo_process("lock", "deberta-v3-base", **hub.env)
    (line,) = [line.split() for line in done.stdout.splitlines() if line.startswith("fsu")]
    assert line == ["fsu", "test", "1234", "20", "0", "efefefefefef", "somewhere"]
    written = yaml.safe_load((tmp_path / LOCK_FILE).read_text())
    assert written["corpora"] == corpora and written["backbones"]["deberta-v3-base"]["revision"] == COMMIT


def test_all_backbones_of_the_hub_are_locked_unless_some_are_named(
    zoo_process: Zoo, hub: LoopbackHub, tmp_path: Path
) -> None:
    on_hub = [b for b in load_registry(hub.registry).backbones.values() if b.hub_id]
    assert {b.id for b in on_hub if b.revision is None} >= {"deberta-v3-base", "pubmedbert-base"}
    hub.commits = {str(b.hub_id): f"{index:040x}" for index, b in enumerate(on_hub)}
    zoo_process("lock", "--output", "mine.yaml", **hub.env)
    lock = read_lock(tmp_path / "mine.yaml")
    assert {name: item.revision for name, item in lock.backbones.items()} == {
        b.id: b.revision or hub.commits[str(b.hub_id)] for b in on_hub
    }


def test_a_registered_revision_is_what_is_asked_for(zoo_process: Zoo, hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "registry" / "backbones").mkdir(parents=True)
    (tmp_path / "registry" / "backbones" / "mine.yaml").write_text(
        f"id: mine\ntitle: Mine\nfamily: bert\nhub_id: {HUB_ID}\nrevision: {OLD}\nparameters_million: 1\n"
        "license: {spdx: MIT, source: this test, publishable: true}\n"
    )
    zoo_process("lock", "mine", "--registry", "registry", **hub.env)
    assert hub.asked == [f"/api/models/{HUB_ID}/revision/{OLD}?blobs=true"]
    assert read_lock(tmp_path / LOCK_FILE).backbones["mine"].revision == OLD


def test_unknown_repository(zoo_process: Zoo, hub: LoopbackHub, old_lock: bytes, tmp_path: Path) -> None:
    done = zoo_process("lock", "pubmedbert-base", check=None, **hub.env)
    refused(done, "BiomedNLP-BiomedBERT-base", "401", "check the id")
    assert (tmp_path / LOCK_FILE).read_bytes() == old_lock


def test_one_repository_that_is_gone_does_not_keep_the_others_from_being_locked(
    zoo_process: Zoo, hub: LoopbackHub, old_lock: bytes, tmp_path: Path
) -> None:
    done = zoo_process("lock", "pubmedbert-base", "deberta-v3-base", check=1, **hub.env)
    assert "not locked: pubmedbert-base" in done.stderr and "401" in done.stderr and COMMIT in done.stdout
    lock = read_lock(tmp_path / LOCK_FILE)
    assert {name: item.revision for name, item in lock.backbones.items()} == {"deberta-v3-base": COMMIT, "other": OLD}


def test_unreachable_hub(zoo_process: Zoo, hub: LoopbackHub, old_lock: bytes, tmp_path: Path) -> None:
    with socket.socket() as free:  # bound, never listening: connections are refused
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        done = zoo_process("lock", "deberta-v3-base", check=None, **{**hub.env, "HF_ENDPOINT": url})
    refused(done, "cannot be reached", "HF_ENDPOINT")
    assert (tmp_path / LOCK_FILE).read_bytes() == old_lock


def test_offline(zoo_process: Zoo, hub: LoopbackHub, old_lock: bytes, tmp_path: Path) -> None:
    done = zoo_process("lock", "deberta-v3-base", check=None, **{**hub.env, "HF_HUB_OFFLINE": "1"})
    refused(done, "HF_HUB_OFFLINE", "unset it")
    assert hub.asked == []
    assert (tmp_path / LOCK_FILE).read_bytes() == old_lock


def test_an_answer_without_a_commit(zoo_process: Zoo, hub: LoopbackHub, old_lock: bytes, tmp_path: Path) -> None:
    hub.commits[HUB_ID] = None
    refused(zoo_process("lock", "deberta-v3-base", check=None, **hub.env), "revision", HUB_ID)
    assert (tmp_path / LOCK_FILE).read_bytes() == old_lock


def test_malformed_lock_file_is_left_alone(zoo_process: Zoo, hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("backbones: {x: {hub_id: a/b, revision: short, files: {}}}\n")
    refused(zoo_process("lock", "deberta-v3-base", check=None, **hub.env), LOCK_FILE, "revision", "short")
    assert hub.asked == []
    assert "short" in (tmp_path / LOCK_FILE).read_text()


def test_unwritable_lock_file(zoo_process: Zoo, hub: LoopbackHub) -> None:
    done = zoo_process("lock", "deberta-v3-base", "--output", "absent/zoo.lock.yaml", check=None, **hub.env)
    refused(done, "cannot write", "absent")


def test_a_backbone_that_is_not_on_the_hub(zoo_process: Zoo, tiny_registry: Path, tmp_path: Path) -> None:
    refused(zoo_process("lock", "tiny-bert", "--registry", tiny_registry, check=None), "tiny-bert", "not on the Hub")
    assert list(tmp_path.iterdir()) == []


def test_resolve_refuses_before_it_asks(tiny_registry: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="not on the Hub"):
        resolve([load_registry(tiny_registry).backbone("tiny-bert")], tmp_path / LOCK_FILE)
    assert list(tmp_path.iterdir()) == []


def backbone(name: str = "deberta-v3-base", **values: str) -> Backbone:
    """One of the registry without its revision."""
    return load_registry().backbone(name).model_copy(update={"revision": None, **values})


LOCK = Lock(backbones={"deberta-v3-base": LockedRepo(hub_id=HUB_ID, revision=COMMIT, files=FILES)})


def test_the_locked_revision_fills_an_open_one() -> None:
    assert backbone().revision is None
    assert locked(backbone(), LOCK) == backbone(revision=COMMIT)


def test_a_registered_revision_comes_before_the_lock_file() -> None:
    assert locked(backbone(revision=OLD), LOCK).revision == OLD


def test_a_lock_of_another_repository_does_not_count() -> None:
    assert locked(backbone(hub_id="someone/else"), LOCK).revision is None
    assert locked(backbone(id="another"), LOCK).revision is None


def test_no_lock_file_locks_nothing(tmp_path: Path) -> None:
    assert read_lock(tmp_path / LOCK_FILE) == Lock()
    assert locked(backbone(), Lock()) == backbone()


@pytest.mark.parametrize("revision", [COMMIT, None])
def test_a_build_takes_the_commit_of_the_lock_file_in_the_current_folder(
    revision: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Backbone] = []

    def locate(backbone: Backbone, folder: Path, *, offline: bool) -> BackboneFiles:
        assert not offline, "a build may fetch"
        asked.append(backbone)
        return BackboneFiles(folder, "somewhere")

    monkeypatch.setattr("zoo.pipeline.context.locate_backbone", locate)
    monkeypatch.chdir(tmp_path)
    if revision:
        (tmp_path / LOCK_FILE).write_text(yaml.safe_dump(LOCK.model_dump()))
    registry = load_registry()
    Context(registry, Settings()).backbone(backbone())
    assert [(item.id, item.revision) for item in asked] == [("deberta-v3-base", revision)]


def test_a_build_stops_at_a_malformed_lock_file(zoo_process: Zoo, tiny_registry: Path, tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("backbone: {}\n")
    done = zoo_process("build", "tiny-bert/tiny", "--registry", tiny_registry, "--out", "out", check=None)
    refused(done, LOCK_FILE, "did you mean backbones")
    assert not (tmp_path / "out").exists()
