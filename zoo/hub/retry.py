"""Calls to the Hub: how often they are tried, and the message when that does not help."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from zoo.errors import HubError, ZooError

if TYPE_CHECKING:
    from tenacity import RetryCallState

_Value = TypeVar("_Value")
TRANSIENT = frozenset({408, 409, 412, 425, 429, 500, 502, 503, 504})
"""Statuses that another try may not meet: time-outs, another commit in between, rate limits, trouble of the Hub."""
_RATE_LIMIT = re.compile(r"\"\w+\"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)")
_TOKEN = re.compile(r"\b(hf|api_org)_[A-Za-z0-9]{4,}")
_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]*")
_LONGEST_MESSAGE = 300
_AGAIN = "run the same command again later: what is pushed stays, and is not pushed again"
_RIGHTS = "take a token with write access to that organisation or user (huggingface.co/settings/tokens)"
_STATUSES: dict[int, tuple[str, str]] = {
    400: ("the Hub finds the request wrong", "see what it says; report it if it is about something zoo wrote"),
    401: ("the Hub does not accept the token", f"hf auth login, or set HF_TOKEN; {_RIGHTS}"),
    402: ("the Hub wants the account to be paid for", "see the billing page of the account"),
    403: ("the Hub does not allow it", f"{_RIGHTS}; if it speaks of storage, free some or have the limit raised"),
    404: (
        "the Hub does not have it",
        "check the name of the organisation and repository, and that the token may see it",
    ),
    409: ("the Hub has a conflict with another change", _AGAIN),
    412: ("others keep committing to the repository", _AGAIN),
    413: ("the Hub finds a file too large", "see the limits of the account"),
    429: ("the Hub's rate limit is reached", _AGAIN),
    507: ("the storage on the Hub is full", "free some, or have the limit raised"),
}
_OTHER_STATUS = ("the Hub is in trouble", _AGAIN)


@dataclass(frozen=True)
class RetryPolicy:
    """How often a call is tried.

    Attributes:
        attempts: Tries in all.
        first_wait_seconds: Before the second try; it doubles with each further one.
        longest_wait_seconds: Where the Hub does not say how long.
        longest_asked_seconds: A Hub that asks to wait longer (`Retry-After`) is not waited for.
        sleep: What waits.
        report: Called with a line about each wait.
    """

    attempts: int = 6
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    longest_asked_seconds: float = 900.0
    sleep: Callable[[float], None] = time.sleep
    report: Callable[[str], None] = lambda text: None

    def call(self, function: Callable[[], _Value], *, about: str) -> _Value:
        """Call a function until it works, as often as the policy allows.

        Args:
            function: What to do; it must be safe to do it again.
            about: Repository and the like, for the message.

        Raises:
            HubError: It did not work; one message without tokens and signed addresses.
        """
        from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]  # httpx's, httpx2's
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

        backoff = wait_exponential_jitter(initial=self.first_wait_seconds, max=self.longest_wait_seconds)

        def wait(state: RetryCallState) -> float:
            asked = asked_seconds(_error(state))
            return backoff(state) if asked is None else asked

        def before_sleep(state: RetryCallState) -> None:
            self.report(f"{_reason(_error(state))}: trying again in {state.upcoming_sleep:.0f} s")

        retrying = Retrying(
            stop=stop_after_attempt(self.attempts),
            retry=retry_if_exception(
                lambda error: is_transient(error) and (asked_seconds(error) or 0.0) <= self.longest_asked_seconds
            ),
            wait=wait,
            sleep=self.sleep,
            before_sleep=before_sleep,
            reraise=True,
        )
        try:
            return retrying(function)
        except (OSError, ValueError, RuntimeError, TransportError) as error:
            raise explain(error, about) from None


def is_transient(error: BaseException) -> bool:
    """Whether another try may work: by the status, else by whether the connection broke."""
    from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, ZooError):
        return False
    for cause in _causes(error):
        if isinstance(cause, OfflineModeIsEnabled):
            return False
        if (status := status_of(cause)) is not None:
            return status in TRANSIENT
        if isinstance(cause, (TransportError, ConnectionError, TimeoutError, json.JSONDecodeError)):
            return True  # JSON: an answer that broke off, or that of a proxy
    return "onsistency check failed" in str(error)  # a download of another length than announced


def status_of(error: BaseException) -> int | None:
    """HTTP status of an error of the Hub; None if it is none."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def asked_seconds(error: BaseException) -> float | None:
    """How long the Hub asks to wait, by `Retry-After` (seconds or a date) or `RateLimit`; None: it does not say."""
    for cause in _causes(error):
        if status_of(cause) is None:
            continue
        headers = {name.lower(): value for name, value in cause.response.headers.items()}  # type: ignore[attr-defined]
        after = headers.get("retry-after", "").strip()
        if after.isdigit():
            return float(after)
        try:
            now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(timezone.utc)
            return max(0.0, (parsedate_to_datetime(after) - now).total_seconds())
        except (ValueError, TypeError):  # no date either
            limit = _RATE_LIMIT.search(headers.get("ratelimit", ""))
            return float(limit[1]) + 1.0 if limit else None
    return None


def explain(error: BaseException, about: str) -> HubError:
    """An error of the client in one message that a user can act on."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    for cause in _causes(error):
        if isinstance(cause, OfflineModeIsEnabled):
            return HubError(
                "the Hub is needed, but the environment says offline", where=about, fix="unset HF_HUB_OFFLINE"
            )
        if (status := status_of(cause)) is not None:
            response: Any = cause.response  # type: ignore[attr-defined]
            message = getattr(cause, "server_message", None) or response.headers.get("X-Error-Message")
            asked = asked_seconds(cause)
            text = _reason(cause) + (f": {_line(message)}" if message else "")
            text += f"; it asks to wait {_duration(asked)}" if asked else ""
            return HubError(text, where=about, fix=_STATUSES.get(status, _OTHER_STATUS)[1])
    if is_transient(error):
        return HubError(_reason(error), where=about, fix=f"check the network, the proxy and HF_ENDPOINT; {_AGAIN}")
    if isinstance(error, OSError) and error.filename:
        return HubError(f"cannot read or write: {error.strerror}", where=error.filename)
    return HubError(f"the Hub or its client refuses: {_line(str(error))}", where=about, fix="see what it says")


def is_offline_client() -> bool:
    """Whether the client of the Hub stays off the network."""
    from huggingface_hub import is_offline_mode

    return bool(is_offline_mode())


def redact(text: str) -> str:
    """Text without tokens, and without the queries of addresses (they may be signed)."""
    from huggingface_hub import get_token

    token = get_token()
    if token:
        text = text.replace(token, "***")
    return _QUERY.sub(r"\1", _TOKEN.sub(r"\1_***", text))


def _reason(error: BaseException) -> str:
    """Why a call failed, in a few words."""
    causes = list(_causes(error))
    for cause in causes:
        if (status := status_of(cause)) is not None:
            return f"{_STATUSES.get(status, _OTHER_STATUS)[0]} (HTTP {status})"
    return f"the connection to the Hub broke ({_line(str(causes[-1])) or type(causes[-1]).__name__})"


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    assert error is not None
    return error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what caused it, what caused that."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _line(text: str) -> str:
    line = " ".join(redact(text).split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]} ..."


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
