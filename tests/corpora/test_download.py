"""Downloads against a real server that is slow, breaks off, lies, or is not there."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.loopback_files import FileServer, Reply, serve_files
from zoo.corpora.download import cached_path, describe, fetch
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.files import git_blob_sha1
from zoo.registry.schema import RemoteFile
from zoo.settings import Settings

CONTENT = b"".join(b"token-%d\tO\n" % number for number in range(20_000))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files() as files:
        yield files


class Clock:
    """Records the pauses that were asked for instead of making them."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


def options(clock: Clock | None = None, **changes: object) -> FetchOptions:
    return replace(FetchOptions(offline=False, timeout_seconds=5, sleep=clock or Clock()), **changes)  # type: ignore[arg-type]


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_file_is_fetched_once_and_then_served_from_the_cache(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/data/train.tsv", CONTENT)
    path = fetch(file, tmp_path, options=options())
    assert path.read_bytes() == CONTENT
    assert path == cached_path(file, tmp_path) and path.name == "train.tsv" and file.sha256 in path.parts
    assert fetch(file, tmp_path, options=options()) == path
    assert len(server.requests) == 1
    assert left_in(tmp_path) == ["train.tsv"]


def test_git_blob_hash_is_gits_own(tmp_path: Path, server: FileServer) -> None:
    (tmp_path / "hello").write_bytes(b"hello\n")
    assert git_blob_sha1(tmp_path / "hello") == "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
    server.put("/hello", b"hello\n")
    good = RemoteFile(url=server.url + "/hello", git_blob_sha1="ce013625030ba8dba906f756967f9e9ca394464a")
    assert fetch(good, tmp_path / "cache", options=options()).read_bytes() == b"hello\n"
    bad = RemoteFile(url=server.url + "/hello", git_blob_sha1="0" * 40)
    with pytest.raises(ZooError, match="git blob ce013625030b, registered 000000000000"):
        fetch(bad, tmp_path / "cache", options=options())


def test_a_mirror_is_asked_and_named_and_the_content_is_still_that_of_the_registry(
    server: FileServer, tmp_path: Path
) -> None:
    file = server.put("/mirror/data/train.tsv", CONTENT, Reply(status=403))
    home = file.model_copy(update={"url": "https://home.example/data/train.tsv"})
    mirrored = {
        "https://home.example/": "http://127.0.0.1:1/",
        "https://home.example/data/": f"{server.url}/mirror/data/",
    }
    given = options(mirrors=mirrored)
    with pytest.raises(ZooError, match="HTTP 403") as error:
        fetch(home, tmp_path, options=given)
    assert error.value.where == f"{server.url}/mirror/data/train.tsv (the mirror of {home.url})"
    assert fetch(home, tmp_path, options=given).read_bytes() == CONTENT
    assert cached_path(home, tmp_path).is_file() and fetch(home, tmp_path, options=options()).read_bytes() == CONTENT
    server.put("/mirror/data/other.tsv", b"something else")
    other = home.model_copy(update={"url": "https://home.example/data/other.tsv"})
    with pytest.raises(ZooError, match="not the registered one") as error:
        fetch(other, tmp_path, options=given)
    assert "the mirror of https://home.example/data/other.tsv" in str(error.value)


def test_a_password_in_a_mirror_is_not_told() -> None:
    given = options(mirrors={"https://home.example/": "https://me:secret@proxy.example/x/"})
    assert given.address("https://home.example/f") == "https://me:secret@proxy.example/x/f"
    assert given.told("https://home.example/f") == "https://proxy.example/x/f (the mirror of https://home.example/f)"
    assert given.told("https://other.example/f") == "https://other.example/f"


def test_the_hub_s_mirror_is_hf_endpoint_unless_the_settings_name_another(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://huggingface.co/datasets/a/b/resolve/c/d"
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert FetchOptions.of(Settings()).address(url) == url
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example/")
    assert FetchOptions.of(Settings()).address(url) == "http://hub.example/datasets/a/b/resolve/c/d"
    own = Settings(mirrors={"https://huggingface.co/": "http://mine.example/"})
    assert FetchOptions.of(own).address(url) == "http://mine.example/datasets/a/b/resolve/c/d"
    assert FetchOptions.of(Settings(offline=True)).is_offline and FetchOptions.of(Settings(), offline=True).is_offline


def test_broken_off_in_the_middle_is_resumed(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(cut_after=50_000), Reply(cut_after=30_000))
    clock = Clock()
    assert fetch(file, tmp_path, options=options(clock)).read_bytes() == CONTENT
    first, second, third = server.ranges("/train.tsv")
    assert first is None
    assert (second, third) == ("bytes=50000-", "bytes=80000-")
    assert len(clock.pauses) == 2 and clock.pauses[1] > clock.pauses[0]


def test_a_later_run_takes_up_what_an_earlier_one_left(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(cut_after=50_000))
    with pytest.raises(ZooError, match=r"cannot fetch train.tsv") as error:
        fetch(file, tmp_path, options=options(attempts=1))
    assert "goes on where it stopped" in str(error.value)
    assert left_in(tmp_path) == [".train.tsv.part"]
    assert fetch(file, tmp_path, options=options()).read_bytes() == CONTENT
    assert server.ranges("/train.tsv") == [None, "bytes=50000-"]
    assert left_in(tmp_path) == ["train.tsv"]


def test_a_wrong_remainder_of_an_earlier_run_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT)
    part = cached_path(file, tmp_path).with_name(".train.tsv.part")
    part.parent.mkdir(parents=True)
    for remainder in (b"not the start of this file", CONTENT[:-1] + b"x", CONTENT + b"more"):
        part.write_bytes(remainder)
        path = fetch(file, tmp_path, options=options())
        assert path.read_bytes() == CONTENT
        path.unlink()


def test_a_whole_remainder_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT)
    unsized = file.model_copy(update={"size_bytes": None})
    part = cached_path(file, tmp_path).with_name(".train.tsv.part")
    part.parent.mkdir(parents=True)
    for item, requests in ((file, []), (unsized, [f"bytes={len(CONTENT)}-"])):
        part.write_bytes(CONTENT)
        fetch(item, tmp_path, options=options()).unlink()
        assert server.ranges("/train.tsv") == requests


