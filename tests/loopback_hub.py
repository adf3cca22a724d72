"""A Hub on 127.0.0.1 that the real client talks to, and that misbehaves as it is told.

Model repositories, branches, pull requests, classic LFS uploads, tokens, private repositories (`tests/hub_answers.py`);
`Fault` makes single requests fail.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from tests.hub_answers import READER, STRANGER, WRITER, Answers, Commit, Refusal, git_oid

__all__ = ["READER", "STRANGER", "WRITER", "Fault", "LoopbackHub", "git_oid", "loopback_hub"]


@dataclass
class Fault:
    """What goes wrong with the requests that match.

    Attributes:
        path: Regular expression, searched in the path and query.
        method: HTTP method; None: any.
        times: So many matching requests fail.
        skip: So many matching requests before them do not.
        status: Answer with it.
        headers: Of that answer.
        message: Of that answer (`X-Error-Message`).
        done: Do first what was asked for: only the answer is lost.
        cut_request: Break the connection when so many bytes of the request's body have come.
        cut_response: Break the connection after so many bytes of the answer's body.
        flip: Change this bit of the answer's body.
        stall: No answer before this is set.
        before: Called first of all; the request is served then, if nothing else is to go wrong.
    """

    path: str
    method: str | None = None
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "injected"
    done: bool = False
    cut_request: int | None = None
    cut_response: int | None = None
    flip: int | None = None
    stall: threading.Event | None = None
    before: Callable[[], object] | None = None
    hits: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is one that goes wrong; counts."""
        if (self.method and self.method != method) or not re.search(self.path, path):
            return False
        self.hits += 1
        return self.skip < self.hits <= self.skip + self.times


class LoopbackHub(Answers):
    """A Hub, and what tests do with it.

    Attributes:
        faults: What is to go wrong.
        requests: `METHOD path?query` of every request so far.
        authorizations: Their `Authorization` headers.
        received_bytes: Of all bodies that came.
        sent_bytes: Of all bodies that were sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.authorizations: list[str | None] = []
        self.received_bytes = self.sent_bytes = 0

    def fail(self, path: str, **what: Any) -> Fault:
        """Add a fault."""
        self.faults.append(Fault(path, **what))
        return self.faults[-1]

    def heal(self) -> None:
        """Nothing goes wrong from now on."""
        for fault in self.faults:
            if fault.stall:
                fault.stall.set()
        self.faults.clear()
        self.quota_bytes = None

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """Path -> content."""
        repo = self.repos[repo_id]
        return {path: self.blobs[sha] for path, sha in repo.commits[repo.resolve(revision)].tree.items()}

    def history(self, repo_id: str) -> list[str]:
        """Titles of the commits of main, the newest first."""
        repo, titles = self.repos[repo_id], []
        sha: str | None = repo.refs["main"]
        while sha:
            titles.append(repo.commits[sha].title)
            sha = repo.commits[sha].parent
        return titles

    def put(self, repo_id: str, files: dict[str, bytes | None], *, private: bool = False) -> str:
        """Commit files to main past the API, None deletes; makes the repository."""
        repo = self.repos.get(repo_id) or self._create(repo_id, "model", private)
        tree = dict(repo.commits[repo.refs["main"]].tree)
        for path, content in files.items():
            if content is None:
                tree.pop(path)
            else:
                tree[path] = self._blob(content)
        return repo.add("main", Commit(tree, repo.refs["main"], "put", "test"))

    def asked(self, pattern: str) -> list[str]:
        """The requests so far that match."""
        return [request for request in self.requests if re.search(pattern, request)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail to."""
        request = Request(scope, receive)
        raw = scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        self.requests.append(f"{request.method} {raw}")
        self.authorizations.append(request.headers.get("authorization"))
        self.received_bytes += int(request.headers.get("content-length", 0))
        struck = [fault for fault in self.faults if fault.strikes(request.method, raw)]
        fault = struck[0] if struck else Fault("")
        transport = send.__self__.transport  # type: ignore[attr-defined]  # uvicorn's request cycle
        try:
            if fault.cut_request is not None:
                read = 0
                async for chunk in request.stream():
                    read += len(chunk)
                    if read >= fault.cut_request:
                        break
                transport.abort()
                return
            if fault.before:
                await run_in_threadpool(fault.before)
            if fault.stall:
                await run_in_threadpool(fault.stall.wait, 60)
                transport.abort()
                return
            if fault.status and not fault.done:
                response = Refusal(fault.status, fault.message, headers=fault.headers).response()
            else:
                response = await self.answer(request, scope["raw_path"].decode())
            if fault.done:
                if fault.status is None:
                    transport.abort()
                    return
                response = Refusal(fault.status, fault.message, headers=fault.headers).response()
            if fault.flip is not None:
                body = bytearray(response.body)
                body[fault.flip // 8] ^= 1 << fault.flip % 8
                response.body = bytes(body)
            if fault.cut_response is not None:
                await send(
                    {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
                )
                await send(
                    {"type": "http.response.body", "body": response.body[: fault.cut_response], "more_body": True}
                )
                await asyncio.sleep(0)
                transport.close()
                return
            if request.method == "HEAD":
                await send(
                    {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
                )
                await send({"type": "http.response.body", "body": b""})
            else:
                self.sent_bytes += len(response.body)
                await response(scope, receive, send)
        except ClientDisconnect:
            pass


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A running Hub."""
    import uvicorn

    hub = LoopbackHub()
    config = uvicorn.Config(hub, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the loopback Hub did not start")
        threading.Event().wait(0.005)
    hub.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield hub
    finally:
        hub.heal()
        server.should_exit = True
        thread.join(10)
