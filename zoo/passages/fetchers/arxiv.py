"""arXiv by OAI-PMH 2.0: the abstracts of biomedical sets, by the year of their records' last change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

from zoo.corpora.retry import PassingError
from zoo.errors import ZooError
from zoo.passages.fetchers.desk import ExpiredTokenError
from zoo.passages.fetchers.home import PagedHome, Part
from zoo.passages.passage import Passage
from zoo.passages.readers.arxiv import is_biomedical
from zoo.registry.lock import LockedPart
from zoo.registry.passage_entry import ArxivSource

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_ARXIV = "{http://arxiv.org/OAI/arXiv/}"


class Arxiv(PagedHome[ArxivSource]):
    """One request in three seconds (info.arxiv.org/help/api/tou.html); an answer may take more than half a minute."""

    gap_seconds = 3.0
    timeout_seconds = 120.0

    def parts(self, locked: Sequence[LockedPart] | None) -> Iterator[Part]:
        """One question for each set and year, up to the day on which fetching began."""
        for name in self.source.sets:
            for year in range(self.source.since.year, self.day.year + 1):
                since, until = max(f"{year}-01-01", f"{self.source.since}"), min(f"{year}-12-31", f"{self.day}")
                query = {"metadataPrefix": "arXiv", "set": name, "from": since, "until": until}
                part = f"{name.replace(':', '.')}-{year}"
                yield Part(part, f"{self.source.url}?verb=ListRecords&{urlencode(query)}")

    def ask(self, url: str, *, is_first: bool) -> bytes:
        """One page; an expired token is an error of the protocol, and to be sure a 400."""
        return self.desk.ask(url, self.entry.id, _check, expired=() if is_first else (400,))

    def next_url(self, part: Part, page: Path) -> str | None:
        """The resumption token alone; the last page has an empty one, or none (OAI-PMH 2.0, 3.5)."""
        found = _tree(page.read_bytes()).findtext(f"{_OAI}ListRecords/{_OAI}resumptionToken")
        token = (found or "").strip()
        return f"{self.source.url}?verb=ListRecords&{urlencode({'resumptionToken': token})}" if token else None

    def read(self, path: Path, part: Part) -> Iterator[Passage]:
        """Abstracts with a biomedical category; a paper of several sets counts in the first of them alone."""
        place = next(
            place for place, name in enumerate(self.source.sets) if part.name.startswith(name.replace(":", "."))
        )
        earlier = self.source.sets[:place]
        for record in _tree(path.read_bytes()).iterfind(f"{_OAI}ListRecords/{_OAI}record"):
            paper = record.find(f"{_OAI}metadata/{_ARXIV}arXiv")
            if paper is None:  # deleted
                continue
            name, categories, abstract = (
                (paper.findtext(f"{_ARXIV}{key}") or "").strip() for key in ("id", "categories", "abstract")
            )
            if not name:
                raise ZooError("a record of arXiv has no id", where=part.url, fix="run the command again later")
            sets = [item.text or "" for item in record.iterfind(f"{_OAI}header/{_OAI}setSpec")]
            is_elsewhere = any(f"{item}:".startswith(f"{other}:") for item in sets for other in earlier)
            if abstract and not is_elsewhere and any(map(is_biomedical, categories.split())):
                yield Passage(f"arxiv-{name}", " ".join(abstract.split()), "arXiv")


def _check(answer: bytes) -> None:
    """See that an answer is one of the protocol, and what error it names (OAI-PMH 2.0, 3.6)."""
    tree = _tree(answer)
    error = tree.find(f"{_OAI}error")
    code = error.get("code") if error is not None else None
    if code == "badResumptionToken":
        raise ExpiredTokenError(code)
    if error is not None and code != "noRecordsMatch":
        raise ZooError(
            f"arXiv refuses the question: {code}: {' '.join((error.text or '').split())}",
            where="passages/*.yaml: sources",
            fix="correct the sets and days of the source",
        )


def _tree(answer: bytes) -> ElementTree.Element:
    try:
        tree = ElementTree.fromstring(answer)
    except ElementTree.ParseError as error:
        raise PassingError(f"the answer is not whole XML: {error}") from None
    if tree.tag != f"{_OAI}OAI-PMH":
        raise PassingError(f"the answer is not OAI-PMH but <{tree.tag}>")
    return tree
