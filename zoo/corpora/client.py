"""The HTTP client of downloads: who asks is said in every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import __version__

if TYPE_CHECKING:
    import httpx2

    from zoo.corpora.retry import FetchOptions

USER_AGENT = f"biomedical-ner-zoo/{__version__} (+https://pypi.org/project/biomedical-ner-zoo/)"


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
        headers={"Accept-Encoding": encoding, "User-Agent": USER_AGENT},
    )
