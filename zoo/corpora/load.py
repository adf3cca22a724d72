"""From a corpus entry to its checked splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.corpora.document import Document, count_mentions, count_tokens, fingerprints
from zoo.corpora.files import find_split
from zoo.corpora.overlaps import resolve_overlaps
from zoo.corpora.readers import read_split
from zoo.corpora.readers.mentions import TRIMMED
from zoo.corpora.retry import FetchOptions, Progress
from zoo.corpora.sources import Located, locate, named_after
from zoo.errors import ZooError, did_you_mean
from zoo.registry.formats import CORPUS_FORMATS
from zoo.registry.loader import Registry
from zoo.registry.lock import LOCK_FILE, LockedCorpus, lock_corpus, read_lock
from zoo.registry.schema import OTHER_TYPES, CorpusEntry, SplitInfo, SplitName
from zoo.settings import Settings

_LINES = "jsonl"
"""The format that local copies may have, whatever the entry says: it holds all that there is to a document."""


@dataclass(frozen=True)
class Corpus:
    """A corpus as it was read.

    Attributes:
        entry: Its registry entry.
        splits: Documents per split (test alone of a corpus for evaluation); span types are those of the label space.
        source: Where the files were found, in words fit for a card (no path of this machine).
        fingerprints: Fingerprint per split: the registered one where the split has it in any version, else the newest.
        repairs: What readers repaired or ignored and what the overlap policy left out, counted.
        dropped_mentions: Different annotated mentions per split that the overlap policy left out.
        fetched: Whether its files are a download, now or earlier.
        locked: Whether it is what the lock file says.
        members: Of a joined corpus: id of each member -> which documents of a split are its; else empty.
    """

    entry: CorpusEntry
    splits: Mapping[SplitName, tuple[Document, ...]]
    source: str
    fingerprints: Mapping[SplitName, str]
    repairs: Counter[str] = field(default_factory=Counter)
    dropped_mentions: Counter[SplitName] = field(default_factory=Counter)
    fetched: bool = False
    locked: bool = False
    members: Mapping[str, Mapping[SplitName, slice]] = field(default_factory=dict)

    def split_infos(self) -> dict[SplitName, SplitInfo]:
        """Counts and fingerprint of each split, as a registry entry or a lock file has them."""
        return {
            split: SplitInfo(
                documents=len(documents),
                tokens=count_tokens(documents),
                mentions=count_mentions(documents),
                fingerprint=self.fingerprints[split],
            )
            for split, documents in self.splits.items()
        }

    def documents(self, split: SplitName) -> tuple[Document, ...]:
        """The documents of a split.

        Raises:
            ZooError: The corpus has no such split: it is for evaluation alone.
        """
        if split not in self.splits:
            there = ", ".join(self.splits)
            raise ZooError(
                f"{self.entry.id} has no {split} split, only {there}", where="--split", fix=f"--split {there}"
            )
        return self.splits[split]

    def is_split(self, split: SplitName, known: str) -> bool:
        """Whether a fingerprint, of any version, is that of a split."""
        return known in fingerprints(self.splits[split])

    @property
    def verified(self) -> bool:
        """Whether every split has the fingerprint that the registry entry demands (None: the entry demands none)."""
        return all(
            (info := part.splits.get(split)) is not None and info.fingerprint is not None
            for part in self.entry.parts
            for split in self.splits
        )


def open_corpus(
    entry: CorpusEntry,
    registry: Registry,
    settings: Settings,
    *,
    offline: bool = False,
    progress: Progress | None = None,
) -> Corpus:
    """Read a corpus of a registry, fetched where it is not on this machine.

    One without registered fingerprints must be what the lock file of the current folder says; where that does not know
    it yet, a fetched one is added to it. Of a joined corpus that holds for its members.

    Args:
        entry: What to read.
        registry: Registry that the entry is from.
        settings: Where local corpora and downloads are.
        offline: Fetch nothing; what the settings and the environment say holds, too.
        progress: Called after every block of a download.

    Raises:
        ZooError: As for `load_corpus`, or it is not the locked one.
    """
    if entry.members:
        return _join(
            entry,
            [open_corpus(m, registry, settings, offline=offline, progress=progress) for m in entry.members],
        )
    corpus = load_corpus(
        entry,
        registry_folder=registry.folders[f"corpora/{entry.id}"],
        local=settings.corpora,
        cache=settings.cache,
        options=FetchOptions.of(settings, offline=offline, progress=progress),
    )
    return corpus if corpus.verified else held_to_lock(corpus, Path(LOCK_FILE))


def held_to_lock(corpus: Corpus, path: Path) -> Corpus:
    """A corpus, if it is what a lock file says; one that was fetched and is not in the file is added to it.

    Raises:
        ZooError: A split is not the locked one, or the file is malformed.
    """
    locked = read_lock(path).corpora.get(corpus.entry.id)
    if locked is None:
        if not corpus.fetched:
            return corpus
        try:
            lock_corpus(path, corpus.entry.id, LockedCorpus(source=corpus.source, splits=corpus.split_infos()))
        except ZooError:  # the folder cannot be written to: what is read is no worse for that
            return corpus
        return replace(corpus, locked=True)
    for split in corpus.splits:
        wanted = locked.splits[split].fingerprint if split in locked.splits else None
        if wanted is None or not corpus.is_split(split, wanted):
            raise ZooError(
                f"the {split} split of {corpus.entry.id} is not the locked one: fingerprint "
                f"{corpus.fingerprints[split][:12]} ({corpus.source}), "
                f"locked {(wanted or 'none')[:12]} ({locked.source})",
                where=f"{path}: corpora.{corpus.entry.id}",
                fix="use the files that it was locked with, or remove it from the lock file to lock what is here now: "
                "scores on other data do not compare",
            )
    return replace(corpus, locked=True)


def load_corpus(
    entry: CorpusEntry,
    *,
    registry_folder: Path,
    local: Path | None = None,
    cache: Path | None = None,
    options: FetchOptions | None = None,
) -> Corpus:
    """Read all splits of a corpus from the first source that has them, and check their fingerprints.

    Args:
        entry: What to read.
        registry_folder: Folder of the registry that the entry came from; relative paths start there.
        local: Folder with local corpora (`ZOO_CORPORA`); `local/<corpus id>/` comes before the entry's sources.
        cache: Root of the download cache; None: `ZOO_CACHE`.
        options: Retries, time-outs and progress of downloads.

    Raises:
        ZooError: No source has the files, a file is malformed, or a split differs from the registered one.
    """
    located = locate(entry, registry_folder, local, cache=cache, options=options)
    repairs: Counter[str] = Counter()
    dropped: Counter[SplitName] = Counter()
    splits: dict[SplitName, tuple[Document, ...]] = {}
    for split in entry.split_names:
        documents, path = _open(split, entry, located, repairs)
        splits[split], dropped[split] = _resolved(documents, entry, path, repairs)
        if not splits[split]:
            raise ZooError("the file holds no document", where=path)
    found = {split: _fingerprint(entry, split, splits[split], repairs, located.where) for split in splits}
    return Corpus(entry, splits, located.source, found, repairs, dropped, fetched=located.fetched)


def _join(entry: CorpusEntry, corpora: Sequence[Corpus]) -> Corpus:
    """The documents of all members, one member after another, with the types of the joined corpus."""
    repairs, dropped = Counter[str](), Counter[SplitName]()
    splits: dict[SplitName, tuple[Document, ...]] = {}
    members: dict[str, dict[SplitName, slice]] = {corpus.entry.id: {} for corpus in corpora}
    for corpus in corpora:
        name = corpus.entry.id
        repairs += corpus.repairs
        dropped += corpus.dropped_mentions
        for split, documents in corpus.splits.items():
            own, lost = _resolved(documents, entry, f"{entry.id}: {name}", repairs)
            before = splits.get(split, ())
            splits[split] = before + tuple(replace(document, id=f"{name}/{document.id}") for document in own)
            members[name][split] = slice(len(before), len(splits[split]))
            dropped[split] += lost
    return Corpus(
        entry,
        splits,
        "; ".join(f"{corpus.entry.id}: {corpus.source}" for corpus in corpora),
        {split: _fingerprint(entry, split, splits[split], repairs, entry.id) for split in splits},
        repairs,
        dropped,
        fetched=any(corpus.fetched for corpus in corpora),
        locked=all(corpus.locked or corpus.verified for corpus in corpora),
        members=members,
    )


def _resolved(
    documents: Iterable[Document], entry: CorpusEntry, where: str | Path, repairs: Counter[str]
) -> tuple[tuple[Document, ...], int]:
    """Documents with types of the label space and overlaps as the entry has them, and how many mentions that lost."""
    found, lost = [], 0
    for document in _mapped(documents, entry, where, repairs):
        found.append(resolve_overlaps(document, entry.overlaps, repairs, where=where))
        annotated = {span.key for span in document.spans}  # repeated ones are one mention
        lost += len(annotated) - len(found[-1].spans)
    return tuple(found), lost


def find_split_file(folder: Path, split: SplitName, entry: CorpusEntry) -> Path | None:
    """The file (or folder) of a split in a folder that holds a corpus: in its format, or else JSON lines."""
    return find_split(folder, split, (*CORPUS_FORMATS[entry.format].suffixes, *CORPUS_FORMATS[_LINES].suffixes))


def _open(
    split: SplitName, entry: CorpusEntry, located: Located, repairs: Counter[str]
) -> tuple[Iterator[Document], str | Path]:
    """The documents of a split, and where they are for an error message."""
    if split in located.readers:
        return located.readers[split](repairs), located.where
    path = located.files.get(split)
    if path is None and located.folder is not None:
        path = find_split_file(located.folder, split, entry)
    if path is None:
        suffix = CORPUS_FORMATS[entry.format].suffixes[0]
        raise ZooError(
            f"the corpus {entry.id} has no {split} split",
            where=located.where,
            fix=f"add {split}{suffix}" + ("" if suffix in ("/", ".parquet") else "[.gz]"),
        )
    format = located.format
    if CORPUS_FORMATS[_LINES].matches(path.name) and not CORPUS_FORMATS[format or entry.format].matches(path.name):
        format = _LINES
    return named_after(split, read_split(path, entry, repairs, format=format), path), path


def _mapped(
    documents: Iterable[Document], entry: CorpusEntry, path: str | Path, repairs: Counter[str]
) -> Iterator[Document]:
    """Rename the types of the files to those of the label space; `*` in the entry takes every type not named there."""
    others = entry.types.get(OTHER_TYPES)
    for document in documents:
        spans = []
        for span in document.spans:
            if span.type in entry.left_out:
                repairs[f"mention of the type {span.type}, which the entry leaves out"] += 1
                continue
            name = entry.types.get(span.type, others)
            if name is None:
                raise ZooError(
                    f"the type {span.type!r} of document {document.id} is not in the entry of {entry.id}",
                    where=path,
                    fix=f"{did_you_mean(span.type, entry.types)} Add it to `types` of the corpus entry",
                )
            if span.type not in entry.types:
                repairs[f"mention of the type {span.type}, which the entry does not name, read as {name}"] += 1
            spans.append(replace(span, type=name))
        yield replace(document, spans=tuple(spans))


def _fingerprint(
    entry: CorpusEntry, split: SplitName, documents: Sequence[Document], repairs: Counter[str], where: str | Path
) -> str:
    """The fingerprint of a split, which must be the registered one, in any version, where there is one."""
    known = fingerprints(documents)
    info = entry.splits.get(split)
    registered = info.fingerprint if info else None
    if registered and registered not in known:
        again = " If it was added by an earlier version, add it again: mentions are trimmed now." * (TRIMMED in repairs)
        raise ZooError(
            f"the {split} split of {entry.id} is not the registered one: fingerprint {known[-1][:12]}, "
            f"registered {registered[:12]}",
            where=where,
            fix="use the canonical files; scores on other data do not compare. "
            f"For your own data write an entry under another id.{again}",
        )
    return registered or known[-1]