def test_server_without_ranges_starts_anew(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(cut_after=50_000), Reply(ranges=False))
    assert fetch(file, tmp_path, options=options()).read_bytes() == CONTENT


def test_slow_server_that_falls_silent_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(stall_after=1000, chunk=10), Reply(chunk=5000))
    assert fetch(file, tmp_path, options=options(timeout_seconds=0.2)).read_bytes() == CONTENT
    assert server.ranges("/train.tsv") == [None, "bytes=1000-"]


def test_silent_server_is_given_up(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(stall_after=0), Reply(stall_after=0))
    with pytest.raises(ZooError, match="ReadTimeout"):
        fetch(file, tmp_path, options=options(attempts=2, timeout_seconds=0.1))


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = RemoteFile(url=f"http://127.0.0.1:{port}/train.tsv", sha256="0" * 64)
    clock = Clock()
    with pytest.raises(ZooError, match=r"cannot fetch train.tsv: ConnectError"):
        fetch(file, tmp_path, options=options(clock, attempts=3))
    assert len(clock.pauses) == 2
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("wrong", [b"<html>gone</html>", CONTENT[:-1] + b"x", CONTENT + b"x", b""])
@pytest.mark.parametrize("sized", [True, False])
def test_wrong_content_is_refused_and_removed(server: FileServer, tmp_path: Path, wrong: bytes, sized: bool) -> None:
    file = server.put("/train.tsv", CONTENT, *[Reply(body=wrong)] * 3)
    file = file if sized else file.model_copy(update={"size_bytes": None})
    with pytest.raises(ZooError, match=r"the content of train.tsv is not the registered one") as error:
        fetch(file, tmp_path, options=options())
    assert file.url in str(error.value)
    assert left_in(tmp_path) == []


