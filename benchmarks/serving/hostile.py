"""Hostile requests to `zoo serve`: each must be refused by a clear 4xx, or its connection closed, and harm nobody.

    python benchmarks/serving/hostile.py MODEL [--requests 500]

Starts the service on a model and sends, drawn by a seed and up to 100 at a time: huge bodies, malformed JSON, wrong
types, path tricks in names of models, broken HTTP, and heads and bodies that never end. Beside them run good requests,
whose answers must stay what they were. Hostile texts carry a secret, which must be in no answer; the log must not grow.
Writes `benchmarks/results/serving_hostile.{json,md}`; exit code 1: something was not as it should be.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import psutil

from zoo.files import write_whole

RESULTS = Path(__file__).parents[1] / "results"
SECRET = "Zyxwvut-the-patient"
TEXT = "She was treated for type 2 diabetes with metformin."
BODY_BYTES, HEAD_SECONDS, REQUEST_SECONDS = 1 << 20, 2.0, 4.0
CLOSED = "closed"
"""What is noted where the service closes a connection without an answer."""
REFUSED = {"400", "401", "404", "405", "408", "413", "414", "422", "429", "431"}


def main() -> None:
    """Attack, look, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = attack(arguments.model, arguments.requests, Path(scratch) / "serve.log")
    write_whole(arguments.results / "serving_hostile.json", json.dumps(data, indent=1) + "\n")
    write_whole(arguments.results / "serving_hostile.md", page(data))
    sys.stdout.write(page(data))
    sys.exit(1 if data["problems"] else 0)


def attack(model: str, requests: int, log: Path) -> dict[str, Any]:
    """Start the service, send everything, and say what came back."""
    command = [sys.executable, "-m", "zoo", "serve", "--model", f"m={model}", "--port", "0"]
    command += ["--max-body-bytes", str(BODY_BYTES), "--max-header-seconds", str(HEAD_SECONDS)]
    command += ["--max-seconds", str(REQUEST_SECONDS)]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            while not (found := re.search(r"running on http://(\S+):(\d+)", log.read_text())):
                if server.poll() is not None:
                    sys.exit(log.read_text())
                time.sleep(0.1)
            return _attacked(server.pid, found[1], int(found[2]), requests, log)
        finally:
            server.terminate()


def _attacked(pid: int, host: str, port: int, requests: int, log: Path) -> dict[str, Any]:
    rng = random.Random(7)
    kinds = list(KINDS)
    drawn = [kinds[number % len(kinds)] for number in range(requests)]
    rng.shuffle(drawn)
    sent: list[tuple[str, bytes]] = [(kind, KINDS[kind](rng)) for kind in drawn]
    with httpx2.Client(base_url=f"http://{host}:{port}", timeout=60) as http:

        def good() -> Any:
            answer = http.post("/v1/tag", json={"text": TEXT})
            return answer.json() if answer.is_success else answer.status_code

        expected, before, memory = good(), log.read_text(), psutil.Process(pid).memory_info().rss
        with ThreadPoolExecutor(100) as pool, ThreadPoolExecutor(1) as beside:
            answers = [pool.submit(_send, host, port, message) for _, message in sent]
            kept = [beside.submit(good) for _ in range(50)]
            found = [answer.result() for answer in answers]
            wrong = sum(answer.result() != expected for answer in kept)
        alive = good() == expected and http.get("/health").text == "ok"
        written = log.read_text()[len(before) :]
        grown = psutil.Process(pid).memory_info().rss - memory
    problems = []
    statuses: dict[str, Counter[str]] = defaultdict(Counter)
    for (kind, _), (status, text) in zip(sent, found, strict=True):
        statuses[kind][status] += 1
        if status not in REFUSED | {CLOSED}:
            problems.append(f"{kind}: {status}: {text[:200]}")
        elif status == CLOSED and kind not in MAY_CLOSE:
            problems.append(f"{kind}: closed without an answer")
        if SECRET in text:
            problems.append(f"{kind}: the answer repeats what was sent")
    if wrong:
        problems.append(f"{wrong} good requests were answered otherwise than before")
    if not alive:
        problems.append("the service does not answer as before")
    if written:
        problems.append(f"the log grew by {len(written)} characters: {written[:500]}")
    return {
        "requests": requests,
        "statuses": {kind: dict(sorted(counts.items())) for kind, counts in sorted(statuses.items())},
        "good_beside": {"requests": len(kept), "wrong": wrong},
        "log_characters": len(written),
        "memory_grown_mb": grown / 1e6,
        "problems": problems,
    }


def _send(host: str, port: int, message: bytes) -> tuple[str, str]:
    """Status and text of the answer to raw bytes; the connection is not ended from here."""
    received = b""
    quiet = contextlib.suppress(ConnectionResetError)
    with quiet, socket.create_connection((host, port), timeout=60) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was read
            connection.sendall(message)
        while not _whole(received):
            part = connection.recv(65536)
            if not part:
                break
            received += part
    found = re.match(rb"HTTP/1\.1 (\d{3})", received)
    return (found[1].decode() if found else CLOSED), received.decode("latin-1")


def _whole(answer: bytes) -> bool:
    head, blank, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(blank) and bool(length) and len(body) >= int(length[1])


def _post(body: bytes, path: str = "/v1/tag", headers: str = "", length: int | str | None = None) -> bytes:
    said = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: zoo\r\nContent-Type: application/json\r\nContent-Length: {said}\r\n{headers}"
    return head.encode() + b"\r\n" + body


