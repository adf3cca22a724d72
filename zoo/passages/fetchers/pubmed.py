"""PubMed's baseline: files over HTTPS, each with its md5, spread evenly over the numbering.

Numbers follow PMIDs and so the years roughly; the first files hold the oldest articles, most without an abstract.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urljoin

from zoo.corpora.retry import PassingError
from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.passages.fetchers.home import FileHome, Part
from zoo.passages.passage import Passage
from zoo.passages.readers.pubmed import read_pubmed
from zoo.registry.lock import LockedPart
from zoo.registry.passage_entry import PubmedSource
from zoo.registry.schema import RemoteFile

_FILE = re.compile(r"\bpubmed\d+n\d+\.xml\.gz\b(?!\.md5)")
_MD5 = re.compile(r"\b[0-9a-fA-F]{32}\b")
_GOLDEN = 0.6180339887498949
"""Steps of this share of a circle leave gaps of almost equal size, however many there are (three-gap theorem)."""


class PubmedBaseline(FileHome[PubmedSource]):
    """At most three requests a second: what NCBI asks for (NBK25497)."""

    gap_seconds = 1 / 3
    grows = True

    def parts(self, locked: Sequence[LockedPart] | None) -> Iterator[Part]:
        """The locked files; without a lock those of the listing, in an order of which every beginning is spread out."""
        if locked is not None:
            for item in locked:
                pin = RemoteFile(url=item.url, sha256=item.sha256, md5=item.md5, size_bytes=item.size_bytes)
                yield Part(item.name, item.url, pin)
            return
        names = sorted(set(_FILE.findall(self._kept("listing.html", self.source.url, _FILE))))
        for place in spread(len(names), self.entry.id):
            url = urljoin(self.source.url, names[place])
            md5 = _MD5.findall(self._kept(f"{names[place]}.md5", f"{url}.md5", _MD5))[-1].lower()
            yield Part(names[place], url, RemoteFile(url=url, md5=md5))

    def read(self, path: Path, part: Part) -> Iterator[Passage]:
        """Abstracts, without titles."""
        return read_pubmed(path)

    def _kept(self, name: str, url: str, pattern: re.Pattern[str]) -> str:
        """A small text that must hold a pattern; asked for once."""

        def check(answer: bytes) -> None:
            if not pattern.search(answer.decode("utf-8", "replace")):
                raise PassingError(f"the answer is not {name}")

        path = self.work / name
        if not path.is_file():
            write_whole(path, self.desk.ask(url, name, check))
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ZooError(f"cannot read the file: {error.strerror or error}", where=path) from None


def spread(size: int, seed: str) -> Iterator[int]:
    """All places from 0 to `size`, each once; whatever number is taken of them lies evenly over the whole."""
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big") / 256**6
    seen: set[int] = set()
    step = 0
    while len(seen) < size:
        place = int(size * ((start + step * _GOLDEN) % 1))
        step += 1
        if place not in seen:
            seen.add(place)
            yield place
