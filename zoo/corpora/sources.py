"""Where the files of a corpus are: the user's local copies first, then the sources of its entry in their order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from pathlib import Path

from zoo.corpora.document import Document
from zoo.corpora.download import OFFLINE_FIX, cached_path, describe, fetch
from zoo.corpora.readers import read_split
from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.registry.formats import CORPUS_FORMATS
from zoo.registry.schema import (
    ArchiveSource,
    BundledSource,
    CorpusEntry,
    FolderSource,
    HubSource,
    PackedSource,
    RemoteFile,
    SplitName,
    UrlSource,
)
from zoo.settings import Settings

Reader = Callable[[Counter[str]], Iterator[Document]]
"""Streams a split; counts what it repairs."""
_LAYERS_FIX = "the files of a split, one a type, have the same texts in the same order: correct `layers` in the entry"


@dataclass(frozen=True)
class Located:
    """The files of a corpus on this machine.

    Attributes:
        source: Where they come from, in words fit for a card (no path of this machine).
        where: The same for an error message: a folder or an address.
        folder: Folder with one file or folder a split, named after it.
        files: The file of each split, where they are not in such a folder.
        readers: What reads each split, where it is not a file of its own.
        format: How the files are written; None: as the entry says.
        fetched: Whether they are a download, now or earlier.
    """

    source: str
    where: str | Path
    folder: Path | None = None
    files: Mapping[SplitName, Path] = field(default_factory=dict)
    readers: Mapping[SplitName, Reader] = field(default_factory=dict)
    format: str | None = None
    fetched: bool = False


def locate(
    entry: CorpusEntry,
    registry_folder: Path,
    local: Path | None,
    *,
    cache: Path | None = None,
    options: FetchOptions | None = None,
) -> Located:
    """Find the files of a corpus; fetch them where they are not here yet.

    A source that cannot be reached is passed over for the next one: every source must yield the same fingerprints.

    Args:
        entry: The corpus.
        registry_folder: Folder that the entry's relative paths start at.
        local: Folder with local corpora; `local/<corpus id>/` comes before all sources.
        cache: Root of the download cache; None: `ZOO_CACHE`.
        options: Retries, time-outs and progress of downloads.

    Raises:
        ZooError: No source has the files; what went wrong with the first one.
    """
    if local is not None:
        if not local.is_dir():
            raise ZooError(
                f"the corpora folder {str(local)!r} does not exist",
                where="ZOO_CORPORA, or corpora in zoo.toml",
                fix="set it to a folder with <corpus>/train.tsv.gz ...",
            )
        if (local / entry.id).is_dir():
            return Located("local copy (ZOO_CORPORA)", local / entry.id, folder=local / entry.id)
    cache = cache or Settings.load().cache
    options = options or FetchOptions()
    first: ZooError | None = None
    for source in entry.sources:
        try:
            match source:
                case BundledSource():
                    folder = registry_folder / source.path
                    return Located("bundled with the registry", folder, folder=folder)
                case FolderSource():
                    folder = registry_folder / Path(source.path).expanduser()
                    if folder.is_dir():
                        return Located("local folder", folder, folder=folder)
                    raise ZooError(f"the folder of the corpus {entry.id} does not exist", where=folder)
                case UrlSource():
                    return _url(source, entry, cache, options)
                case ArchiveSource():
                    return _archive(source, entry, cache, options)
                case PackedSource():
                    return _packed(source, entry, cache, options)
                case HubSource():
                    return _hub(source, options)
        except ZooError as error:
            first = first or error
    if first:
        raise ZooError(f"the corpus {entry.id} is not on this machine: {first.what}", where=first.where, fix=first.fix)
    raise ZooError(
        f"the corpus {entry.id} is not on this machine",
        where="ZOO_CORPORA" if local is None else local,
        fix=f"set ZOO_CORPORA to a folder that holds {entry.id}/{{train,dev,test}}.tsv[.gz]",
    )


AVAILABILITY = ("local copy", "bundled", "local folder", "in the cache", "to fetch", "no source")
"""Where a corpus can be had, the nearest first."""


def availability(
    entry: CorpusEntry, folders: Mapping[str, Path], local: Path | None, *, cache: Path | None = None
) -> str:
    """Where `locate` would find a corpus, without fetching anything; of a joined one, the member hardest to get.

    Args:
        entry: The corpus.
        folders: `Registry.folders`.
        local: As for `locate`.
        cache: As for `locate`.

    Returns:
        One of `AVAILABILITY`.
    """
    cache = cache or Settings.load().cache
    found = (_availability(part, folders[f"corpora/{part.id}"], local, cache) for part in entry.parts)
    return max(found, key=AVAILABILITY.index)


def _availability(entry: CorpusEntry, registry_folder: Path, local: Path | None, cache: Path) -> str:
    if local is not None and (local / entry.id).is_dir():
        return "local copy"
    for source in entry.sources:
        match source:
            case BundledSource():
                return "bundled"
            case FolderSource() if (registry_folder / Path(source.path).expanduser()).is_dir():
                return "local folder"
            case UrlSource() if _cached(_files(source), cache):
                return "in the cache"
            case ArchiveSource() if _cached((source.archive, *source.documents.values()), cache):
                return "in the cache"
            case PackedSource() if _cached((source.archive,), cache):
                return "in the cache"
            case HubSource():
                from huggingface_hub import try_to_load_from_cache

                found = (
                    try_to_load_from_cache(source.dataset, name, revision=source.revision, repo_type="dataset")
                    for name in source.files.values()
                )
                if all(isinstance(path, str) for path in found):
                    return "in the cache"
    remote = any(not isinstance(source, (BundledSource, FolderSource)) for source in entry.sources)
    return "to fetch" if remote else "no source"


def _cached(files: Iterable[RemoteFile], cache: Path) -> bool:
    return all(cached_path(file, cache).is_file() for file in files)


def _url(source: UrlSource, entry: CorpusEntry, cache: Path, options: FetchOptions) -> Located:
    files = {
        split: [fetch(each, cache, options=options) for each in (file, *source.layers.get(split, ()))]
        for split, file in source.files.items()
    }
    home = ", ".join(dict.fromkeys(describe(file) for file in _files(source)))

    def reader(split: SplitName) -> Reader:
        return lambda repairs: _part(split, entry, files[split], source.documents.get(split), repairs)

    readers = {split: reader(split) for split in files if split in source.documents or split in source.layers}
    alone = {split: paths[0] for split, paths in files.items()}
    return Located(home, home, files=alone, readers=readers, fetched=True)


def _files(source: UrlSource) -> list[RemoteFile]:
    return [*source.files.values(), *(file for files in source.layers.values() for file in files)]


def _part(
    split: SplitName, entry: CorpusEntry, paths: Sequence[Path], part: tuple[int, int] | None, repairs: Counter[str]
) -> Iterator[Document]:
    """The documents `[start, end)` of files, or all; what is repaired in those before them is not counted."""
    layers = [named_after(split, read_split(path, entry, repairs), path) for path in paths]
    documents = laid_over(layers, paths) if len(layers) > 1 else layers[0]
    if part is None:
        yield from documents
        return
    start, end = part
    before = repairs.copy()
    deque(islice(documents, start), maxlen=0)
    repairs.clear()
    repairs.update(before)
    yield from islice(documents, max(0, end - start))


def laid_over(layers: Sequence[Iterator[Document]], paths: Sequence[Path]) -> Iterator[Document]:
    """The documents of files that have the same texts in the same order, with the mentions of all.

    Args:
        layers: The documents of each file.
        paths: The files, for the error message.

    Raises:
        ZooError: The files have different texts; with the file and the first such document.
    """
    for documents in zip_longest(*layers):
        first = next(document for document in documents if document)
        for document, path in zip(documents, paths, strict=True):
            if document is None:
                raise ZooError(f"the file ends before document {first.id}", where=path, fix=_LAYERS_FIX)
            if document.text != first.text:
                raise ZooError(
                    f"the text is {document.text[:60]!r}, that of {paths[0].name} is {first.text[:60]!r}",
                    where=f"{path}: document {document.id}",
                    fix=_LAYERS_FIX,
                )
        yield replace(first, spans=tuple(sorted({span for document in documents for span in document.spans})))


def _archive(source: ArchiveSource, entry: CorpusEntry, cache: Path, options: FetchOptions) -> Located:
    from zoo.corpora.archive import read_archive, read_unpacked

    if entry.format != "conll" and "/" not in CORPUS_FORMATS[entry.format].suffixes:
        raise ZooError(
            f"an archive is read as columns or a folder, the format of {entry.id} is {entry.format}",
            fix="set format: conll, or one that is a folder of files",
        )
    archive = fetch(source.archive, cache, options=options)

    def reader(documents: Path) -> Reader:
        if entry.format != "conll":
            return lambda repairs: read_unpacked(source, entry, archive, documents, repairs)
        return lambda repairs: read_archive(
            source,
            archive,
            documents,
            default_type=entry.default_type,
            language=entry.language,
            repairs=repairs,
        )

    readers = {split: reader(fetch(file, cache, options=options)) for split, file in source.documents.items()}
    home = describe(source.archive)
    return Located(home, home, readers=readers, fetched=True)


def _packed(source: PackedSource, entry: CorpusEntry, cache: Path, options: FetchOptions) -> Located:
    from zoo.corpora.packed import read_packed

    archive = fetch(source.archive, cache, options=options)

    def reader(split: SplitName) -> Reader:
        return lambda repairs: read_packed(source, entry, archive, split, repairs)

    home = describe(source.archive)
    home += f", fold {source.fold} of {source.folds} (counted from 0)" if source.folds > 1 else ""
    return Located(home, home, readers={split: reader(split) for split in entry.split_names}, fetched=True)


def _hub(source: HubSource, options: FetchOptions) -> Located:
    """Parquet files of a Hub dataset, in the cache that every Hub client shares."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    home = f"huggingface.co/datasets/{source.dataset}@{source.revision[:12]}"
    files: dict[SplitName, Path] = {}
    for split, name in source.files.items():
        try:
            path = hf_hub_download(
                source.dataset, name, repo_type="dataset", revision=source.revision, local_files_only=options.is_offline
            )
            files[split] = Path(path)
        except (LocalEntryNotFoundError, OfflineModeIsEnabled):
            raise ZooError(
                f"{name} is not in the cache, and the Hub is out of reach", where=home, fix=OFFLINE_FIX
            ) from None
        except (EntryNotFoundError, HfHubHTTPError) as error:
            raise ZooError(
                f"the Hub refuses {name}: {str(error).splitlines()[0]}",
                where=home,
                fix="correct the source in the registry entry, or give the corpus by ZOO_CORPORA",
            ) from None
        except OSError as error:
            raise ZooError(f"cannot fetch {name}: {error}", where=home, fix=OFFLINE_FIX) from None
    return Located(home, home, files=files, format="parquet", fetched=True)


def named_after(split: str, documents: Iterator[Document], path: Path) -> Iterator[Document]:
    """Documents that a reader numbered after their file get the name of the split, whatever the file is called."""
    stem = path.name.split(".")[0]
    for document in documents:
        number = document.id.removeprefix(f"{stem}-")
        numbered = stem != split and number.isdigit() and number != document.id
        yield replace(document, id=f"{split}-{number}") if numbered else document