def _huge(rng: random.Random) -> bytes:
    body = json.dumps({"text": SECRET * (BODY_BYTES // 10)}).encode()
    chunked = b"POST /v1/tag HTTP/1.1\r\nHost: zoo\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    return rng.choice([_post(body), chunked % (len(body), body), _post(b"", length=10**15)])


def _malformed(rng: random.Random) -> bytes:
    whole = json.dumps({"text": SECRET, "models": ["m"]}).encode()
    broken = [
        whole[: rng.randrange(1, len(whole))],
        whole.replace(b'"', b"'"),
        b"[" * 100_000,
        b'{"text":' * 50_000,
        b"\xff\xfe" + whole,
        b'{"text": "\\ud800' + SECRET.encode() + b'"}',
        b'{"text": NaN' + whole,
        bytes(rng.randrange(256) for _ in range(200)),
        b"",
    ]
    return _post(rng.choice(broken))


WRONG: dict[str, list[Any]] = {
    "text": [1, True, [], {}, [SECRET], {SECRET: SECRET}],
    "texts": [1, SECRET, {}, [], [1], [[SECRET]], [SECRET]],  # the last beside text
    "models": [1, SECRET, {}, [], [1], [[SECRET]]],
    "link": [None, 2, [], SECRET],
    "assertion": [None, 2, {}, SECRET],
    "language": [None, 1, [SECRET], SECRET * 9],
    "min_score": [None, -1, 2, 1e400, [], SECRET],
    "txet": [SECRET],
}
"""Values that a field does not take."""


def _wrong_types(rng: random.Random) -> bytes:
    field = rng.choice(list(WRONG))
    return _post(json.dumps({"text": TEXT, "models": ["m"], field: rng.choice(WRONG[field])}).encode())


NAMES = (
    *("../../etc/passwd", "..", "m/../../m2", "/etc/shadow", "m\0", "file:///etc/passwd", "C:\\m", "~", "$(id)"),
    *("%2e%2e%2f", "m" * 5000, "\u202em", "http://127.0.0.1/m", "openmed/m"),
)


def _paths(rng: random.Random) -> bytes:
    name = rng.choice(NAMES)
    if rng.random() < 0.5:
        return _post(json.dumps({"text": SECRET, "models": [name]}).encode())
    path = "".join(each if each.isalnum() or each in "%./" else f"%{ord(each) % 256:02x}" for each in name)
    return _post(b"", f"/v1/models/{path}/{rng.choice(['load', 'unload'])}")


def _broken_http(rng: random.Random) -> bytes:
    return rng.choice(
        [
            b"\x16\x03\x01\x02\x00\x01\x00" + bytes(200),  # TLS
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /v1/tag HTTP/1.1\r\n\r\n",
            b"NONSENSE\r\n\r\n",
            b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\nHost: zoo\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: zoo\r\n" + b"X: " + SECRET.encode() * 20_000 + b"\r\n\r\n",
            _post(b"{}", length=-5),
            _post(b"{}", length="five"),
            _post(b"{}", headers="Transfer-Encoding: chunked\r\n"),
            _post(b"{}", headers="Transfer-Encoding: " + "gzip, " * 50 + "chunked\r\n"),
            _post(b"{}", headers="Bad Header\r\n"),
            b"POST /v1/tag HTTP/1.1\r\nHost: zoo\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + SECRET.encode(),
            b"DELETE /v1/tag HTTP/1.1\r\nHost: zoo\r\nContent-Length: 0\r\n\r\n",
        ]
    )


def _slow(rng: random.Random) -> bytes:
    return rng.choice(
        [
            b"",
            b"POST /v1/tag HT",
            f"POST /v1/tag HTTP/1.1\r\nHost: zoo\r\nX: {SECRET}".encode(),
            _post(b'{"text": "' + SECRET.encode(), length=5000),  # the rest never comes
        ]
    )


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "huge body": _huge,
    "malformed JSON": _malformed,
    "wrong types": _wrong_types,
    "path tricks": _paths,
    "broken HTTP": _broken_http,
    "never ends": _slow,
}
MAY_CLOSE = {"never ends", "broken HTTP", "huge body"}
"""Kinds that do not always leave an HTTP client to answer to."""


def page(data: dict[str, Any]) -> str:
    """The table."""

    def rows() -> Iterator[str]:
        for kind, statuses in data["statuses"].items():
            listed = ", ".join(f"{count} x {status}" for status, count in statuses.items())
            yield f"| {kind} | {sum(statuses.values())} | {listed} |"

    beside = data["good_beside"]
    return "\n".join(
        [
            "# Hostile requests to `zoo serve`",
            "",
            f"`python benchmarks/serving/hostile.py MODEL --requests {data['requests']}`, up to 100 connections at a "
            "time.",
            "",
            "| kind | requests | answers |",
            "|---|---|---|",
            *rows(),
            "",
            f"Beside them {beside['requests']} good requests, {beside['wrong']} answered otherwise than before. The "
            f"log grew by {data['log_characters']} characters, memory by {data['memory_grown_mb']:.0f} MB.",
            "",
            *([f"- {problem}" for problem in data["problems"]] or ["No problems."]),
            "",
        ]
    )


if __name__ == "__main__":
    main()
