"""Asking a home of passages: slowly enough for it, and again where it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.corpora.client import open_client
from zoo.corpora.download import fetch
from zoo.corpora.retry import FetchOptions, PassingError, check_status, with_retries

if TYPE_CHECKING:
    import httpx2

    from zoo.registry.schema import RemoteFile

INSTEAD = "put the files into ZOO_PASSAGES/<id>/"
_LARGEST_ANSWER_BYTES = 256 * 1024**2


class ExpiredTokenError(Exception):
    """The home does not know the token that its last answer gave for the next one (any more)."""


class Desk:
    """Requests to one home.

    Args:
        options: Retries, time-outs, mirrors, progress.
        gap_seconds: Least time from one request to the next. A mirror has rules of its own: it says 503 if it must.
        timeout_seconds: Least time-out, for a home that is known to be slow.
    """

    def __init__(self, options: FetchOptions, gap_seconds: float, timeout_seconds: float = 0.0) -> None:
        timeout = max(options.timeout_seconds, timeout_seconds)
        self._options = replace(options, timeout_seconds=timeout, instead=INSTEAD)
        self._gap_seconds, self._next = gap_seconds, 0.0
        self._client: httpx2.Client | None = None

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *error: object) -> None:
        if self._client:
            self._client.close()

    def ask(self, url: str, what: str, check: Callable[[bytes], None], expired: Container[int] = ()) -> bytes:
        """The answer of a home, whole.

        Args:
            url: What is asked.
            what: What is asked for, for messages and progress.
            check: Raises `PassingError` where an answer is damaged, `ExpiredTokenError` where it says so.
            expired: Status codes that say so.

        Raises:
            ExpiredTokenError: The token in the address is not known any more.
            ZooError: The home refuses, or cannot be reached however often it is asked.
        """
        answer = b""

        def request() -> None:
            nonlocal answer
            answer = b""
            self._wait(url)
            with client.stream("GET", self._options.address(url)) as response:
                if response.status_code in expired:
                    raise ExpiredTokenError(f"HTTP {response.status_code}")
                check_status(response, self._options, url=self._options.told(url))
                for block in response.iter_bytes():
                    answer += block
                    if len(answer) > _LARGEST_ANSWER_BYTES:
                        raise PassingError(f"the answer has more than {_LARGEST_ANSWER_BYTES} bytes")
                    if self._options.progress:
                        self._options.progress(what, len(answer), None)
            check(answer)

        client = self._client = self._client or open_client(self._options, encoding="gzip")
        with_retries(request, self._options, what=what, url=self._options.told(url))
        return answer

    def download(self, file: RemoteFile, cache: Path) -> Path:
        """A pinned file, as `zoo.corpora.download.fetch` brings it."""
        self._wait(file.url)
        return fetch(file, cache, options=self._options)

    def _wait(self, url: str) -> None:
        if self._options.address(url) != url:
            return
        now = time.monotonic()
        if now < self._next:
            self._options.sleep(self._next - now)
        self._next = max(now, self._next) + self._gap_seconds
