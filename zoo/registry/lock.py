"""`zoo.lock.yaml`: what the registry leaves open, as it was found: commits of backbones, content of corpora."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import Field

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.registry.reading import check, read_yaml
from zoo.registry.schema import Backbone, Entry, HubId, Revision, SplitInfo, SplitName

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


class Lock(Entry):
    """The content of zoo.lock.yaml; a part that is empty is not written."""

    backbones: dict[str, LockedRepo] = Field(default_factory=dict)
    corpora: dict[str, LockedCorpus] = Field(default_factory=dict)


def read_lock(path: Path) -> Lock:
    """Read a lock file; an absent one locks nothing.

    Raises:
        ZooError: It is malformed.
    """
    return check(Lock, read_yaml(path), where=path) if path.is_file() else Lock()


def locked(backbone: Backbone, lock: Lock) -> Backbone:
    """The backbone with the locked revision, where its entry has none."""
    item = lock.backbones.get(backbone.id)
    if backbone.revision or item is None or item.hub_id != backbone.hub_id:
        return backbone
    return backbone.model_copy(update={"revision": item.revision})


def lock_corpus(path: Path, corpus: str, item: LockedCorpus) -> None:
    """Add a corpus to a lock file.

    Two processes that add at one moment may lose one of the two; it is added again when that corpus is next read.

    Raises:
        ZooError: The file is malformed, or cannot be written; then it is as it was.
    """
    lock = read_lock(path)
    _write(path, lock.model_copy(update={"corpora": {**lock.corpora, corpus: item}}))


def _write(path: Path, lock: Lock) -> None:
    try:
        write_whole(path, yaml.safe_dump(lock.model_dump(exclude_defaults=True), sort_keys=True))
    except OSError as error:
        raise ZooError(f"cannot write the lock file: {error.strerror}", where=path, fix="choose another file") from None


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
