"""The retry policy of downloads: which failures may pass, how long to wait, when to give up."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.settings import Settings, is_offline

if TYPE_CHECKING:
    import httpx2
    from tenacity import RetryCallState
    from typing_extensions import Self

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes so far, and the bytes in all where they are known."""
HUB = "https://huggingface.co/"
_PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True)
class FetchOptions:
    """Retries, time-outs and progress of a download.

    Attributes:
        attempts: Requests before giving up.
        wait_seconds: Pause after the first failure; it doubles with every further one, with jitter.
        longest_wait_seconds: No pause is longer; a server that asks for more is given up.
        timeout_seconds: Time without a connection, or without a byte, that counts as a failure.
        lock_seconds: How long to wait for another process that fetches the same file.
        offline: Stay off the network; None: what `HF_HUB_OFFLINE` or `ZOO_OFFLINE` say.
        mirrors: Start of an address -> what stands in its place; the longest that fits counts.
        instead: What a user can do without the download, for error messages.
        progress: Called after every block.
        sleep: What pauses.
    """

    attempts: int = 5
    wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    timeout_seconds: float = 30.0
    lock_seconds: float = 1800.0
    offline: bool | None = None
    mirrors: Mapping[str, str] = field(default_factory=dict)
    instead: str = "give the corpus by ZOO_CORPORA"
    progress: Progress | None = None
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, settings: Settings, *, offline: bool = False, progress: Progress | None = None) -> Self:
        """What the settings and the environment say: offline or not, mirrors, `HF_ENDPOINT` as the mirror of the Hub.

        Args:
            settings: Their mirrors come over `HF_ENDPOINT`.
            offline: Stay off the network, whatever they say.
            progress: Called after every block.
        """
        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/")
        mirrors = ({HUB: f"{endpoint}/"} if endpoint else {}) | dict(settings.mirrors)
        return cls(offline=offline or settings.offline or None, mirrors=mirrors, progress=progress)

    @property
    def is_offline(self) -> bool:
        """Whether to stay off the network."""
        return is_offline() if self.offline is None else self.offline

    def address(self, url: str) -> str:
        """Where a file of this address is asked for: at a mirror, if there is one."""
        start = max((start for start in self.mirrors if url.startswith(start)), key=len, default="")
        return self.mirrors[start] + url.removeprefix(start) if start else url

    def told(self, url: str) -> str:
        """The address for a message: that of the mirror, where one is asked, without a password that it may hold."""
        address = self.address(url)
        return url if address == url else f"{re.sub(r'//[^/@]*@', '//', address)} (the mirror of {url})"


class PassingError(Exception):
    """A failure that may pass; `wait_seconds` where the server says when."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


def with_retries(request: Callable[[], None], options: FetchOptions, *, what: str, url: str) -> None:
    """Make a request until it succeeds: after a `PassingError` again, with pauses; errors of httpx2 are translated.

    Args:
        request: Makes one request; what it has done so far stays.
        options: How often, with which pauses.
        what: What is fetched, for the error message.
        url: Its address.

    Raises:
        ZooError: The attempts are used up, or the address is wrong.
    """
    import httpx2
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

    backoff = wait_exponential_jitter(
        initial=options.wait_seconds, max=options.longest_wait_seconds, jitter=options.wait_seconds
    )

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_seconds if isinstance(error, PassingError) else None
        return backoff(state) if asked is None else asked

    def attempt() -> None:
        try:
            request()
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.TooManyRedirects) as error:
            raise ZooError(f"cannot fetch the file: {error}", where=url, fix="correct the address") from None
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise PassingError(f"{type(error).__name__}: {error}".rstrip(": ")) from None

    retrying = Retrying(
        stop=stop_after_attempt(options.attempts),
        wait=pause,
        retry=retry_if_exception_type(PassingError),
        sleep=options.sleep,
        reraise=True,
    )
    try:
        retrying(attempt)
    except PassingError as error:
        raise ZooError(
            f"cannot fetch {what}: {error}",
            where=url,
            fix=f"run the command again later: it goes on where it stopped; or {options.instead}",
        ) from None


def check_status(response: httpx2.Response, options: FetchOptions, *, url: str) -> None:
    """Distinguish refusals from failures that may pass: 408, 425, 429 and 5xx.

    Args:
        response: The answer, its body not read yet.
        options: The longest time that a server may ask to wait.
        url: The address that was asked for, for the error message: that of a redirect may hold a token.

    Raises:
        PassingError: The failure may pass.
        ZooError: It will not, or only after a longer time than is waited.
    """
    code = response.status_code
    if code in (200, 206):
        return
    said = f"HTTP {code} {response.reason_phrase}".strip()
    if code in _PASSING or code >= 500:
        asked = _retry_after(response.headers.get("Retry-After"))
        if asked is not None and asked > options.longest_wait_seconds:
            raise ZooError(f"the server asks to wait {asked:.0f} seconds ({said})", where=url, fix="run it later")
        raise PassingError(said, asked)
    raise ZooError(
        f"the file is not there any more: {said}" if code in (404, 410) else f"the server refuses the file: {said}",
        where=url,
        fix=f"correct the address in the registry entry, or {options.instead}",
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait: the header holds a number of seconds or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
