"""What every request passes first: its key, the size of its body and the time that it takes to send it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

from zoo.service.keys import Keys
from zoo.service.limits import Limits
from zoo.service.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

log = logging.getLogger("zoo.service")
OPEN = frozenset({"/health", "/ready"})
"""Answered without a key, for those who watch over the service."""


class _RefusedError(Exception):
    def __init__(self, status: int, error: str, fix: str | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.fix = status, error, fix


class Gate:
    """An ASGI application around another.

    Args:
        app: The other.
        limits: Of size and time.
        metrics: Where answers are counted.
        keys: Who may ask; None: anyone.
        routes: Paths that are counted under their own names.
    """

    def __init__(
        self, app: App, limits: Limits, metrics: Metrics, keys: Keys | None, routes: frozenset[str] = frozenset()
    ) -> None:
        self._app, self._limits, self._metrics, self._keys, self._routes = app, limits, metrics, keys, routes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            self._check_key(scope)
            body = await self._body(scope, receive)
            await self._app(scope, _replay(body, receive), counted)
        except _RefusedError as refusal:
            await _answer(counted, refusal)
        except Exception as error:  # noqa: BLE001 - no trace of a text in the log: neither message nor traceback
            log.error("%s in %s", type(error).__name__, _place_of(error))
            if not status:
                await _answer(counted, _RefusedError(500, "the service failed at this request"))
        finally:
            path = scope["path"]
            self._metrics.request(path if path in self._routes else "other", status, time.monotonic() - started)

    def _check_key(self, scope: Message) -> None:
        if self._keys is None or scope["path"] in OPEN:
            return
        given = _header(scope, b"authorization") or ""
        kind, _, key = given.partition(" ")
        if kind.lower() != "bearer" or not self._keys.owner(key.strip()):
            raise _RefusedError(401, "a key is needed", "send the header Authorization: Bearer KEY")

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        most = self._limits.body_bytes
        too_large = _RefusedError(413, f"the body has more than {most:,} bytes", "send fewer or shorter texts at once")
        said = _header(scope, b"content-length") or "0"
        if said.isdigit() and int(said) > most:
            raise too_large
        body = bytearray()
        try:
            with anyio.fail_after(self._limits.request_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _RefusedError(400, "the body ended early")
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise too_large
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            raise _RefusedError(408, "the body took too long") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body at the first call, then what the server has to say (that the client is gone)."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, refusal: _RefusedError) -> None:
    content = json.dumps({"error": refusal.error, "fix": refusal.fix}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.status in (408, 413):  # the rest of the body is not read
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _header(scope: Message, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _place_of(error: Exception) -> str:
    """File and line where it was raised."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
