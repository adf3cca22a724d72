"""Downloads pinned by content: resumed, retried, verified, kept in a cache that is addressed by the hash."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from zoo.corpora.client import open_client
from zoo.corpora.retry import FetchOptions, PassingError, check_status, with_retries
from zoo.errors import ZooError
from zoo.files import file_md5, file_sha256, git_blob_sha1, git_tree_sha1
from zoo.registry.schema import RemoteFile

if TYPE_CHECKING:
    import httpx2

OFFLINE_FIX = (
    "put the files into a folder and set ZOO_CORPORA (DIR/<corpus>/{train,dev,test}.tsv[.gz]), "
    "or unset HF_HUB_OFFLINE and ZOO_OFFLINE"
)
_LARGEST_BYTES = 2 * 1024**3


class _WrongContentError(Exception):
    """The bytes are not those that the registry pins."""


def fetch(file: RemoteFile, cache: Path, *, options: FetchOptions | None = None) -> Path:
    """The file in the cache, downloaded if it is not there yet; its content is verified at every call.

    An interrupted download is resumed (range requests, RFC 9110), also by the next process. Processes that want the
    same file wait for each other.

    Args:
        file: Address and hash (sha256, of git's blob or tree objects, or md5; without one, only its length is checked).
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
    if options.is_offline:
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
    """Where a file lies in the cache, whether it is there or not: addressed by its hash, under its own name.

    One whose hash is not known is addressed by that of its address.
    """
    name = PurePosixPath(unquote(urlsplit(file.url).path)).name
    name = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "file"
    return cache / "files" / _pin(file) / name


def _pin(file: RemoteFile) -> str:
    if file.sha256:
        return file.sha256
    if file.git_blob_sha1:
        return f"git-{file.git_blob_sha1}"
    return f"md5-{file.md5}" if file.md5 else f"url-{hashlib.sha256(file.url.encode()).hexdigest()[:32]}"


def describe(file: RemoteFile) -> str:
    """The public home of a file, fit for a card: host, path, and the commit where the address names one."""
    parts = urlsplit(file.url)
    match = re.match(r"^(.*)/([0-9a-f]{40})(?:/|\.zip$)", parts.path)
    if match:
        return f"{parts.hostname}{re.sub('/(?:archive|resolve)$', '', match.group(1))} at commit {match.group(2)[:12]}"
    return f"{parts.hostname}{PurePosixPath(parts.path).parent}".rstrip("/")


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
    if file.sha256 and (found := file_sha256(path)) != file.sha256:
        raise _WrongContentError(f"sha256 {found[:12]}, registered {file.sha256[:12]}")
    if file.git_blob_sha1 and (found := git_blob_sha1(path)) != file.git_blob_sha1:
        raise _WrongContentError(f"git blob {found[:12]}, registered {file.git_blob_sha1[:12]}")
    if file.md5 and (found := file_md5(path)) != file.md5:
        raise _WrongContentError(f"md5 {found[:12]}, registered {file.md5[:12]}")
    try:
        for folder, tree in file.git_trees.items():
            if (found := git_tree_sha1(path, folder)) != tree:
                raise _WrongContentError(f"git tree {found[:12]} of {folder}, registered {tree[:12]}")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _WrongContentError(f"not an intact zip archive: {error}") from None


def _download(file: RemoteFile, target: Path, options: FetchOptions) -> None:
    """Fill `target`. What an earlier process left is taken up; if it turns out wrong, the file is fetched anew once."""
    part = target.with_name(f".{target.name}.part")
    resumed, told = part.exists(), options.told(file.url)
    try:
        with open_client(options) as client:
            with_retries(lambda: _request(client, file, part, options), options, what=target.name, url=told)
        _verify(part, file)
    except _WrongContentError as error:
        part.unlink(missing_ok=True)
        if resumed:
            _download(file, target, options)
            return
        raise ZooError(
            f"the content of {target.name} is not the registered one: {error}",
            where=told,
            fix=f"the file was changed at its source: correct the registry entry, or {options.instead}",
        ) from None
    part.replace(target)


def _request(client: httpx2.Client, file: RemoteFile, part: Path, options: FetchOptions) -> None:
    """One request for what is still missing.

    Raises:
        PassingError: A failure that may pass.
        _WrongContentError: More bytes than the file has.
        ZooError: A failure that will not pass.
    """
    have = part.stat().st_size if part.exists() else 0
    if have and have == file.size_bytes:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    with client.stream("GET", options.address(file.url), headers=headers) as response:
        start, total = _range(response)
        if response.status_code == 416 and have:
            if have == total:
                return
            part.unlink()
            raise PassingError("the server has no such range")
        check_status(response, options, url=options.told(file.url))
        if start not in (0, have):
            raise PassingError(f"asked for the bytes from {have}, got those from {start}")
        if total is not None and file.size_bytes not in (None, total):
            raise _WrongContentError(f"{total} bytes, registered {file.size_bytes}")
        total = file.size_bytes if total is None else total
        limit = _LARGEST_BYTES if total is None else total
        with part.open("ab" if start else "wb") as stream:
            for block in response.iter_raw():
                start += len(block)
                if start > limit:
                    raise _WrongContentError(f"more than {limit} bytes")
                stream.write(block)
                if options.progress:
                    options.progress(part.name[1:-5], start, total)
    if total is not None and start < total:
        raise PassingError(f"the connection ended after {start} of {total} bytes")


def _range(response: httpx2.Response) -> tuple[int, int | None]:
    """First byte of the body, and bytes of the whole file as far as the response says."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    if match and response.status_code in (206, 416):
        return int(match[1] or 0), int(match[2]) if match[2] else None
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if response.status_code == 200 and length.isdigit() else None