def test_endless_body_is_cut_short(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT)
    server.script["/train.tsv"] = [Reply(body=CONTENT * 4, headers={"Content-Length": str(len(CONTENT) * 4)})]
    with pytest.raises(ZooError, match=f"{len(CONTENT) * 4} bytes, registered {len(CONTENT)}"):
        fetch(file, tmp_path, options=options())


@pytest.mark.parametrize("status", [404, 410, 403, 401])
def test_refusals_are_not_repeated(server: FileServer, tmp_path: Path, status: int) -> None:
    file = server.put("/train.tsv", CONTENT, *[Reply(status=status)] * 3)
    with pytest.raises(ZooError, match=f"HTTP {status}"):
        fetch(file, tmp_path, options=options())
    assert len(server.requests) == 1
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_failures_are_repeated(server: FileServer, tmp_path: Path, status: int) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(status=status), Reply(status=status))
    clock = Clock()
    assert fetch(file, tmp_path, options=options(clock)).read_bytes() == CONTENT
    assert len(clock.pauses) == 2


def test_lasting_failure_is_given_up(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, *[Reply(status=503)] * 9)
    with pytest.raises(ZooError, match="HTTP 503"):
        fetch(file, tmp_path, options=options(attempts=4))
    assert len(server.requests) == 4


def test_retry_after_is_honoured(server: FileServer, tmp_path: Path) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=40))
    file = server.put(
        "/train.tsv",
        CONTENT,
        Reply(status=429, headers={"Retry-After": "17"}),
        Reply(status=503, headers={"Retry-After": date}),
        Reply(status=503, headers={"Retry-After": "soon"}),
    )
    clock = Clock()
    assert fetch(file, tmp_path, options=options(clock)).read_bytes() == CONTENT
    seconds, until_date, backoff = clock.pauses
    assert seconds == 17
    assert 30 < until_date <= 40
    assert 0 < backoff <= 60


def test_a_wait_of_an_hour_is_not_waited(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(status=429, headers={"Retry-After": "3600"}))
    clock = Clock()
    with pytest.raises(ZooError, match="asks to wait 3600 seconds"):
        fetch(file, tmp_path, options=options(clock))
    assert clock.pauses == []


def test_redirects_are_followed(server: FileServer, tmp_path: Path) -> None:
    real = server.put("/blob/1", CONTENT)
    server.put("/train.tsv", b"", Reply(status=302, headers={"Location": "/blob/1"}))
    file = real.model_copy(update={"url": server.url + "/train.tsv"})
    assert fetch(file, tmp_path, options=options()).read_bytes() == CONTENT


def test_an_error_names_the_registered_address_and_not_that_of_a_redirect(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(status=302, headers={"Location": "/gone?token=secret"}))
    with pytest.raises(ZooError, match="HTTP 404") as error:
        fetch(file, tmp_path, options=options())
    assert error.value.where == file.url and "secret" not in str(error.value)


def test_circular_redirect_is_refused(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, *[Reply(status=302, headers={"Location": "/train.tsv"})] * 30)
    with pytest.raises(ZooError, match="redirect"):
        fetch(file, tmp_path, options=options())


