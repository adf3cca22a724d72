"""The service as people run it: `zoo serve` in a process of its own, two adapters on one base, asked over HTTP."""

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
import pytest

from tests.conftest import ROOT, TINY_SENTENCES, shared_folder, write_tiny_registry
from zoo.errors import ZooError
from zoo.service.client import Client
from zoo.service.keys import Keys, new_key
from zoo.tagging.tagger import Tagger

TEXTS = [text for text, _ in TINY_SENTENCES] + ["", "nothing here", " ".join(text for text, _ in TINY_SENTENCES) * 20]
BUILDS = (("one", "bert", 1), ("two", "bert", 2), ("other", "deberta-v2", 1))
SECRET = "Zyxwvut the patient"


@pytest.fixture(scope="session")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two adapters on one tiny base, and one on another architecture, which runs without the kernels."""

    def build(folder: Path) -> None:
        write_tiny_registry(folder)
        for name, family, seed in BUILDS:
            out = folder / "out"
            command = ["build", f"tiny-{family}/tiny", "--registry", folder, "--out", out, "--set", f"seed={seed}"]
            run = [sys.executable, "-m", "zoo", *map(str, command)]
            subprocess.run(run, check=True, capture_output=True, cwd=ROOT)
            built = out / "checkpoints" / f"tiny-{family}"
            (built / "tiny").rename(built / name)  # the next one has the same base

    folder = shared_folder(tmp_path_factory, "served", build)
    return {name: folder / "out" / "checkpoints" / f"tiny-{family}" / name for name, family, _ in BUILDS}


@contextmanager
def serving(*options: str | Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running service and its address; what it logs is in a file."""
    with log.open("ab") as stderr:
        command = [sys.executable, "-m", "zoo", "serve", "--port", "0", *map(str, options)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=stderr, stdout=stderr)
    try:
        while not (found := re.findall(r"running on (http://\S+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield process, found[-1]
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "serve.log"


@pytest.fixture(scope="module")
def address(adapters: dict[str, Path], log: Path) -> Iterator[str]:
    models = [part for name, folder in adapters.items() for part in ("--model", f"{name}={folder}")]
    with serving(*models, "--max-body-bytes", "100000", log=log) as (_, address):
        yield address


def keys(entities: Any) -> list[tuple[int, int, str, float]]:
    return [(e.start, e.end, e.type, round(e.score, 3)) for e in entities]


def test_each_model_answers_as_it_does_alone(address: str, adapters: dict[str, Path]) -> None:
    """64 requests at once, of three models: whatever shares a batch, the answer is that of the model alone."""
    names = list(adapters)
    expected = {name: [keys(found) for found in Tagger.load(adapters[name]).tag(TEXTS)] for name in names}
    assert expected["one"] != expected["two"] != expected["other"] and all(any(found) for found in expected.values())

    def ask(number: int) -> None:
        name, size = names[number % 3], 1 + number % 4
        texts = [TEXTS[(number + shift) % len(TEXTS)] for shift in range(size)]
        answers = client.tag(texts, [name])
        wanted = [expected[name][(number + shift) % len(TEXTS)] for shift in range(size)]
        for found, want in zip(answers, wanted, strict=True):
            assert [key[:3] for key in keys(found)] == [key[:3] for key in want]
            assert [key[3] for key in keys(found)] == pytest.approx([key[3] for key in want], abs=2e-3)

    with Client(address) as client, ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(64)))
        together = client.tag(TEXTS, names)
        assert [sorted((e.model, *keys([e])[0][:3]) for e in found) for found in together] == [
            sorted((name, *key[:3]) for name in names for key in expected[name][place]) for place in range(len(TEXTS))
        ]
        assert [keys(found) for found in client.stream(TEXTS, ["one"])] == [keys(f) for f in client.tag(TEXTS, ["one"])]


