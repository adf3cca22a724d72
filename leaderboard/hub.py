"""Where the board comes from and how it stays fresh: a folder, or live from the Hub, with the last good data kept."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data import BY_INTERVALS, Board, BoardError, Reported, from_result, load_board
from entry import Entry
from ranking import rank_within

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger("space")

RESULT_FILE = "result.json"
VERIFICATION_FILE = "verification.json"
"""Written into a repo by `zoo push` once its score was reproduced from the Hub."""
REQUEST_SECONDS = 20


@dataclass(frozen=True)
class _Read:
    sha: str
    entry: Entry | None


class HubSource:
    """Reads the `result.json` of every model repo of an organisation; what did not change is not read again."""

    def __init__(self, org: str, reported: tuple[Reported, ...] = (), api: HfApi | None = None) -> None:
        self.org = org
        self.reported = reported
        self._api = api
        self._known: dict[str, _Read] = {}

    def fetch(self) -> Board:
        """The board now.

        Raises:
            BoardError: The Hub does not answer.
        """
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # httpx's or httpx2's

        api = self._api or HfApi(token=False)
        known: dict[str, _Read] = {}
        try:
            for model in api.list_models(author=self.org, full=True):
                files = {item.rfilename for item in model.siblings or ()}
                sha = str(model.sha)
                if RESULT_FILE not in files:
                    continue
                old = self._known.get(model.id)
                known[model.id] = old if old and old.sha == sha else _Read(sha, self._entry(api, model.id, sha, files))
        except (HTTPError, OSError) as error:
            raise BoardError(f"the Hub does not answer ({type(error).__name__})") from None
        self._known = known
        entries = [read.entry for read in known.values() if read.entry]
        if not entries:
            raise BoardError(f"no results in the repos of {self.org}")
        return Board(
            entries=tuple(rank_within(entries)),
            ranking=f"{BY_INTERVALS} Only verified models are ranked.",
            reported=self.reported,
            origin=f"live from the Hub, organisation {self.org}",
        )

    def _entry(self, api: HfApi, repo: str, sha: str, files: set[str]) -> Entry | None:
        """The entry of a repo; None where its record cannot be read, which must not keep the others away."""

        def read(name: str) -> Any:
            path = api.hf_hub_download(repo, name, revision=sha, etag_timeout=REQUEST_SECONDS)
            return json.loads(Path(path).read_text(encoding="utf-8"))

        try:
            result = read(RESULT_FILE)
            verified = VERIFICATION_FILE in files and is_verified(result, read(VERIFICATION_FILE))
            entry = from_result(result, verified=verified)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("left out %s: its record cannot be read (%s)", repo, type(error).__name__)
            return None
        return replace(entry, key=entry.name if entry.repo_id == repo else repo, repo_id=repo)


def is_verified(result: Any, verification: Any) -> bool:
    """Whether a verification says that this very adapter reproduced its score."""
    return verification.get("passed") is True and verification.get("adapter") == result["fingerprints"]["adapter"]


def with_measured(live: Board, file: Board) -> Board:
    """A live board with what only `board.json` holds: speed of the same adapters, and the matrices of the plots."""
    speeds = {_adapter(entry): entry for entry in file.entries if entry.ms_per_1000_words is not None}
    entries = [
        replace(entry, ms_per_1000_words=known.ms_per_1000_words, processor=known.processor)
        if (known := speeds.get(_adapter(entry)))
        else entry
        for entry in live.entries
    ]
    return replace(live, entries=tuple(entries), cross=file.cross, ablation=file.ablation)


def _adapter(entry: Entry) -> str:
    """Hash of its weights; of no other where it is not recorded."""
    return str(entry.details.get("result", {}).get("fingerprints", {}).get("adapter") or entry)


class Store:
    """Gives the newest board that could be read; never waits for the Hub.

    Args:
        folder: Where `board.json` lies; read again when the file changes.
        reported: Figures of others.
        source: Where live data comes from, if from anywhere.
        every_seconds: Time between two reads of the source.
        clock: Seconds since the epoch, for tests.
    """

    def __init__(
        self,
        folder: Path,
        reported: tuple[Reported, ...] = (),
        source: HubSource | None = None,
        every_seconds: float = 900,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._reported, self._source = folder, reported, source
        self._every_seconds, self._clock = every_seconds, clock
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._file_board, self._live_board = Board(reported=reported), None  # type: Board, Board | None
        self._problem, self._refreshed = "", 0.0

    def board(self) -> Board:
        """The live board if there was one, else that of the file."""
        with self._lock:
            self._read_file()
            return self._live_board or self._file_board

    def status(self) -> str:
        """One line: where the data comes from, how old it is, and what went wrong last."""
        board = self.board()
        newest = max((entry.created for entry in board.entries), default="")
        parts = [board.origin]
        if newest:
            parts.append(f"newest result {newest[:10]}")
        if self._live_board and self._refreshed:
            parts.append(f"read {time.strftime('%Y-%m-%d %H:%M', time.gmtime(self._refreshed))} UTC")
        if self._problem:
            parts.append(f"{self._problem}: showing the last data that could be read")
        return " · ".join(parts)

    def refresh(self) -> None:
        """Read the live source once; keeps what is there when that fails."""
        if self._source is None:
            return
        try:
            board = self._source.fetch()
        except BoardError as error:
            log.warning("%s", error)
            with self._lock:
                self._problem = str(error)
            return
        with self._lock:
            self._read_file()
            board = with_measured(board, self._file_board)
            self._live_board, self._problem, self._refreshed = board, "", self._clock()

    def start(self) -> None:
        """Refresh in the background for as long as the process lives."""
        if self._source is not None:
            threading.Thread(target=self._loop, name="refresh", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.refresh()
            time.sleep(self._every_seconds)

    def _read_file(self) -> None:
        try:
            info = (self._folder / "board.json").stat()
        except OSError:
            if self._stamp is None:
                self._problem = "there is no board.json: run zoo board"
            return
        stamp = (info.st_mtime_ns, info.st_size)
        if stamp == self._stamp:
            return
        try:
            self._file_board = load_board(self._folder, self._reported)
            self._problem = ""
        except BoardError as error:
            log.warning("%s", error)
            self._problem = str(error)
        self._stamp = stamp
