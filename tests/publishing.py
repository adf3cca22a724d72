"""A tiny build to publish, and a Hub of this machine to publish to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.loopback_hub import WRITER, LoopbackHub, loopback_hub
from tests.sharing import shared_folder

COUNTRY = "DEU"


def tiny_second_corpus(registry: Path) -> Path:
    """Add the corpus `tiny2`, diseases alone, to a copy of the tiny registry."""
    (registry / "data2").mkdir()
    for path in sorted((registry / "data").glob("*.jsonl")):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line["spans"] = [span for span in line["spans"] if span["type"] == "Disease"]
        (registry / "data2" / path.name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = (registry / "corpora" / "tiny.yaml").read_text()
    text = text.replace("id: tiny\n", "id: tiny2\n").replace("path: data}", "path: data2}")
    text = text.replace(", Chemical: Chemical", "")
    (registry / "corpora" / "tiny2.yaml").write_text(text)
    return registry


def hub_environment(hub: LoopbackHub, folder: Path) -> dict[str, str]:
    """What a command needs to write to the loopback Hub, its cache in a folder."""
    return {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER, "HF_HOME": str(folder / "home")}


def run_zoo(*args: object, cwd: Path, check: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "HF_"))}
    clean |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_XET": "1", "ZOO_COUNTRY": COUNTRY, **env}
    command = [sys.executable, "-c", "from zoo.cli import main; main()", *map(str, args)]
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=600)
    if check is not None:
        assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def publishing_registry(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny registry with a second corpus."""

    def make(folder: Path) -> None:
        shutil.copytree(tiny_registry, folder, dirs_exist_ok=True)
        tiny_second_corpus(folder)

    return shared_folder(tmp_path_factory, "publishing-registry", make)


@pytest.fixture(scope="session")
def built(publishing_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a build of tiny-bert on both corpora; not to be written to."""
    names = ["tiny-bert/tiny", "tiny-bert/tiny2"]

    def make(out: Path) -> None:
        run_zoo("build", *names, "--jobs", 2, "--registry", publishing_registry, "--out", out, cwd=out.parent)

    return shared_folder(tmp_path_factory, "built", make)


@pytest.fixture(scope="session")
def families(publishing_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a build of every family, one of them on both corpora; not to be written to."""
    from tests.conftest import FAMILIES

    names = ["tiny-bert/tiny2", *(f"tiny-{family}/tiny" for family in FAMILIES)]

    def make(out: Path) -> None:
        run_zoo("build", *names, "--jobs", 2, "--registry", publishing_registry, "--out", out, cwd=out.parent)

    return shared_folder(tmp_path_factory, "families", make)


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    """A copy of the build without the artefacts."""
    folder = tmp_path / "out"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("artefacts"))
    return folder


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """A Hub of this machine."""
    with loopback_hub() as running:
        yield running


@dataclass
class Waits:
    """Stands in for waiting: notes how long it would have been."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """The real client of this process, on that Hub, with a token that may write; nothing waits."""
    from huggingface_hub import close_session, constants, file_download
    from huggingface_hub.utils import _http

    waits = Waits()

    class Clock:
        sleep = staticmethod(waits)

    monkeypatch.setattr(_http, "time", Clock)
    monkeypatch.setattr(file_download, "time", Clock)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr("zoo.hub.client.REQUEST_SECONDS", 0.5)
    for name in ("HF_HUB_OFFLINE", "ZOO_OFFLINE", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (
        ("HF_ENDPOINT", hub.url),
        ("HF_TOKEN", WRITER),
        ("HF_HOME", str(tmp_path / "hf")),
        ("HF_HUB_DISABLE_XET", "1"),
        ("ZOO_COUNTRY", COUNTRY),
    ):
        monkeypatch.setenv(name, value)
    close_session()
    yield waits
    close_session()


@pytest.fixture
def publish(
    client: Waits, out: Path, publishing_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[Any]]:
    """Push checkpoints of the build as `zoo push` does."""
    from zoo.hub.client import Hub
    from zoo.hub.push import PushOptions
    from zoo.hub.retry import RetryPolicy
    from zoo.pipeline.context import Context
    from zoo.pipeline.publish import Publisher
    from zoo.registry.loader import load_registry
    from zoo.settings import Settings

    def run(
        *ids: str, org: str = "openmed", verify: bool = False, registry: Path = publishing_registry, **options: bool
    ) -> list[Any]:
        settings = replace(Settings.load(), out=out, registry=registry, org=org)
        context = Context(load_registry(registry), settings)
        checkpoints = [context.registry.checkpoint(name) for name in ids or ("tiny-bert/tiny",)]
        hub = Hub(RetryPolicy(sleep=client))
        with Publisher(context, hub, PushOptions(**options), checkpoints, verify=verify) as publisher:
            for checkpoint in checkpoints:
                publisher.add(checkpoint)
            return publisher.finish()

    return run