def test_what_is_wrong_is_said_and_nothing_of_a_text_is_logged_or_repeated(address: str, log: Path) -> None:
    many = ["x"] * 2000
    cases: list[tuple[int, str, dict[str, Any]]] = [
        (422, "text", {"json": {}}),
        (422, "text", {"json": {"text": SECRET, "texts": [SECRET]}}),
        (422, "texts", {"json": {"texts": SECRET}}),
        (422, "texts", {"json": {"texts": [1, {SECRET: 2}], "models": ["one"]}}),
        (422, "txets", {"json": {"text": SECRET, "txets": SECRET}}),
        (422, "models are loaded", {"json": {"text": SECRET}}),
        (422, "linked", {"json": {"text": SECRET, "models": ["one"], "link": True}}),
        (422, "language", {"json": {"text": SECRET, "models": ["one"], "assertion": True, "language": "tlh"}}),
        (422, "min_score", {"json": {"text": SECRET, "min_score": 7}}),
        (404, "no model", {"json": {"text": SECRET, "models": ["../../etc/passwd"]}}),
        (413, "bytes", {"json": {"text": "x" * 200_000, "models": ["one"]}}),
        (413, "times models", {"json": {"texts": many, "models": ["one"]}}),
        (422, "body", {"content": b'{"text": ' + SECRET.encode()}),
        (400, "parsing", {"content": b"[" * 50_000}),
        (400, "parsing", {"content": b"\xff\xfe\x00"}),
        (422, "body", {"content": b'{"text": "\\ud800", "models": ["one"]}'}),
    ]
    with httpx2.Client(base_url=address) as client:
        for status, word, content in cases:
            headers = {"Content-Type": "application/json"}
            answer = client.post("/v1/tag", headers=headers, **content)
            assert answer.status_code == status, (content, answer.text)
            assert word in answer.json()["error"] or word == "body", (word, answer.text)
            assert SECRET not in answer.text
        for name in ("..%2f..%2fetc%2fpasswd", "..", "%00", "one%2f..", "a" * 300):
            assert client.post(f"/v1/models/{name}/load").status_code in (404, 405, 422)
        assert client.get("/v1/nothing").status_code == 404
        assert client.get("/v1/tag").status_code == 405
        assert client.get("/health").text == "ok" and client.get("/ready").status_code == 200
        counted = client.get("/metrics").text
        assert 'zoo_requests_total{route="/v1/tag",status="404"} 1.0' in counted and "zoo_loaded_models 3.0" in counted
        assert "/v1/tag" in client.get("/openapi.json").json()["paths"]
    assert SECRET not in log.read_text() and "Traceback" not in log.read_text()


def test_a_negated_entity_is_said_to_be(address: str) -> None:
    with Client(address) as client:
        ((found,),) = client.tag(["No diabetes was found ."], ["one"], assertion=True)
        assert found.text == "diabetes" and found.assertion and found.assertion.negation == "negated"
        assert client.tag(["No diabetes was found ."], ["one"])[0][0].assertion is None


def test_models_come_and_go_while_requests_run(address: str) -> None:
    with Client(address) as client, httpx2.Client(base_url=address) as http:
        before = client.tag(TEXTS[:2], ["two"])
        assert http.post("/v1/models/two/unload").json() == {"name": "two", "loaded": False, "types": None}
        with pytest.raises(ZooError, match="not loaded: 'two'"):
            client.tag(TEXTS[:2], ["two"])
        assert [model.loaded for model in client.models().models] == [True, False, True]
        assert http.post("/v1/models/two/unload").status_code == 404
        assert http.post("/v1/models/two/load").json()["types"] == ["Disease", "Chemical"]
        assert client.tag(TEXTS[:2], ["two"]) == before