def test_damaged_cache_is_repaired(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT)
    path = fetch(file, tmp_path, options=options())
    path.write_bytes(CONTENT[:100])
    assert fetch(file, tmp_path, options=options()).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_offline_says_how_to_go_on(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT)
    with pytest.raises(ZooError, match="offline") as error:
        fetch(file, tmp_path, options=options(offline=True))
    assert "ZOO_CORPORA" in str(error.value)
    assert server.requests == [] and left_in(tmp_path) == []
    path = fetch(file, tmp_path, options=options())
    assert fetch(file, tmp_path, options=options(offline=True)) == path


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "ZOO_OFFLINE"])
def test_offline_is_read_from_the_environment(
    name: str, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("HF_HUB_OFFLINE", "ZOO_OFFLINE"):
        monkeypatch.delenv(other, raising=False)
    file = server.put("/train.tsv", CONTENT)
    monkeypatch.setenv(name, "1")
    with pytest.raises(ZooError, match="offline"):
        fetch(file, tmp_path)
    monkeypatch.setenv(name, "0")
    assert fetch(file, tmp_path).read_bytes() == CONTENT


def test_progress_is_told(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT, Reply(cut_after=50_000))
    told: list[tuple[str, int, int | None]] = []
    fetch(file, tmp_path, options=options(progress=lambda *step: told.append(step)))
    done = [bytes_ for _, bytes_, _ in told]
    assert done == sorted(done) and done[-1] == len(CONTENT)
    assert {(name, total) for name, _, total in told} == {("train.tsv", len(CONTENT))}


def test_unwritable_cache_is_one_message(server: FileServer, tmp_path: Path) -> None:
    file = server.put("/train.tsv", CONTENT)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ZooError, match="cannot write to the cache"):
        fetch(file, tmp_path / "cache", options=options())


def test_names_from_the_web_stay_inside_the_cache(tmp_path: Path) -> None:
    for path in ("/a/..%2f..%2fetc%2fpasswd", "/%2e%2e", "/", "/a b.tsv", "/.hidden"):
        file = RemoteFile(url=f"http://127.0.0.1{path}", sha256="1" * 64)
        target = cached_path(file, tmp_path)
        assert target.parent == tmp_path / "files" / ("1" * 64)
        assert target.name and not target.name.startswith(".") and "/" not in target.name


def test_describe_names_host_and_commit() -> None:
    commit = "df0df02fae6dbb87d88ffcf323b9096528f06f84"
    url = f"https://raw.githubusercontent.com/org/repo/{commit}/data/train.tsv"
    described = describe(RemoteFile(url=url, sha256="0" * 64))
    assert described == "raw.githubusercontent.com/org/repo at commit df0df02fae6d"
    assert describe(RemoteFile(url="https://x.org/a/train.tsv", sha256="0" * 64)) == "x.org/a"


CHILD = """
import json, sys
from pathlib import Path
from zoo.corpora.download import fetch
from zoo.corpora.retry import FetchOptions
from zoo.registry.schema import RemoteFile
from zoo.settings import Settings
file = RemoteFile(**json.loads(sys.argv[1]))
print("ready", flush=True)
print(fetch(file, Path(sys.argv[2]), options=FetchOptions(offline=False, timeout_seconds=20)), flush=True)
"""


def test_two_processes_fetch_one_file_once(server: FileServer, tmp_path: Path) -> None:
    both_are_up = threading.Event()
    file = server.put("/train.tsv", CONTENT, Reply(hold=both_are_up, chunk=1000))
    command = [sys.executable, "-c", CHILD, json.dumps(file.model_dump()), str(tmp_path)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) for _ in range(2)]
    try:
        for child in children:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
        both_are_up.set()
        paths = [child.communicate(timeout=60)[0].strip() for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert [child.returncode for child in children] == [0, 0]
    assert paths == [str(cached_path(file, tmp_path))] * 2
    assert hashlib.sha256(Path(paths[0]).read_bytes()).hexdigest() == file.sha256
    assert len(server.requests) == 1
    assert left_in(tmp_path) == ["train.tsv"]


def test_a_lock_that_is_held_too_long_is_one_message(server: FileServer, tmp_path: Path) -> None:
    from filelock import FileLock

    file = server.put("/train.tsv", CONTENT)
    target = cached_path(file, tmp_path)
    target.parent.mkdir(parents=True)
    held = FileLock(target.with_name(".train.tsv.lock"), is_singleton=False)
    with held, pytest.raises(ZooError, match="another process"):
        fetch(file, tmp_path, options=options(lock_seconds=0.05))
