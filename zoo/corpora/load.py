"""From a corpus entry to its checked splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.corpora.conll import read_conll
from zoo.corpora.document import Document, Span, fingerprint
from zoo.corpora.files import find_split
from zoo.corpora.jsonl import read_jsonl
from zoo.errors import ZooError, did_you_mean
from zoo.registry.schema import SPLITS, BundledSource, CorpusEntry, FolderSource, SplitName

_SUFFIXES = {"conll": (".tsv", ".conll", ".txt"), "jsonl": (".jsonl",)}


@dataclass(frozen=True)
class Corpus:
    """A corpus as it was read.

    Attributes:
        entry: Its registry entry.
        splits: Documents per split; span types are those of the label space.
        source: Where the files were found, in words fit for a card (no path of this machine).
        fingerprints: Fingerprint per split.
        repairs: What readers repaired, counted.
    """

    entry: CorpusEntry
    splits: Mapping[SplitName, tuple[Document, ...]]
    source: str
    fingerprints: Mapping[SplitName, str]
    repairs: Counter[str] = field(default_factory=Counter)

    @property
    def verified(self) -> bool:
        """Whether every split has the fingerprint that the registry entry demands (None: the entry demands none)."""
        return all(
            (info := self.entry.splits.get(split)) is not None and info.fingerprint is not None for split in self.splits
        )


def load_corpus(entry: CorpusEntry, *, registry_folder: Path, local: Path | None = None) -> Corpus:
    """Read all splits of a corpus from the first source that has them, and check their fingerprints.

    Args:
        entry: What to read.
        registry_folder: Folder of the registry that the entry came from; relative paths start there.
        local: Folder with local corpora (`ZOO_CORPORA`); `local/<corpus id>/` comes before the entry's sources.

    Raises:
        ZooError: No source has the files, a file is malformed, or a split differs from the registered one.
    """
    folder, source = _locate(entry, registry_folder, local)
    repairs: Counter[str] = Counter()
    splits: dict[SplitName, tuple[Document, ...]] = {}
    for split in SPLITS:
        path = find_split(folder, split, _SUFFIXES[entry.format])
        if path is None:
            raise ZooError(
                f"the corpus {entry.id} has no {split} split",
                where=folder,
                fix=f"add {split}{_SUFFIXES[entry.format][0]}[.gz]",
            )
        splits[split] = tuple(_mapped(read_split(path, entry, repairs), entry, path))
        if not splits[split]:
            raise ZooError("the file holds no document", where=path)
    corpus = Corpus(
        entry, splits, source, {split: fingerprint(documents) for split, documents in splits.items()}, repairs
    )
    _check_fingerprints(corpus, folder)
    return corpus


def read_split(path: Path, entry: CorpusEntry, repairs: Counter[str]) -> Iterator[Document]:
    """Stream one file with the reader of the entry's format."""
    if entry.format == "conll":
        return read_conll(path, default_type=entry.default_type, repairs=repairs)
    return read_jsonl(path)


def _locate(entry: CorpusEntry, registry_folder: Path, local: Path | None) -> tuple[Path, str]:
    if local is not None:
        if not local.is_dir():
            raise ZooError(
                f"the corpora folder {str(local)!r} does not exist",
                where="ZOO_CORPORA",
                fix="set it to a folder with <corpus>/train.tsv.gz ...",
            )
        if (local / entry.id).is_dir():
            return local / entry.id, "local copy (ZOO_CORPORA)"
    for source in entry.sources:
        if isinstance(source, BundledSource):
            return registry_folder / source.path, "bundled with the registry"
        if isinstance(source, FolderSource) and (folder := registry_folder / Path(source.path).expanduser()).is_dir():
            return folder, "local folder"
    raise ZooError(
        f"the corpus {entry.id} is not on this machine",
        where="ZOO_CORPORA" if local is None else local,
        fix=f"set ZOO_CORPORA to a folder that holds {entry.id}/{{train,dev,test}}.tsv[.gz]",
    )


def _mapped(documents: Iterator[Document], entry: CorpusEntry, path: Path) -> Iterator[Document]:
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
            spans.append(Span(span.start, span.end, entry.types[span.type], span.concept_ids))
        yield replace(document, spans=tuple(spans))


def _check_fingerprints(corpus: Corpus, folder: Path) -> None:
    for split, found in corpus.fingerprints.items():
        info = corpus.entry.splits.get(split)
        if info and info.fingerprint and info.fingerprint != found:
            raise ZooError(
                f"the {split} split of {corpus.entry.id} is not the registered one: fingerprint {found[:12]}, registered {info.fingerprint[:12]}",
                where=folder,
                fix="use the canonical files; scores on other data do not compare. For your own data write an entry under another id",
            )