def test_a_slow_client_is_cut_off_and_holds_nobody_up(adapters: dict[str, Path], tmp_path: Path) -> None:
    options = ("--model", f"one={adapters['one']}", "--max-header-seconds", "0.5", "--max-seconds", "1")
    with serving(*options, log=tmp_path / "log") as (_, address):
        host, port = address.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port))) for _ in range(100)]
        for connection in slow:
            connection.sendall(b"POST /v1/tag HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        halfway = socket.create_connection((host, int(port)))
        halfway.sendall(b"POST /v1/tag HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        with Client(address) as client:
            assert client.tag([TEXTS[0]])[0]
        for connection in slow:
            connection.settimeout(30)
            assert connection.recv(100) == b""
        halfway.settimeout(30)
        assert b" 408 " in halfway.recv(1000)


def test_hostile_requests_are_refused_harm_nobody_and_leave_nothing_in_the_log(
    adapters: dict[str, Path], tmp_path: Path
) -> None:
    """Whether the tool that measures it finds no fault: bodies, names, broken HTTP, heads and bodies without end."""
    tool = [sys.executable, ROOT / "benchmarks" / "serving" / "hostile.py", adapters["one"]]
    done = subprocess.run([*tool, "--requests", "120", "--results", tmp_path], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| 20 |") == 6, done.stdout


def test_only_those_with_a_key_may_ask(adapters: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "keys"
    key = new_key(file, "ward-7")
    assert key not in file.read_text() and file.stat().st_mode & 0o777 == 0o600
    assert Keys(file).owner(key) == "ward-7" and Keys(file).owner(f"{key}x") is None
    with pytest.raises(ZooError, match="already"):
        new_key(file, "ward-7")
    with serving("--model", f"one={adapters['one']}", "--keys", file, log=tmp_path / "log") as (_, address):
        with Client(address, key) as client:
            assert client.tag([TEXTS[0]])[0]
        with Client(address, "zoo_wrong") as client, pytest.raises(ZooError, match="a key is needed"):
            client.tag([TEXTS[0]])
        assert httpx2.get(f"{address}/ready").status_code == 200
        assert httpx2.get(f"{address}/metrics").status_code == 401
        assert httpx2.get(f"{address}/docs").status_code == 401
    assert key not in (tmp_path / "log").read_text()


def test_told_to_stop_it_answers_what_it_has_begun(adapters: dict[str, Path], tmp_path: Path) -> None:
    with serving("--model", f"one={adapters['one']}", log=tmp_path / "log") as (process, address):
        long = [TEXTS[-1] * 20] * 20
        answers: list[Any] = []
        with Client(address, patience_seconds=1) as client:
            thread = threading.Thread(target=lambda: answers.extend(client.tag(long)))
            thread.start()
            while "zoo_waiting_tokens 0.0" in httpx2.get(f"{address}/metrics").text:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            thread.join()
        assert len(answers) == 20 and all(answers)
        assert process.wait(30) in (0, 128 + signal.SIGTERM)


def test_killed_and_started_again_it_loses_nothing_of_clients_that_come_again(
    adapters: dict[str, Path], tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--model", f"one={adapters['one']}", "--port", str(port))
    done = threading.Event()
    answered: list[int] = []

    def ask(number: int) -> None:
        with Client(f"http://127.0.0.1:{port}", patience_seconds=120) as client:
            for _ in range(10):
                answered.append(len(client.tag([TEXTS[number % 3]])))
                if len(answered) > 8:
                    done.set()

    with serving(*options, log=tmp_path / "log") as (process, _), ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, number) for number in range(4)]
        done.wait(60)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        (tmp_path / "log").unlink()
        with serving(*options, log=tmp_path / "log"):
            for each in asking:
                each.result(timeout=120)
    assert answered == [1] * 40


def test_a_busy_service_says_when_to_come_again(adapters: dict[str, Path], tmp_path: Path) -> None:
    options = ("--model", f"one={adapters['one']}", "--max-waiting-tokens", "2000")
    with serving(*options, log=tmp_path / "log") as (_, address), ThreadPoolExecutor(8) as pool:

        def ask(_: int) -> int:
            request = {"texts": [TEXTS[-1] * 10] * 3}
            answer = httpx2.post(f"{address}/v1/tag", json=request, timeout=60)
            assert answer.status_code in (200, 429), answer.text
            assert answer.status_code == 200 or int(answer.headers["Retry-After"]) >= 1
            return answer.status_code

        assert set(pool.map(ask, range(24))) == {200, 429}
        with Client(address) as client:
            assert len(client.tag(TEXTS)) == len(TEXTS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("no model to serve",)),
        (("--model", "nowhere/at/all"), ("no model folder",)),
        (("--model", "a=x/y", "--model", "a=x/z"), ("two models are called 'a'",)),
        (("--model", "a/b=x"), ("no name for a model",)),
        (("--new-key", "me"), ("--keys FILE",)),
    ],
)
def test_what_cannot_be_served_is_said_at_once(zoo: Any, options: tuple[str, ...], words: tuple[str, ...]) -> None:
    outcome = zoo("serve", *options, check=2)
    for word in words:
        assert word in outcome.stderr


def test_the_examples_of_the_documentation_work(address: str) -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").replace("http://127.0.0.1:8000", address)
    (commands,) = (block for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "curl" in block)
    answers = []
    for line in commands.strip().splitlines():
        done = subprocess.run(["bash", "-c", f"{line} --fail-with-body"], capture_output=True, text=True, check=True)
        answers.append(done.stdout)
    models, one, two, lines, unloaded, loaded, ready, metrics = answers
    assert '"one"' in models and '"asthma"' in one and one.count('"start"') == 2
    assert '"model":"two"' in two and len(lines.splitlines()) == 2
    assert '"loaded":false' in unloaded and '"loaded":true' in loaded and ready == "ready"
    assert "zoo_request_seconds" in metrics
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[(14, 20, 'Disease', 'asthma'), (26, 33, 'Chemical', 'aspirin')]\n"
