"""`zoo serve --engine ray` as people run it: two replicas behind the proxy of Ray Serve, one of them killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.adapters import save_adapter, save_base
from tests.conftest import ROOT, TINY_SENTENCES
from zoo.service.client import Client
from zoo.service.keys import new_key
from zoo.tagging.tagger import Tagger

pytest.importorskip("ray")
TEXTS = [text for text, _ in TINY_SENTENCES]


@contextmanager
def serving(*options: object, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"RAY_worker_niceness": "0"}  # other tests share the cores
    with log.open("ab") as stderr:
        command = [sys.executable, "-m", "zoo", "serve", "--port", port, *options]
        process = subprocess.Popen([*map(str, command)], cwd=ROOT, stdout=stderr, stderr=stderr, env=environment)
    try:
        while "running on" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()  # Ray's processes end with it
        process.wait()


def replicas(of: int) -> list[psutil.Process]:
    below = psutil.Process(of).children(recursive=True)
    return [process for process in below if "ServeReplica" in " ".join(process.cmdline())]


def test_replicas_answer_as_one_service_and_one_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    models = {name: save_adapter(tmp_path / name, base, seed=seed) for name, seed in (("one", 1), ("two", 2))}
    expected = {name: Tagger.load(folder).tag(TEXTS) for name, folder in models.items()}
    key = new_key(tmp_path / "keys", "ward-7")
    page = (ROOT / "docs" / "scale-out.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^zoo serve (.*) --port 8000$", page, re.MULTILINE)
    shown = re.sub(r"--model \S+", " ".join(f"--model {name}={folder}" for name, folder in models.items()), shown)
    options = [
        *shown.replace("--replicas 4", "--replicas 2").split(),
        "--keys",
        tmp_path / "keys",
        "--max-body-bytes",
        "200000",
    ]
    with serving(*options, log=tmp_path / "log") as (process, address):
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=address, headers=headers, timeout=60) as http:
            assert httpx2.post(f"{address}/v1/tag", json={"text": "x"}).status_code == 401
            assert http.post("/v1/tag", json={"text": "x" * 300_000, "models": ["one"]}).status_code == 413
            assert http.post("/v1/models/two/unload").status_code == 409
            assert http.get("/ready").text == "ready" and "/v1/tag" in http.get("/openapi.json").text
        first, second = replicas(process.pid)
        done = threading.Event()
        answered: list[Any] = []

        def ask(number: int) -> None:
            name = ("one", "two")[number % 2]
            with Client(address, key, patience_seconds=120) as client:
                for _ in range(20):
                    found = client.tag(TEXTS, [name])
                    wanted = [[(e.start, e.end, e.type) for e in own] for own in expected[name]]
                    assert [[(e.start, e.end, e.type) for e in own] for own in found] == wanted
                    answered.append(number)
                    if len(answered) > 8:
                        done.set()

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, number) for number in range(4)]
            done.wait(120)
            os.kill(first.pid, signal.SIGKILL)
            for each in asking:
                each.result(timeout=200)
        assert len(answered) == 80 and second.is_running()

        long = [" ".join(TEXTS) * 100] * 5
        last: list[Any] = []
        with Client(address, key, patience_seconds=1) as client:
            thread = threading.Thread(target=lambda: last.extend(client.tag(long, ["one"])))
            thread.start()
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            thread.join()
        assert len(last) == 5, "what was begun is answered"
        assert process.wait(60) == 0
    assert "asthma" not in (tmp_path / "log").read_text() and "Traceback" not in (tmp_path / "log").read_text()
