"""Downloads pinned by content: resumed, retried, verified, kept in a cache that is addressed by the hash."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from zoo.errors import ZooError
from zoo.registry.schema import RemoteFile
from zoo.settings import is_offline

if TYPE_CHECKING:
    import httpx2
    from tenacity import RetryCallState

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes so far, and the bytes in all where they are known."""

OFFLINE_FIX = (
    "put the files into a folder and set ZOO_CORPORA (DIR/<corpus>/{train,dev,test}.tsv[.gz]), "
    "or unset HF_HUB_OFFLINE and ZOO_OFFLINE"
)
_LARGEST_BYTES = 2 * 1024**3
_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class FetchOptions:
    """How patient a download is.

    Attributes:
        attempts: Requests before giving up.
        wait_seconds: Pause after the first failure; it doubles with every further one, with jitter.
        longest_wait_seconds: No pause is longer; a server that asks for more is given up.
        timeout_seconds: Time without a connection, or without a byte, that counts as a failure.
        lock_seconds: How long to wait for another process that fetches the same file.
        offline: Whether to stay off the network; None: what `HF_HUB_OFFLINE` or `ZOO_OFFLINE` say.
        progress: Told of every block.
        sleep: What pauses.
    """

    attempts: int = 5
    wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    timeout_seconds: float = 30.0
    lock_seconds: float = 1800.0
    offline: bool | None = None
    progress: Progress | None = None
    sleep: Callable[[float], None] = time.sleep


class _TryAgainError(Exception):
    """A failure that may pass; `wait_seconds` where the server says when."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class _WrongContentError(Exception):
    """The bytes are not those that the registry pins."""


def fetch(file: RemoteFile, cache: Path, *, options: FetchOptions | None = None) -> Path:
    """The file in the cache, downloaded if it is not there yet; its content is verified at every call.

    An interrupted download is resumed (range requests, RFC 9110), also by the next process. Connection errors, 408,
    425, 429 and 5xx are tried again after the time in `Retry-After`, else with exponential back-off. Processes that
    want the same file wait for each other.

    Args:
        file: Address and hash (sha256, or the hash of git's blob object).
        cache: Root of the cache (`ZOO_CACHE`); the file lies in `<cache>/files/<hash>/<name>`.
        options: Retries, time-outs, progress.

    Raises:
        ZooError: Not found, unreachable, offline, or the content is another one; then nothing is left in the cache.
    """
    from filelock import FileLock, Timeout

    options = options or FetchOptions()
    target = cached_path(file, cache)
    if _is_intact(target, file):
        return target
    if options.offline if options.offline is not None else is_offline():
        raise ZooError(f"{target.name} is not in the cache, and this is offline", where=file.url, fix=OFFLINE_FIX)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=options.lock_seconds):
            if not _is_intact(target, file):
                _download(file, target, options)
    except Timeout:
        raise ZooError(
            f"another process has been fetching {target.name} for {options.lock_seconds:.0f} seconds",
            where=target.parent,
            fix="end it, then run the command again",
        ) from None
    except OSError as error:
        raise ZooError(
            f"cannot write to the cache: {error.strerror or error}",
            where=target.parent,
            fix="free some space, or set ZOO_CACHE to another folder",
        ) from None
    return target


def cached_path(file: RemoteFile, cache: Path) -> Path:
    """Where a file lies in the cache, whether it is there or not: addressed by its hash, under its own name."""
    name = PurePosixPath(unquote(urlsplit(file.url).path)).name
    name = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "file"
    return cache / "files" / (file.sha256 or f"git-{file.git_blob_sha1}") / name


def describe(file: RemoteFile) -> str:
    """The public home of a file, fit for a card: host, path, and the commit where the address names one."""
    parts = urlsplit(file.url)
    match = re.match(r"^(.*)/([0-9a-f]{40})/", parts.path)
    if match:
        return f"{parts.hostname}{match.group(1)} at commit {match.group(2)[:12]}"
    return f"{parts.hostname}{PurePosixPath(parts.path).parent}".rstrip("/")


def git_blob_sha1(path: Path) -> str:
    """Hash that git gives a file: sha1 of `blob <size in bytes>`, a NUL byte and the content (git-hash-object(1))."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    _feed(path, digest)
    return digest.hexdigest()


def _is_intact(target: Path, file: RemoteFile) -> bool:
    """Whether the cache holds the pinned content; a damaged file is removed."""
    if not target.is_file():
        return False
    try:
        _verify(target, file)
    except _WrongContentError:
        target.unlink(missing_ok=True)
        return False
    return True


def _verify(path: Path, file: RemoteFile) -> None:
    if file.sha256:
        digest = hashlib.sha256()
        _feed(path, digest)
        if digest.hexdigest() != file.sha256:
            raise _WrongContentError(f"sha256 {digest.hexdigest()[:12]}, registered {file.sha256[:12]}")
    if file.git_blob_sha1 and (found := git_blob_sha1(path)) != file.git_blob_sha1:
        raise _WrongContentError(f"git blob {found[:12]}, registered {file.git_blob_sha1[:12]}")


def _feed(path: Path, digest: hashlib._Hash) -> None:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)


