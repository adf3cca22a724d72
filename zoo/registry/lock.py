"""`zoo.lock.yaml`: what the registry leaves open, as it was found: backbones, corpora, passages, ontologies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.registry.passage_entry import PassageEntry, RemotePassages
from zoo.registry.reading import check, read_yaml
from zoo.registry.schema import Backbone, Entry, HubId, Md5, Revision, Sha256, SplitInfo, SplitName

LOCK_FILE = "zoo.lock.yaml"


class LockedRepo(Entry):
    """A Hub repository at a commit.

    Attributes:
        files: File name -> `sha256:<hex>` of large files, `git:<hex>` (git's blob hash) of small ones.
    """

    hub_id: HubId
    revision: Revision
    files: dict[str, str]


class LockedCorpus(Entry):
    """A corpus without registered fingerprints, as it was when it was fetched first."""

    source: str = Field(description="where it was fetched from")
    splits: dict[SplitName, SplitInfo]


class LockedPart(Entry):
    """A file that passages were read from, or all answers of a home to one question.

    Attributes:
        md5: Of the file, as its home publishes it.
        sha256: Of the file; answers have none, as their wording may vary.
        size_bytes: Of the file, or of the answers together.
        ids_sha256: Of the ids of the passages in it, in order.
        records_sha256: Of all columns of those passages, in order.
    """

    name: str = Field(pattern=r"^\w[\w.-]*$")
    url: str
    md5: Md5 | None = None
    sha256: Sha256 | None = None
    size_bytes: int = Field(ge=0)
    records: int = Field(ge=0)
    ids_sha256: Sha256
    records_sha256: Sha256


class LockedPassages(Entry):
    """Passages as they were fetched.

    Attributes:
        source: Where from: the lock holds for a registry entry that says the same.
        sample: Number that the entry asked for.
        fetched: Day on which the first question was asked.
        ids_sha256: Of the parts' hashes of ids, in order.
        records_sha256: Of the parts' hashes of passages, in order.
    """

    source: RemotePassages
    sample: int | None = None
    fetched: date
    records: int = Field(ge=0)
    ids_sha256: Sha256
    records_sha256: Sha256
    parts: tuple[LockedPart, ...]


class LockedOntology(Entry):
    """An ontology without a registered fingerprint, as it was when it was fetched first.

    Attributes:
        source: Where it was fetched from.
        version: What its files say, or its entry.
        files: Address -> sha256 of each file.
        fingerprint: Of the parsed concepts.
    """

    source: str
    version: str
    files: dict[str, Sha256]
    concepts: int = Field(ge=0)
    names: int = Field(ge=0)
    fingerprint: Sha256


class Lock(Entry):
    """The content of zoo.lock.yaml; a part that is empty is not written."""

    backbones: dict[str, LockedRepo] = Field(default_factory=dict)
    corpora: dict[str, LockedCorpus] = Field(default_factory=dict)
    passages: dict[str, LockedPassages] = Field(default_factory=dict)
    ontologies: dict[str, LockedOntology] = Field(default_factory=dict)

    def of(self, entry: PassageEntry) -> LockedPassages | None:
        """What is locked of passages; None where the entry has changed since, or was never fetched."""
        item = self.passages.get(entry.id)
        return item if item and (item.source, item.sample) == (entry.remote, entry.sample) else None


def read_lock(path: Path) -> Lock:
    """Read a lock file; an absent one locks nothing.

    Raises:
        ZooError: It is malformed.
    """
    if not path.is_file():
        return Lock()
    status = path.stat()
    return _read(path.absolute(), status.st_mtime_ns, status.st_size)


@cache
def _read(path: Path, changed_ns: int, size_bytes: int) -> Lock:
    """A plan asks for each of its stages: read once as long as the file stays as it is."""
    return check(Lock, read_yaml(path), where=path)


def locked(backbone: Backbone, lock: Lock) -> Backbone:
    """The backbone with the locked revision, where its entry has none."""
    item = lock.backbones.get(backbone.id)
    if backbone.revision or item is None or item.hub_id != backbone.hub_id:
        return backbone
    return backbone.model_copy(update={"revision": item.revision})


def lock_corpus(path: Path, name: str, item: LockedCorpus) -> None:
    """Add a corpus to a lock file, as `lock_passages` does."""
    _add(path, "corpora", name, item)


def lock_ontology(path: Path, name: str, item: LockedOntology) -> None:
    """Add an ontology to a lock file, as `lock_passages` does."""
    _add(path, "ontologies", name, item)


def unlock_ontology(path: Path, name: str) -> None:
    """Remove an ontology from a lock file, if it is there.

    Raises:
        ZooError: The file is malformed or cannot be written; it stays as it was.
    """
    lock = read_lock(path)
    if name in lock.ontologies:
        kept = {other: item for other, item in lock.ontologies.items() if other != name}
        _write(path, lock.model_copy(update={"ontologies": kept}))


def lock_passages(path: Path, name: str, item: LockedPassages) -> None:
    """Add fetched passages to a lock file.

    Two processes that add at one moment may lose one of the two; it is added again when it is next looked for.

    Raises:
        ZooError: The file is malformed or cannot be written; it stays as it was.
    """
    _add(path, "passages", name, item)


def resolve(backbones: Sequence[Backbone], path: Path) -> tuple[dict[str, LockedRepo], dict[str, ZooError]]:
    """Ask the Hub for the commit and files of each backbone and add them to a lock file.

    Returns:
        What was locked, and why others were not: the Hub refuses their repositories.

    Raises:
        ZooError: The Hub cannot be reached, refuses all of the repositories, or a backbone is not on it; the file stays
            as it was.
    """
    lock = read_lock(path)
    found: dict[str, LockedRepo] = {}
    refused: dict[str, ZooError] = {}
    for backbone in backbones:
        if not backbone.hub_id:
            raise ZooError(f"the backbone {backbone.id} is not on the Hub: there is nothing to lock")
    for backbone in backbones:
        try:
            found[backbone.id] = _ask_hub(backbone)
        except _RefusedError as error:
            refused[backbone.id] = ZooError(error.what, where=error.where, fix=error.fix)
    if refused and not found:
        raise next(iter(refused.values()))
    _write(path, lock.model_copy(update={"backbones": {**lock.backbones, **found}}))
    return found, refused


def _add(path: Path, part: Literal["corpora", "passages", "ontologies"], name: str, item: Entry) -> None:
    lock = read_lock(path)
    known = getattr(lock, part)
    if known.get(name) != item:
        _write(path, lock.model_copy(update={part: {**known, name: item}}))


def _write(path: Path, lock: Lock) -> None:
    parts = lock.model_dump(mode="json", exclude_none=True)
    try:
        write_whole(path, yaml.safe_dump({name: part for name, part in parts.items() if part}, sort_keys=True))
    except OSError as error:
        raise ZooError(f"cannot write the lock file: {error.strerror}", where=path, fix="choose another file") from None


class _RefusedError(ZooError):
    """About one repository; others may be there."""


def _ask_hub(backbone: Backbone) -> LockedRepo:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]  # httpx's or httpx2's

    try:
        info = HfApi().model_info(str(backbone.hub_id), revision=backbone.revision, files_metadata=True)
    except OfflineModeIsEnabled:
        raise ZooError(
            "HF_HUB_OFFLINE is set, so the Hub cannot be asked", where="HF_HUB_OFFLINE", fix="unset it for zoo lock"
        ) from None
    except HfHubHTTPError as error:
        raise _RefusedError(
            f"the Hub refused {backbone.hub_id}: {str(error).splitlines()[0]}", fix="check the id and your token"
        ) from None
    except (TransportError, OSError) as error:
        raise ZooError(f"the Hub cannot be reached: {error}", fix="check the network and HF_ENDPOINT") from None
    files = {
        item.rfilename: f"sha256:{item.lfs.sha256}" if item.lfs else f"git:{item.blob_id}"
        for item in info.siblings or []
    }
    item = {"hub_id": backbone.hub_id, "revision": info.sha, "files": files}
    return check(LockedRepo, item, where=f"the Hub's answer about {backbone.hub_id}")
