"""What every home of passages provides: its parts in order, each fetched and kept as one."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.files import file_sha256, write_whole
from zoo.passages.fetchers.desk import Desk, ExpiredTokenError
from zoo.passages.passage import Passage
from zoo.registry.lock import LockedPart
from zoo.registry.passage_entry import PassageEntry, RemotePassages
from zoo.registry.schema import RemoteFile

_Source = TypeVar("_Source", bound=RemotePassages)
SPARE = 1.1
"""Passages that are fetched for each one of the sample: some are short, repeated or test text."""


@dataclass(frozen=True)
class Raw:
    """What a home sent of a part.

    Attributes:
        files: Where it lies; read in this order.
        url: Where it is from.
        md5: Of the file, where its home publishes it.
        sha256: Of the file, where there is one alone.
        folder: What may be removed once it was read.
    """

    files: tuple[Path, ...]
    url: str
    folder: Path
    md5: str | None = None
    sha256: str | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.files)

    def discard(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Part:
    """A file, or all answers to one question.

    Attributes:
        name: What the lock calls it; a file name.
        url: The address of the file, or of the first answer.
        file: The file, where it is one.
    """

    name: str
    url: str
    file: RemoteFile | None = None


class Home(ABC, Generic[_Source]):
    """A home of passages.

    Args:
        entry: The passages.
        source: The source of the entry.
        day: Day on which fetching began.
        work: Folder for what is kept until all is fetched.
        cache: Root of the cache.
        options: Retries, time-outs, mirrors, progress.

    Attributes:
        gap_seconds: Least time from one request to the next.
        timeout_seconds: Least time-out.
        grows: Whether parts are fetched only until there are passages enough for the sample.
    """

    gap_seconds: ClassVar[float] = 1.0
    timeout_seconds: ClassVar[float] = 0.0
    grows: ClassVar[bool] = False

    def __init__(
        self, entry: PassageEntry, source: _Source, day: date, work: Path, cache: Path, options: FetchOptions
    ) -> None:
        self.entry, self.source, self.day, self.work, self.cache = entry, source, day, work, cache
        self.desk = Desk(options, self.gap_seconds, self.timeout_seconds)

    @abstractmethod
    def parts(self, locked: Sequence[LockedPart] | None) -> Iterator[Part]:
        """The parts in order.

        Args:
            locked: Those that the lock names; None: nothing is locked.
        """

    @abstractmethod
    def bring(self, part: Part) -> Raw:
        """Get what is not here yet of a part."""

    @abstractmethod
    def read(self, path: Path, part: Part) -> Iterator[Passage]:
        """Stream the passages of a file of a part."""

    def enough(self, records: int) -> bool:
        """Whether no more parts are needed."""
        return self.grows and self.entry.sample is not None and records >= SPARE * self.entry.sample


class FileHome(Home[_Source]):
    """A home with files."""

    def bring(self, part: Part) -> Raw:
        """Download the file, resumed and verified."""
        assert part.file is not None
        path = self.desk.download(part.file, self.cache)
        return Raw((path,), part.url, path.parent, part.file.md5, file_sha256(path))


class PagedHome(Home[_Source]):
    """A home that answers questions page by page, with a token for the next one."""

    def bring(self, part: Part) -> Raw:
        """Ask for the pages that are not here yet.

        Where a token is not known any more, the question is asked anew; other parts stay as they are.

        Raises:
            ZooError: The home forgets its tokens at once, or refuses.
        """
        folder = self.work / f"{part.name}.pages"
        folder.mkdir(parents=True, exist_ok=True)
        pages = sorted(folder.glob("[0-9]*"))
        wanted = self.wanted()
        known = sum(self._count(page, part) for page in pages) if wanted else 0
        url = self.next_url(part, pages[-1]) if pages else part.url
        restarted = False
        while url and not (wanted and known >= wanted):
            try:
                content = self.ask(url, is_first=not pages)
            except ExpiredTokenError as error:
                if restarted or not pages:
                    raise ZooError(
                        f"{self.entry.id}: the token for page {len(pages) + 1} of {part.name} is refused, though it is "
                        f"new ({error})",
                        where=part.url,
                        fix="run the command again later: it goes on with this part",
                    ) from None
                for page in pages:
                    page.unlink()
                pages, known, url, restarted = [], 0, part.url, True
                continue
            page = folder / f"{len(pages):05}"
            write_whole(page, content)
            pages.append(page)
            known += self._count(page, part) if wanted else 0
            url = self.next_url(part, page)
        return Raw(tuple(pages), part.url, folder)

    def _count(self, page: Path, part: Part) -> int:
        return sum(1 for _ in self.read(page, part))

    def wanted(self) -> int | None:
        """Passages of a part after which no more pages are asked for; None: all."""
        return None

    @abstractmethod
    def ask(self, url: str, *, is_first: bool) -> bytes:
        """One page.

        Raises:
            ExpiredTokenError: The token in the address is not known any more.
        """

    @abstractmethod
    def next_url(self, part: Part, page: Path) -> str | None:
        """Address of the page after one; None: it is the last."""