def _download(file: RemoteFile, target: Path, options: FetchOptions) -> None:
    """Fill `target`. What an earlier process left is taken up; if it turns out wrong, the file is fetched anew once."""
    part = target.with_name(f".{target.name}.part")
    resumed = part.exists()
    try:
        _fill(file, part, options)
        _verify(part, file)
    except _WrongContentError as error:
        part.unlink(missing_ok=True)
        if resumed:
            _download(file, target, options)
            return
        raise ZooError(
            f"the content of {target.name} is not the registered one: {error}",
            where=file.url,
            fix="the file was changed at its source: correct the registry entry, or give the corpus by ZOO_CORPORA",
        ) from None
    part.replace(target)


def _fill(file: RemoteFile, part: Path, options: FetchOptions) -> None:
    """Request the file until it is whole.

    Raises:
        ZooError: The server refuses, or the attempts are used up.
    """
    import httpx2
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

    if file.size_bytes and part.exists() and part.stat().st_size == file.size_bytes:
        return
    timeout = httpx2.Timeout(options.timeout_seconds)
    retrying = Retrying(
        stop=stop_after_attempt(options.attempts),
        wait=lambda state: _pause(state, options),
        retry=retry_if_exception_type(_TryAgainError),
        sleep=options.sleep,
        reraise=True,
    )
    with httpx2.Client(follow_redirects=True, timeout=timeout, headers={"Accept-Encoding": "identity"}) as client:
        try:
            retrying(_request, client, file, part, options)
        except _TryAgainError as error:
            raise ZooError(
                f"cannot fetch {part.name[1:-5]}: {error}",
                where=file.url,
                fix="run the command again later: it goes on where it stopped; or give the corpus by ZOO_CORPORA",
            ) from None


def _pause(state: RetryCallState, options: FetchOptions) -> float:
    from tenacity import wait_exponential_jitter

    error = state.outcome.exception() if state.outcome else None
    backoff = wait_exponential_jitter(
        initial=options.wait_seconds, max=options.longest_wait_seconds, jitter=options.wait_seconds
    )(state)
    asked = error.wait_seconds if isinstance(error, _TryAgainError) else None
    return backoff if asked is None else asked


def _request(client: httpx2.Client, file: RemoteFile, part: Path, options: FetchOptions) -> None:
    """One request for what is still missing.

    Raises:
        _TryAgainError: A failure that may pass.
        _WrongContentError: More bytes than the file has.
        ZooError: A failure that will not pass.
    """
    import httpx2

    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with client.stream("GET", file.url, headers=headers) as response:
            if response.status_code == 416 and have:
                if have == _total(response):
                    return
                part.unlink()
                raise _TryAgainError("the server has no such range")
            _check_status(response, file, options)
            start = _start(response)
            if start not in (0, have):
                raise _TryAgainError(f"asked for the bytes from {have}, got those from {start}")
            _store(response, file, part, start, options)
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.TooManyRedirects) as error:
        raise ZooError(f"cannot fetch the file: {error}", where=file.url, fix="correct the address") from None
    except (httpx2.TransportError, httpx2.StreamError) as error:
        raise _TryAgainError(f"{type(error).__name__}: {error}".rstrip(": ")) from None


def _check_status(response: httpx2.Response, file: RemoteFile, options: FetchOptions) -> None:
    code = response.status_code
    if code in (200, 206):
        return
    said = f"HTTP {code} {response.reason_phrase}".strip()
    if code in (408, 425, 429) or code >= 500:
        asked = _retry_after(response.headers.get("Retry-After"))
        if asked is not None and asked > options.longest_wait_seconds:
            raise ZooError(
                f"the server asks to wait {asked:.0f} seconds ({said})", where=file.url, fix="run the command later"
            )
        raise _TryAgainError(said, asked)
    gone = code in (404, 410)
    raise ZooError(
        f"the file is not there any more: {said}" if gone else f"the server refuses the file: {said}",
        where=file.url,
        fix="correct the address in the registry entry, or give the corpus by ZOO_CORPORA",
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


def _start(response: httpx2.Response) -> int:
    """First byte of the body: 0 unless the server answers the range that was asked for."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match.group(1)) if response.status_code == 206 and match else 0


def _total(response: httpx2.Response) -> int | None:
    """Bytes of the whole file, as far as the response tells."""
    match = re.match(r"bytes .*/(\d+)$", response.headers.get("Content-Range", ""))
    if match:
        return int(match.group(1))
    length = response.headers.get("Content-Length", "")
    return int(length) if response.status_code == 200 and length.isdigit() else None


def _store(response: httpx2.Response, file: RemoteFile, part: Path, start: int, options: FetchOptions) -> None:
    announced = _total(response)
    if announced is not None and file.size_bytes not in (None, announced):
        raise _WrongContentError(f"{announced} bytes, registered {file.size_bytes}")
    total = announced if file.size_bytes is None else file.size_bytes
    limit = _LARGEST_BYTES if total is None else total
    name, done = part.name[1:-5], start
    with part.open("ab" if start else "wb") as stream:
        for block in response.iter_raw():
            done += len(block)
            if done > limit:
                raise _WrongContentError(f"more than {limit} bytes")
            stream.write(block)
            if options.progress:
                options.progress(name, done, total)
    if total is not None and done < total:
        raise _TryAgainError(f"the connection ended after {done} of {total} bytes")
