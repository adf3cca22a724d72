"""What a registry entry of passages may say, and where `zoo passages fetch` gets them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from zoo.registry.formats import PASSAGE_HOMES, PassageFormat
from zoo.registry.schema import BundledSource, Entry, FolderSource, Identifier, Language, LicenseInfo, RemoteFile, Url


class PubmedSource(Entry):
    """Files of PubMed's baseline, spread evenly over their numbers and so over the years; as many as are needed."""

    kind: Literal["pubmed-baseline"]
    url: Url = Field(description="the folder, with / at its end")


class ClinicalTrialsSource(Entry):
    """Studies of ClinicalTrials.gov by its API, version 2: as many of each quarter in which they were first posted."""

    kind: Literal["clinicaltrials-api"]
    url: Url
    first_year: int = Field(ge=1999)
    last_year: int = Field(ge=1999)
    page_size: int = Field(default=1000, ge=1, le=1000, description="studies of one answer")


class ArxivSource(Entry):
    """Abstracts of arXiv by OAI-PMH: those of some sets that have a biomedical category, by year of the last change."""

    kind: Literal["arxiv-oai"]
    url: Url
    sets: tuple[str, ...] = Field(min_length=1, description="setSpecs, such as q-bio or physics:physics:med-ph")
    since: date = Field(ge=date(2005, 9, 16), description="first day asked for; arXiv's datestamps begin on 2005-09-16")


class NotesFile(RemoteFile):
    """A table of notes, one a row, as comma-separated values with a header."""

    name: Identifier = Field(description="what ids begin with, and what the lock calls the file")
    text_column: str
    id_column: str
    source: str = Field(description="whose notes they are, with the licence")


class NotesSource(Entry):
    """Tables of clinical notes, each pinned by its hash."""

    kind: Literal["notes-csv"]
    files: tuple[NotesFile, ...] = Field(min_length=1)


RemotePassages = Annotated[PubmedSource | ClinicalTrialsSource | ArxivSource | NotesSource, Field(discriminator="kind")]
"""Where `zoo passages fetch` gets passages; what fetches each kind: `PASSAGE_HOMES` in formats.py."""
PassageSource = Annotated[BundledSource | FolderSource | RemotePassages, Field(discriminator="kind")]


class PassageEntry(Entry):
    """Raw text for domain-adaptive pre-training."""

    id: Identifier
    title: str
    homepage: str = Field(default="", description="where the files can be had")
    language: Language = Field(default="en", description="BCP 47 tag")
    format: PassageFormat = "jsonl"
    license: LicenseInfo
    sources: tuple[PassageSource, ...] = Field(default=(), description="tried in order; ZOO_PASSAGES comes first")
    passages: int | None = Field(default=None, ge=0, description="how many there are; others are refused")
    sample: int | None = Field(default=None, ge=1, description="use a seeded sample of so many; null: all")
    weight: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="times each passage is drawn per epoch: 2 draws all twice, 0.5 a seeded half",
    )
    note: str = ""

    @property
    def remote(self) -> RemotePassages | None:
        """The source that passages are fetched from, if there is one."""
        return next((source for source in self.sources if source.kind in PASSAGE_HOMES), None)  # type: ignore[return-value]
