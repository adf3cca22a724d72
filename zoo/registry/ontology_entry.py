"""The schema of ontologies: vocabularies whose concepts mentions are linked to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoo.registry.formats import OntologyFormat
from zoo.registry.schema import (
    BundledSource,
    Entry,
    FolderSource,
    Identifier,
    LicenseInfo,
    RemoteFile,
    Sha256,
    TypeName,
)

NEVER_PUBLISHED = {
    **dict.fromkeys(("umls", "umls-rrf"), "the licence of UMLS keeps its content to those who have it"),
    **dict.fromkeys(("medic", "ctd"), "the terms of CTD do not let its vocabularies be passed on"),
}
"""Id or format of an ontology -> why its content is in no push, whatever an entry says."""
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]*$", max_length=40)]


class OntologyFile(RemoteFile):
    """A file on the web; one whose hash is not known here is held to the lock file from its first fetch on."""

    @model_validator(mode="after")
    def _is_pinned(self) -> OntologyFile:
        return self


class FilesSource(Entry):
    """Files fetched over HTTP, read one after another."""

    kind: Literal["url"]
    files: tuple[OntologyFile, ...] = Field(min_length=1)


OntologySource = Annotated[BundledSource | FolderSource | FilesSource, Field(discriminator="kind")]
"""Where the files of an ontology are; the path of a bundled or local one is a file, or a folder with one or several."""


class OntologyEntry(Entry):
    """A vocabulary of concepts with names."""

    id: Identifier
    title: str
    description: str
    homepage: str = Field(default="", description="where the files can be had")
    citation: str = ""
    format: OntologyFormat
    license: LicenseInfo = Field(description="publishable: may its content, such as an index of names, be in a push?")
    version: str = Field(default="", description="empty: what the files say")
    sources: tuple[OntologySource, ...] = Field(default=(), description="tried in order; ZOO_ONTOLOGIES comes first")
    page: str = Field(
        default="", description="address of a concept's page: {id} is MESH:D003110 there, {local_id} D003110"
    )
    types: dict[TypeName, tuple[str, ...]] = Field(
        default_factory=dict,
        description="type of the label space -> what semantic types of its concepts begin with, where they have any; "
        "empty: all of them",
    )
    id_prefix: Prefix | Literal[""] = Field(
        default="", description="what ids without a prefix get: 9606 -> NCBITaxon:9606"
    )
    own_prefixes: tuple[Prefix, ...] = Field(
        default=(), description="prefixes of its own ids; concepts that it imports from others are left out; empty: all"
    )
    same_as: tuple[Prefix, ...] = Field(
        default=(), description="prefixes of cross-references that mean the same concept: they stand for it too"
    )
    vocabularies: tuple[str, ...] = Field(
        default=(), description="of UMLS: source vocabularies (SAB) whose names are taken; empty: all"
    )
    languages: tuple[str, ...] = Field(
        default=("en",), min_length=1, description="languages of names, where the files have several"
    )
    concepts: int | None = Field(default=None, ge=0)
    names: int | None = Field(default=None, ge=0)
    fingerprint: Sha256 | None = Field(default=None, description="of the parsed concepts; null until known")
    note: str = ""

    @model_validator(mode="after")
    def _is_not_published_where_it_never_may(self) -> OntologyEntry:
        why = NEVER_PUBLISHED.get(self.id) or NEVER_PUBLISHED.get(self.format)
        if why and self.license.publishable:
            raise ValueError(f"license.publishable must be false: {why}")
        return self

    @property
    def files(self) -> tuple[OntologyFile, ...]:
        """All files that it may be fetched from."""
        return tuple(file for source in self.sources if isinstance(source, FilesSource) for file in source.files)

    def page_of(self, concept_id: str) -> str:
        """Address of a concept's page; empty where the entry has none."""
        return self.page.replace("{id}", concept_id).replace("{local_id}", concept_id.partition(":")[2] or concept_id)
