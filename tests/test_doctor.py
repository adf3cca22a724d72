"""`zoo doctor`: what it says of a healthy machine, of a broken one, and of a token on a Hub on 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.loopback_files import FileServer, Reply, serve_files
from zoo.doctor import machine
from zoo.doctor.check import GB, Check
from zoo.doctor.examine import examine
from zoo.doctor.hub import check_access, check_hub
from zoo.doctor.libraries import check_extras, check_libraries
from zoo.doctor.machine import check_folder, check_memory, check_threads
from zoo.doctor.project import check_corpora, check_country
from zoo.errors import ZooError
from zoo.hub.access import Access, hub_endpoint
from zoo.registry.loader import load_registry
from zoo.settings import Settings

Zoo = Callable[..., subprocess.CompletedProcess[str]]
SECRET = "hf_aSecretThatNobodyMaySee"
WHOAMI = "/api/whoami-v2"


def by_name(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert "Traceback" not in done.stderr, done.stderr
    return {item["name"]: item for item in json.loads(done.stdout)}


class TestCommand:
    def test_everything_is_looked_at_and_nothing_left_behind(self, zoo: Zoo, tmp_path: Path) -> None:
        done = zoo("doctor", "--json", check=None, ZOO_COUNTRY="DEU", HF_TOKEN=SECRET, ZOO_CACHE=str(tmp_path / "c"))
        checks = json.loads(done.stdout)
        assert {item["name"] for item in checks} >= {
            *("settings", "libraries", "extras", "torch", "GPU", "threads", "memory", "output", "cache", "Hub cache"),
            *("registry", "corpora", "country", "Hub", "token"),
        }
        assert all(set(item) == {"name", "state", "finding", "fix"} for item in checks)
        assert all(item["fix"] for item in checks if item["state"] != "ok")
        assert done.returncode == any(item["state"] == "problem" for item in checks)
        found = by_name(done)
        for name in ("settings", "torch", "registry", "country", "Hub", "token"):
            assert found[name]["state"] == "ok", found[name]
        assert "DEU (Germany)" in found["country"]["finding"] and "torch" in found["torch"]["finding"]
        assert "offline" in found["Hub"]["finding"] and "from HF_TOKEN" in found["token"]["finding"]
        assert SECRET not in done.stdout + done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_a_broken_project(self, zoo: Zoo, tiny_registry: Path, tmp_path: Path) -> None:
        shutil.copytree(tiny_registry, tmp_path / "mine")
        (tmp_path / "mine" / "corpora" / "tiny.yaml").write_text("id: tiny\ntitel: Tiny\n")
        (tmp_path / "file").write_text("in the way")
        (tmp_path / "zoo.toml").write_text(
            'registry = "mine"\nout = "file/out"\npassages = "nowhere"\ncache = "file/cache"\n'
        )
        done = zoo("doctor", "--json", check=1)
        found = by_name(done)
        assert {name for name in ("registry", "output") if found[name]["state"] == "problem"} == {"registry", "output"}
        assert "titel" in found["registry"]["finding"] and "title" in found["registry"]["fix"]
        assert "file/out" in found["output"]["finding"] and "--out" in found["output"]["fix"]
        assert (found["country"]["state"], "world average" in found["country"]["finding"]) == ("warning", True)
        assert found["settings"]["finding"] == str(tmp_path / "zoo.toml")

    def test_broken_settings_are_one_problem_among_the_checks(self, zoo: Zoo, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_text('outt = "x"\n')
        done = zoo("doctor", check=1, ZOO_COUNTRY="Germany")
        assert "unknown field 'outt'" in done.stdout and "fix: did you mean out?" in done.stdout
        assert "unknown country code 'Germany'" in done.stdout and "backbones" in done.stdout
        assert "Traceback" not in done.stderr and "problems: 2" in done.stdout

    def test_options_come_first(self, zoo: Zoo, tiny_registry: Path, tmp_path: Path) -> None:
        (tmp_path / "zoo.toml").write_text('registry = "nowhere"\nout = "nowhere"\n')
        found = by_name(zoo("doctor", "--registry", tiny_registry, "--out", "here", "--json", check=None))
        assert found["registry"]["state"] == "ok" and str(tiny_registry) in found["registry"]["finding"]
        assert found["output"]["finding"].startswith("here,")

    def test_a_token_on_a_hub(self, zoo: Zoo, hub: FileServer, tmp_path: Path) -> None:
        hub.put(WHOAMI, whoami(), *[Reply(status=401)])
        online = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "", "HF_TOKEN": SECRET, "HF_HOME": str(tmp_path / "hf")}
        done = zoo("doctor", "--json", check=1, **online)
        found = by_name(done)
        assert found["token"]["state"] == "problem" and "HF_TOKEN" in found["token"]["finding"]
        assert (found["Hub"]["state"], found["Hub"]["finding"]) == ("ok", hub.url)
        assert SECRET not in done.stdout + done.stderr

        done = zoo("doctor", check=None, ZOO_ORG="lab", **online)
        assert "someone may publish under lab" in done.stdout and "role write" in done.stdout
        assert SECRET not in done.stdout + done.stderr


def whoami(role: str = "write", orgs: tuple[str, ...] = ("lab",), **fields: Any) -> bytes:
    """An answer of the Hub, with more in it than we read."""
    organisations = [{"type": "org", "name": name, "isEnterprise": False, "roleInOrg": "write"} for name in orgs]
    token = {"displayName": "mine", "role": role, "createdAt": "2026-01-01T00:00:00.000Z"}
    answer = {"type": "user", "id": "0" * 24, "name": "someone", "fullname": "Some One", "orgs": organisations}
    return json.dumps(answer | {"auth": {"type": "access_token", "accessToken": token | fields}}).encode()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    """A server in the place of the Hub, for this process too."""
    from huggingface_hub import constants

    with serve_files() as server:
        for name, value in {"HF_ENDPOINT": server.url, "HF_TOKEN": SECRET}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        yield server


class TestHub:
    def look(self, org: str = "lab", seconds: float = 20) -> dict[str, Check]:
        checks = check_hub(Settings(org=org), seconds=seconds)
        assert not any(SECRET in f"{check.finding}{check.fix}" for check in checks)
        assert all(check.fix for check in checks if check.state != "ok")
        return {check.name: check for check in checks}

    def test_a_token_that_may_write(self, hub: FileServer) -> None:
        hub.put(WHOAMI, whoami())
        found = self.look()
        assert {name: check.state for name, check in found.items()} == {
            "Hub": "ok",
            "token": "ok",
            "organisation": "ok",
        }
        assert self.look("someone")["organisation"].state == "ok"

    def test_a_token_that_may_only_read(self, hub: FileServer) -> None:
        hub.put(WHOAMI, whoami("read"))
        found = self.look()
        assert found["token"].state == "warning" and "may not publish" in found["token"].finding

    def test_another_organisation(self, hub: FileServer) -> None:
        hub.put(WHOAMI, whoami(orgs=("lab", "clinic")))
        check = self.look("openmed")["organisation"]
        assert check.state == "warning" and "openmed" in check.finding
        assert check.fix is not None and "someone, lab, clinic" in check.fix

    def test_a_fine_grained_token(self, hub: FileServer) -> None:
        scopes = [
            {"entity": {"type": "org", "name": "lab"}, "permissions": ["repo.content.read", "repo.write"]},
            {"entity": {"type": "org", "name": "clinic"}, "permissions": ["repo.content.read"]},
        ]
        hub.put(WHOAMI, whoami("fineGrained", ("lab", "clinic"), fineGrained={"global": [], "scoped": scopes}))
        assert self.look()["organisation"].state == "ok"
        check = self.look("clinic")["organisation"]
        assert check.state == "warning" and "may not write to clinic" in check.finding

    def test_a_token_that_the_hub_does_not_know(self, hub: FileServer) -> None:
        hub.put(WHOAMI, b"", Reply(status=401))
        found = self.look()
        assert found["Hub"].state == "ok" and found["token"].state == "problem"
        assert "from HF_TOKEN" in found["token"].finding

    @pytest.mark.parametrize(
        ("body", "reply", "words"),
        [
            (b"", Reply(status=503), "HTTP status 503"),
            (b"", Reply(status=403), "HTTP status 403"),
            (b"<html>Sign in to the guest network</html>", Reply(), "no answer of a Hub"),
            (b"[1]", Reply(), "no answer of a Hub"),
            (b'{"orgs": []}', Reply(), "no answer of a Hub"),
            (whoami(), Reply(cut_after=10), "cannot be reached"),
        ],
    )
    def test_no_answer_of_a_hub(self, body: bytes, reply: Reply, words: str, hub: FileServer) -> None:
        hub.put(WHOAMI, body, reply)
        found = self.look()
        assert list(found) == ["Hub"] and found["Hub"].state == "problem"
        assert words in found["Hub"].finding and hub.url in found["Hub"].finding

    def test_a_hub_that_says_nothing(self, hub: FileServer) -> None:
        hub.put(WHOAMI, whoami(), Reply(stall_after=5))
        found = self.look(seconds=0.5)
        assert found["Hub"].state == "problem" and "did not answer within 0.5 s" in found["Hub"].finding

    def test_a_hub_that_is_not_there(self, hub: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import constants

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            monkeypatch.setattr(constants, "ENDPOINT", url)
            monkeypatch.setenv("HF_ENDPOINT", url)
            found = self.look()
        assert found["Hub"].state == "problem" and "cannot be reached" in found["Hub"].finding

    def test_without_a_token(self, hub: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HF_TOKEN")
        hub.put("/api/models?limit=1", b"[]")
        found = self.look()
        assert (found["Hub"].state, found["token"].state) == ("ok", "warning")
        assert hub.requests and all("whoami" not in seen.path for seen in hub.requests)

    @pytest.mark.parametrize("odd", ["ü", " and more\x01", "\x7f"])
    def test_a_token_with_odd_characters(self, odd: str, hub: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", SECRET + odd)
        found = self.look()
        assert found["token"].state == "problem" and "characters" in found["token"].finding

    @pytest.mark.parametrize("name", ["token", "HF_TOKEN"])
    def test_offline_nothing_is_asked(
        self, name: str, hub: FileServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        if name == "token":
            monkeypatch.delenv("HF_TOKEN")
            (tmp_path / "no-token").write_text(SECRET)
        checks = check_hub(Settings(offline=True), seconds=20)
        assert [check.state for check in checks] == ["ok", "ok"] and hub.requests == []
        assert ("hf auth login" if name == "token" else "HF_TOKEN") in checks[1].finding

    def test_an_endpoint_is_shown_without_its_password(self) -> None:
        assert (
            hub_endpoint({"HF_ENDPOINT": "https://me:secret@mirror.local:8080/hf/"}) == "https://mirror.local:8080/hf"
        )
        assert hub_endpoint({}) == "https://huggingface.co"
        for wrong in ("mirror.local", "ftp://mirror.local", "http://", "http://[::1", "http://a:port"):
            with pytest.raises(ZooError, match="HF_ENDPOINT"):
                hub_endpoint({"HF_ENDPOINT": wrong})

    def test_roles(self) -> None:
        reader = Access("me", "write", {"lab": "read"})
        assert reader.may_write("me") and not reader.may_write("lab") and not reader.may_write("other")
        assert Access("me", "oauth", {}).may_write("me") is None
        check = check_access(reader, "lab", "HF_TOKEN")[-1]
        assert check.state == "warning" and "only read" in check.finding
        assert check_access(Access("me", "oauth", {}), "me", "HF_TOKEN")[-1].state == "warning"


class TestLibraries:
    @pytest.fixture(autouse=True)
    def versions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = {"python": "3.11.7", "torch": "2.13.0+cpu", "peft": "0.30.0", "gradio": "6.1"}
        monkeypatch.setattr("zoo.doctor.libraries.installed_version", found.get)

    def test_within_bounds(self) -> None:
        asked = ["python>=3.10", "torch>=2.8,<2.14", "tomli>=2; python_version < '3'", "ray; extra == 'ray'"]
        check = check_libraries(map(Requirement, asked))
        assert check.state == "ok" and check.finding.startswith("2 of 2 within bounds: python 3.11.7, torch 2.13.0+cpu")

    def test_out_of_bounds_and_missing(self) -> None:
        check = check_libraries(map(Requirement, ["python>=3.12", "peft>=0.18,<0.22", "datasets>=4", "torch>=2"]))
        assert check.state == "problem" and check.fix is not None
        assert all(
            words in check.finding
            for words in ("python 3.11.7", "peft 0.30.0 (needs <0.22,>=0.18)", "datasets is missing")
        )
        assert check.fix == 'pip install "peft<0.22,>=0.18" "datasets>=4"; use another Python'

    def test_not_installed(self) -> None:
        assert check_libraries([]).state == "warning" and check_extras([], []) == []

    def test_extras(self) -> None:
        asked = [Requirement(text) for text in ("torch", "ray>=2; extra == 'ray'", "gradio>=6,<7; extra == 'space'")]
        (check,) = check_extras(asked, ["ray", "space"])
        assert check.state == "ok" and check.finding == "installed: space; not installed: ray"
        (check,) = check_extras([Requirement("gradio>=7; extra == 'space'")], ["space"])
        assert check.state == "warning" and check.fix == 'pip install "gradio>=7"'


class TestMachine:
    @pytest.mark.parametrize(
        ("cores", "threads", "state"),
        [
            (4, "4", "ok"),
            (4, "1", "ok"),
            (4, "8", "warning"),
            (4, "many", "warning"),
            (4, "0", "warning"),
            (0.5, "1", "ok"),
        ],
    )
    def test_threads(self, cores: float, threads: str, state: str) -> None:
        check = check_threads(cores, threads)
        assert check.state == state
        assert check.fix == (None if state == "ok" else "export OMP_NUM_THREADS=4")

    def test_threads_without_the_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("torch.get_num_threads", lambda: 64)
        assert check_threads(64, None).state == "ok"
        check = check_threads(1.5, "")
        assert (check.state, check.fix) == ("warning", "export OMP_NUM_THREADS=1") and "64 threads" in check.finding

    def test_limits_of_a_container(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        job = tmp_path / "cgroup" / "slurm" / "job"
        job.mkdir(parents=True)
        (tmp_path / "self").write_text("1:name=systemd:/x\n0::/slurm/job\n")
        monkeypatch.setattr(machine, "_GROUPS", tmp_path / "cgroup")
        monkeypatch.setattr(machine, "_OWN_GROUP", tmp_path / "self")
        cores, memory = machine.usable_cores(), machine.available_memory_bytes()
        assert cores >= 1 and memory > 10**6
        (job / "cpu.max").write_text("max 100000\n")
        (job / "memory.max").write_text("max\n")
        assert machine.usable_cores() == cores
        (job.parent / "cpu.max").write_text("50000 100000\n")
        (job.parent / "memory.max").write_text("2000000\n")
        (job.parent / "memory.current").write_text("1900000\n")
        (job.parent / "memory.stat").write_text("anon 5\ninactive_file 400000\n")
        assert machine.usable_cores() == 0.5 and machine.available_memory_bytes() == 500_000

    def test_memory(self) -> None:
        assert check_memory(8 * GB).state == "ok" and check_memory(GB).state == "warning"

    def test_a_gpu_that_torch_cannot_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
        monkeypatch.setattr(machine, "installed_gpus", lambda: ["NVIDIA H200"])
        check = machine.check_gpu()
        assert check.state == "warning" and "NVIDIA H200" in check.finding and check.fix is not None
        monkeypatch.setattr(machine, "installed_gpus", list)
        assert machine.check_gpu().state == "ok"

    def test_a_gpu_that_does_not_compute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def ones(*_: object, **__: object) -> None:
            raise RuntimeError("CUDA error: no kernel image is available\nmore")

        monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
        properties = SimpleNamespace(name="NVIDIA K80", total_memory=12 * GB)
        monkeypatch.setattr("torch.cuda.get_device_properties", lambda index: properties)
        monkeypatch.setattr("torch.ones", ones)
        check = machine.check_gpu()
        assert check.state == "problem" and check.finding == (
            "NVIDIA K80 does not compute: CUDA error: no kernel image is available"
        )

    def test_a_torch_that_does_not_load(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        found = {check.name: check for check in examine(Settings(out=tmp_path, offline=True))}
        assert found["torch"].state == found["GPU"].state == "problem"
        assert found["registry"].state == found["output"].state == "ok"


class TestFolder:
    def test_one_that_is_not_there_yet(self, tmp_path: Path) -> None:
        check = check_folder("output", tmp_path / "a" / "b", "choose another")
        assert check.state != "problem" and "GB free" in check.finding and list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("free", "state"), [(50 * GB, "ok"), (5 * GB, "warning"), (GB // 2, "problem")])
    def test_room(self, free: int, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100 * GB, 0, free))
        check = check_folder("output", tmp_path, "choose another")
        assert check.state == state and (check.fix is None) == (state == "ok")

    def test_read_only(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """As on a file system that is mounted read only, where even an administrator cannot write."""

        def refuse(**_: object) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr("tempfile.TemporaryFile", refuse)
        check = check_folder("cache", tmp_path, "choose another")
        assert check.state == "problem" and "Read-only file system" in check.finding and check.fix == "choose another"
        assert check_folder("cache", tmp_path, "choose another", read_only=True).state == "ok"
        assert check_folder("cache", tmp_path / "new", "choose another", read_only=True).state == "problem"

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write anywhere")
    def test_no_permission(self, tmp_path: Path) -> None:
        (tmp_path / "theirs").mkdir(mode=0o500)
        assert check_folder("output", tmp_path / "theirs" / "new", "choose another").state == "problem"


class TestData:
    def test_corpora(self, tmp_path: Path) -> None:
        registry = load_registry()
        settings = Settings(corpora=tmp_path / "corpora", cache=tmp_path / "cache")
        assert check_corpora(registry, settings).state == "problem"
        (tmp_path / "corpora" / "cll").mkdir(parents=True)
        (tmp_path / "corpora" / "cll" / "train.tsv.gz").touch()
        (tmp_path / "corpora" / "cll" / "dev.tsv").touch()
        check = check_corpora(registry, settings)
        assert check.state == "warning" and check.finding.endswith("lacks cll/test")
        (tmp_path / "corpora" / "cll" / "test.txt").touch()
        check = check_corpora(registry, settings)
        assert check.state == "ok" and "1 local copy" in check.finding and "4 bundled" in check.finding
        (tmp_path / "corpora" / "cll").rename(tmp_path / "corpora" / "something")
        assert check_corpora(registry, settings).state == "warning"
        assert check_corpora(registry, replace(settings, corpora=None)).state == "ok"

    def test_store(self, tmp_path: Path) -> None:
        settings = Settings(out=tmp_path, offline=True)
        stores = {"memory://zoo": "ok", str(tmp_path): "ok", "nosuch://bucket/zoo": "problem"}
        for store, state in stores.items():
            (check,) = (item for item in examine(replace(settings, store=store)) if item.name == "store")
            assert check.state == state and ("nosuch" in check.finding) == (state == "problem")
        assert not any(item.name == "store" for item in examine(settings))

    def test_country(self) -> None:
        assert [check_country(code).state for code in ("DEU", None)] == ["ok", "warning"]
        with pytest.raises(ZooError):
            check_country("XXX")
        none = check_country("LIE")
        assert none.state == "warning" and "no data for this country (LIE)" in none.finding


class TestHomes:
    """What `--suite` asks: a suite of one corpus a host, each host a server on 127.0.0.1."""

    @pytest.fixture
    def servers(self) -> Iterator[list[FileServer]]:
        with serve_files() as one, serve_files() as two:
            yield [one, two]

    @staticmethod
    def write(folder: Path, files: dict[str, str], mirrors: dict[str, str] | None = None) -> None:
        """A project whose suite `mine` has a corpus for each address; the backbone is the bundled one."""
        (folder / "mine" / "corpora").mkdir(parents=True)
        for name, url in files.items():
            file = {"url": url, "sha256": "0" * 64}
            entry = {
                **{"id": name, "title": name, "description": "x", "format": "conll", "unit": "sentence"},
                **{"types": {"Disease": "Disease"}, "license": {"spdx": "MIT", "source": "x", "publishable": True}},
                "sources": [{"kind": "url", "files": dict.fromkeys(("train", "dev", "test"), file)}],
            }
            (folder / "mine" / "corpora" / f"{name}.yaml").write_text(json.dumps(entry))
        suite = {"mine": {"description": "x", "backbones": ["minilm-l6"], "corpora": list(files)}}
        (folder / "mine" / "suites.yaml").write_text(json.dumps(suite))
        lines = [f"{json.dumps(start)} = {json.dumps(mirror)}" for start, mirror in (mirrors or {}).items()]
        (folder / "zoo.toml").write_text("\n".join(['registry = "mine"', "[mirrors]", *lines]) + "\n")

    @staticmethod
    def homes(zoo: Zoo, *args: str, offline: str = "0", **env: str) -> list[dict[str, Any]]:
        given = {"HF_HUB_OFFLINE": offline, "HF_ENDPOINT": "http://127.0.0.1:1", "ZOO_CACHE": "c", **env}
        done = zoo("doctor", "--json", *args, check=None, **given)
        assert "Traceback" not in done.stderr, done.stderr
        return [item for item in json.loads(done.stdout) if item["name"] in ("home", "homes")]

    def test_each_host_is_asked_once_and_a_mirror_is_named(
        self, zoo: Zoo, servers: list[FileServer], tmp_path: Path
    ) -> None:
        one, two = servers
        for path in ("/a.tsv", "/b.tsv"):
            one.put(path, b"content")
        two.put("/m/c.tsv", b"content")
        files = {"a": f"{one.url}/a.tsv", "b": f"{one.url}/b.tsv", "c": "https://home.example/c.tsv"}
        secret = two.url.replace("//", "//user:secret@")
        self.write(tmp_path, files, {"https://home.example/": f"{secret}/m/"})
        found = self.homes(zoo)  # the project's own suite, by itself
        assert [item["state"] for item in found] == ["ok", "ok"], found
        assert "127.0.0.1 is reachable; 2 of the suite: a, b" in found[0]["finding"]
        assert f"{two.url}/m/c.tsv (the mirror of https://home.example/c.tsv)" in found[1]["finding"]
        assert "secret" not in json.dumps(found)
        assert [len(server.requests) for server in servers] == [1, 1]
        assert {seen.range for server in servers for seen in server.requests} == {"bytes=0-0"}

    @pytest.mark.parametrize(
        ("reply", "state", "words", "fix"),
        [
            (Reply(status=403), "problem", "127.0.0.1 refuses, HTTP 403", "mirrors"),
            (Reply(status=404), "problem", "answers, but not with the file, HTTP 404", "correct the entry"),
            (Reply(status=429, headers={"Retry-After": "7"}), "warning", "throttles, HTTP 429", "after 7 seconds"),
            (Reply(status=503), "warning", "throttles, HTTP 503", "try again later"),
        ],
    )
    def test_what_a_host_says(
        self, reply: Reply, state: str, words: str, fix: str, zoo: Zoo, servers: list[FileServer], tmp_path: Path
    ) -> None:
        servers[0].put("/a.tsv", b"content", reply)
        self.write(tmp_path, {"a": f"{servers[0].url}/a.tsv"})
        (found,) = self.homes(zoo, "--suite", "mine")
        assert found["state"] == state and words in found["finding"] and fix in found["fix"], found

    def test_a_host_out_of_reach_matters_where_the_files_are_not_here(self, zoo: Zoo, tmp_path: Path) -> None:
        with socket.socket() as free:  # bound, never listening: connections are refused
            free.bind(("127.0.0.1", 0))
            self.write(tmp_path, {"a": f"http://127.0.0.1:{free.getsockname()[1]}/a.tsv"})
            (found,) = self.homes(zoo)
            (tmp_path / "copies" / "a").mkdir(parents=True)
            (here,) = self.homes(zoo, ZOO_CORPORA=str(tmp_path / "copies"))
        assert found["state"] == "problem" and "out of reach" in found["finding"] and "proxy" in found["fix"].lower()
        assert here["state"] == "warning"

    def test_the_ontologies_of_a_corpus_have_homes_too(
        self, zoo: Zoo, servers: list[FileServer], tmp_path: Path
    ) -> None:
        corpus, vocabulary = servers
        corpus.put("/a.tsv", b"content")
        vocabulary.put("/codes.tsv", b"id\tname\nX:1\tgout\n")
        self.write(tmp_path, {"a": f"{corpus.url}/a.tsv"})
        path = tmp_path / "mine" / "corpora" / "a.yaml"
        path.write_text(json.dumps({**json.loads(path.read_text()), "ontologies": {"Disease": ["codes"]}}))
        (tmp_path / "mine" / "ontologies").mkdir()
        entry = {
            **{"id": "codes", "title": "Codes", "description": "x", "format": "table"},
            "license": {"spdx": "MIT", "source": "x", "publishable": True},
            "sources": [{"kind": "url", "files": [{"url": f"{vocabulary.url}/codes.tsv"}]}],
        }
        (tmp_path / "mine" / "ontologies" / "codes.yaml").write_text(json.dumps(entry))
        found = self.homes(zoo, "--suite", "mine")
        assert [item["state"] for item in found] == ["ok", "ok"], found
        assert "1 of the suite: codes" in found[1]["finding"]

    def test_offline_nothing_is_asked(self, zoo: Zoo, servers: list[FileServer], tmp_path: Path) -> None:
        self.write(tmp_path, {"a": f"{servers[0].url}/a.tsv"})
        (found,) = self.homes(zoo, offline="1")
        assert found["state"] == "ok" and "not asked: offline" in found["finding"] and not servers[0].requests

    def test_a_suite_of_the_paper_has_the_hub_among_its_homes(
        self, zoo: Zoo, servers: list[FileServer], tmp_path: Path
    ) -> None:
        one, two = servers
        hosts = ("raw.githubusercontent.com", "media.githubusercontent.com")
        hosts += ("ftp.ncbi.nlm.nih.gov", "clinicaltrials.gov", "oaipmh.arxiv.org")
        mirrors = {f"https://{host}/": f"{one.url}/" for host in hosts}
        self.write(tmp_path, {}, mirrors)
        (tmp_path / "mine" / "suites.yaml").unlink()
        found = self.homes(zoo, "--suite", "openmed", HF_ENDPOINT=two.url)
        assert len(found) == 2 and [len(server.requests) for server in servers] == [1, 1]
        assert any("4 of the suite: fsu, deberta-v3-large" in item["finding"] for item in found)

    def test_without_a_suite_of_ones_own_nothing_is_needed(self, zoo: Zoo) -> None:
        (found,) = self.homes(zoo)
        assert (found["state"], found["finding"]) == ("ok", "suite quickstart: nothing of it lies elsewhere")

    def test_an_unknown_suite(self, zoo: Zoo) -> None:
        (found,) = self.homes(zoo, "--suite", "openmedd")
        assert found["state"] == "problem" and "did you mean openmed" in found["fix"]
