"""A real HTTP file server on 127.0.0.1 that misbehaves as it is told, one reply after the other."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from zoo.registry.schema import RemoteFile


@dataclass(frozen=True)
class Reply:
    """How one request is answered; the default serves the file, or the range that was asked for.

    Attributes:
        status: Anything but 200 is sent without the file.
        headers: Sent in addition.
        body: Sent instead of the file.
        cut_after: Close the connection after this many bytes of the body, though more were announced.
        stall_after: Send this many bytes, then nothing until the server is closed.
        ranges: Whether a `Range` is honoured.
        chunk: Bytes of one write; small ones make many packets.
        hold: Wait for this before answering.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    ranges: bool = True
    chunk: int | None = None
    hold: threading.Event | None = None


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    path: str
    range: str | None


class FileServer:
    """Files by path, scripted replies by path, and the log of requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.script: dict[str, list[Reply]] = {}
        self.headers: dict[str, dict[str, str]] = {}  # by path: sent with the file, whatever the reply
        self.requests: list[Seen] = []
        self.sent_bytes = 0
        self.closing = threading.Event()

    def put(self, path: str, content: bytes, *replies: Reply) -> RemoteFile:
        """Serve `content` at `path`, answering the first requests as scripted; return the pinned file."""
        self.files[path] = content
        self.script[path] = list(replies)
        return RemoteFile(url=self.url + path, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))

    def ranges(self, path: str) -> list[str | None]:
        """The `Range` header of every request for `path`."""
        return [seen.range for seen in self.requests if seen.path == path]


@contextmanager
def serve_files() -> Iterator[FileServer]:
    """Run the server in a thread until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            known = self.path in files.files
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(files.files.get(self.path, b""))))
            for name, value in files.headers.get(self.path, {}).items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            files.requests.append(Seen(self.path, self.headers.get("Range")))
            script = files.script.get(self.path, [])
            reply = script.pop(0) if script else Reply()
            if reply.hold:
                reply.hold.wait(20)
            if reply.status != 200 or self.path not in files.files:
                self._send(reply.status if reply.status != 200 else 404, reply.headers, reply.body or b"no such file")
                return
            content = files.files[self.path] if reply.body is None else reply.body
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if not (match and reply.ranges):
                self._send(200, reply.headers, content, reply)
                return
            start = int(match.group(1))
            if start >= len(content):
                self._send(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            else:
                span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
                self._send(206, reply.headers | span, content[start:], reply)

        def _send(self, status: int, headers: dict[str, str], body: bytes, reply: Reply | None = None) -> None:
            reply = reply or Reply()
            self.send_response(status)
            own = files.headers.get(self.path, {})
            for name, value in ({"Content-Length": str(len(body))} | own | headers).items():
                self.send_header(name, value)
            self.end_headers()
            ends = [n for n in (reply.cut_after, reply.stall_after) if n is not None]
            sent = body[: min([len(body), *ends])]
            step = reply.chunk or max(1, len(sent))
            files.sent_bytes += len(sent)
            for start in range(0, len(sent), step):
                self.wfile.write(sent[start : start + step])
                self.wfile.flush()
            if reply.stall_after is not None:
                files.closing.wait(20)
            if ends:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is what these tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    files = FileServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
