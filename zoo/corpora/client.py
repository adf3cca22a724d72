"""The HTTP client of downloads: who asks is said in every request."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

    from zoo.corpora.retry import FetchOptions


def open_client(options: FetchOptions, encoding: str = "identity") -> httpx2.Client:
    """A client with the time-outs of the options that follows redirects.

    Args:
        options: Time-outs.
        encoding: What answers may be packed by; ranges of a file are those of its own bytes only if they are not.
    """
    import httpx2

    return httpx2.Client(
        follow_redirects=True,
        timeout=httpx2.Timeout(options.timeout_seconds),
        headers={"Accept-Encoding": encoding, "User-Agent": user_agent()},
    )


@cache
def user_agent() -> str:
    """Name and version of this package, and where to read about it."""
    name = "biomedical-ner-zoo"
    return f"{name}/{version(name)} (+https://pypi.org/project/{name}/)"
