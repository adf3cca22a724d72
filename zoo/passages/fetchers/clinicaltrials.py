"""ClinicalTrials.gov by its API, version 2: of each quarter the studies that were first posted in it, page by page."""

from __future__ import annotations

import json
import math
from calendar import monthrange
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from zoo.corpora.retry import PassingError
from zoo.passages.fetchers.home import SPARE, PagedHome, Part
from zoo.passages.passage import Passage
from zoo.passages.readers.clinicaltrials import read_clinical_trials
from zoo.registry.lock import LockedPart
from zoo.registry.passage_entry import ClinicalTrialsSource

_FIELDS = "NCTId,BriefSummary,DetailedDescription"


class ClinicalTrials(PagedHome[ClinicalTrialsSource]):
    """About 50 requests a minute are allowed."""

    gap_seconds = 1.2

    def parts(self, locked: Sequence[LockedPart] | None) -> Iterator[Part]:
        """One question for each quarter."""
        for year in range(self.source.first_year, self.source.last_year + 1):
            for quarter in range(1, 5):
                last = 3 * quarter
                days = f"{year}-{last - 2:02}-01,{year}-{last:02}-{monthrange(year, last)[1]}"
                query = {
                    "format": "json",
                    "fields": _FIELDS,
                    "filter.advanced": f"AREA[StudyFirstPostDate]RANGE[{days}]",
                    "sort": "StudyFirstPostDate:asc",
                    "pageSize": min(self.source.page_size, self.wanted() or self.source.page_size),
                }
                yield Part(f"{year}-q{quarter}", f"{self.source.url}?{urlencode(query)}")

    def wanted(self) -> int | None:
        """An equal share of the sample, and a little more."""
        if self.entry.sample is None:
            return None
        quarters = 4 * (self.source.last_year + 1 - self.source.first_year)
        return math.ceil(SPARE * self.entry.sample / quarters)

    def ask(self, url: str, *, is_first: bool) -> bytes:
        """One page; 400 to an address that was right before means that its token is not."""
        return self.desk.ask(url, self.entry.id, _check, expired=() if is_first else (400,))

    def next_url(self, part: Part, page: Path) -> str | None:
        """The same question with the token of the page; the home gives none with the last one."""
        token = _page(page.read_bytes()).get("nextPageToken")
        return f"{part.url}&{urlencode({'pageToken': token})}" if token else None

    def read(self, path: Path, part: Part) -> Iterator[Passage]:
        """Summary and description of each study."""
        return read_clinical_trials(path) if _page(path.read_bytes())["studies"] else iter(())


def _check(answer: bytes) -> None:
    _page(answer)


def _page(answer: bytes) -> dict[str, Any]:
    try:
        page = json.loads(answer)
    except ValueError:
        page = None
    if not isinstance(page, dict) or not isinstance(page.get("studies"), list):
        raise PassingError("the answer is no page of studies")
    return page
