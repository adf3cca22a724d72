"""From a corpus entry to its checked splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.corpora.document import Document, fingerprint
from zoo.corpora.files import find_split
from zoo.corpora.overlaps import resolve_overlaps
from zoo.corpora.readers.bioc import read_bioc
from zoo.corpora.readers.brat import read_brat
from zoo.corpora.readers.conll import read_conll
from zoo.corpora.readers.jsonl import read_jsonl
from zoo.corpora.readers.parquet import read_parquet
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.corpora.retry import FetchOptions
from zoo.corpora.sources import Located, locate, named_after
from zoo.errors import ZooError, did_you_mean
from zoo.registry.schema import SPLITS, CorpusEntry, HubSource, SplitName

SUFFIXES = {
    "conll": (".tsv", ".conll", ".txt"),
    "jsonl": (".jsonl",),
    "brat": ("/",),  # a folder
    "pubtator": (".pubtator", ".PubTator", ".txt"),
    "bioc": (".xml", ".json"),
    "parquet": (".parquet",),
}
"""What the files of a split are called, by format: the split's name and one of these, plain or with `.gz`."""


@dataclass(frozen=True)
class Corpus:
    """A corpus as it was read.

    Attributes:
        entry: Its registry entry.
        splits: Documents per split; span types are those of the label space.
        source: Where the files were found, in words fit for a card (no path of this machine).
        fingerprints: Fingerprint per split.
        repairs: What readers repaired or ignored and what the overlap policy left out, counted.
        dropped_mentions: Different annotated mentions per split that the overlap policy left out.
    """

    entry: CorpusEntry
    splits: Mapping[SplitName, tuple[Document, ...]]
    source: str
    fingerprints: Mapping[SplitName, str]
    repairs: Counter[str] = field(default_factory=Counter)
    dropped_mentions: Counter[SplitName] = field(default_factory=Counter)

    @property
    def verified(self) -> bool:
        """Whether every split has the fingerprint that the registry entry demands (None: the entry demands none)."""
        return all(
            (info := self.entry.splits.get(split)) is not None and info.fingerprint is not None for split in self.splits
        )


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
    for split in SPLITS:
        documents, path = _open(split, entry, located, repairs)
        resolved = []
        for document in _mapped(documents, entry, path):
            resolved.append(resolve_overlaps(document, entry.overlaps, repairs, where=path))
            annotated = {(*span.key, span.fragments) for span in document.spans}  # repeated ones are one mention
            dropped[split] += len(annotated) - len(resolved[-1].spans)
        splits[split] = tuple(resolved)
        if not splits[split]:
            raise ZooError("the file holds no document", where=path)
    corpus = Corpus(
        entry,
        splits,
        located.source,
        {split: fingerprint(documents) for split, documents in splits.items()},
        repairs,
        dropped,
    )
    _check_fingerprints(corpus, located.where)
    return corpus


def read_split(path: Path, entry: CorpusEntry, repairs: Counter[str]) -> Iterator[Document]:
    """Stream one file with the reader of the entry's format."""
    match entry.format:
        case "conll":
            return read_conll(path, default_type=entry.default_type, unit=entry.unit, repairs=repairs)
        case "jsonl":
            return read_jsonl(path)
        case "brat":
            return read_brat(path, repairs=repairs)
        case "pubtator":
            return read_pubtator(path, repairs=repairs)
        case "bioc":
            return read_bioc(path, repairs=repairs)
        case "parquet":
            hub = next((source for source in entry.sources if isinstance(source, HubSource)), None)
            columns = hub.model_dump(include={"tokens_column", "tags_column", "tag_names"}) if hub else {}
            return read_parquet(path, default_type=entry.default_type, repairs=repairs, **columns)


def _open(
    split: SplitName, entry: CorpusEntry, located: Located, repairs: Counter[str]
) -> tuple[Iterator[Document], str | Path]:
    """The documents of a split, and where they are for an error message."""
    if split in located.readers:
        return located.readers[split](repairs), located.where
    path = located.files.get(split)
    if path is None and located.folder is not None:
        path = find_split(located.folder, split, SUFFIXES[entry.format])
    if path is None:
        raise ZooError(
            f"the corpus {entry.id} has no {split} split",
            where=located.where,
            fix=f"add {split}{SUFFIXES[entry.format][0]}" + ("" if entry.format in ("brat", "parquet") else "[.gz]"),
        )
    return named_after(split, read_split(path, entry, repairs), path), path


def _mapped(documents: Iterator[Document], entry: CorpusEntry, path: str | Path) -> Iterator[Document]:
    """Rename the types of the files to those of the label space."""
    for document in documents:
        spans = []
        for span in document.spans:
            if span.type not in entry.types:
                raise ZooError(
                    f"the type {span.type!r} of document {document.id} is not in the entry of {entry.id}",
                    where=path,
                    fix=f"{did_you_mean(span.type, entry.types)} Add it to `types` of the corpus entry",
                )
            spans.append(replace(span, type=entry.types[span.type]))
        yield replace(document, spans=tuple(spans))


def _check_fingerprints(corpus: Corpus, where: str | Path) -> None:
    for split, found in corpus.fingerprints.items():
        info = corpus.entry.splits.get(split)
        if info and info.fingerprint and info.fingerprint != found:
            raise ZooError(
                f"the {split} split of {corpus.entry.id} is not the registered one: fingerprint {found[:12]}, "
                f"registered {info.fingerprint[:12]}",
                where=where,
                fix="use the canonical files; scores on other data do not compare. "
                "For your own data write an entry under another id",
            )
