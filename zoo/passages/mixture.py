"""The text of domain-adaptive pre-training: passages of several entries, cleaned, held out in part, drawn by weight."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from zoo.corpora.load import Corpus
from zoo.corpora.repeats import Sketches
from zoo.corpora.similarity import normalise, words
from zoo.errors import ZooError
from zoo.files import file_sha256
from zoo.language.cutting import count_words
from zoo.passages.cleaning import long_enough, random_key, sample, without_test_text
from zoo.passages.contamination import TextIndex
from zoo.passages.load import load_passages, passage_files, passages_path
from zoo.passages.passage import Passage
from zoo.passages.stored import PassageWriter, StoredPassages
from zoo.records import Record
from zoo.registry.passage_entry import PassageEntry

MIN_WORDS = 30
"""Of a passage; about the 50 tokens of arXiv 2508.01630. Words as in `zoo.language.cutting`."""
MAX_WORDS = 200
"""Of a passage before it is cut: most pieces then stay within 256 tokens."""
HELDOUT_SHARE = 0.05
HELDOUT_MAX = 500
_PIECES, _SPILL = "passages.arrow", "sample.arrow"


class PassageCounts(Record):
    """What became of passages: those read and `cut_pieces` together are all that follow `skipped`."""

    read: int = Field(default=0, ge=0, description="passages that the reader gave")
    cut_pieces: int = Field(default=0, ge=0, description="pieces that long passages were cut into, less one for each")
    skipped: dict[str, int] = Field(
        default_factory=dict, description="records that the reader left out, by reason; not among those read"
    )
    too_short: int = Field(default=0, ge=0, description="passages of too few words")
    not_sampled: int = Field(default=0, ge=0, description="passages outside the sample that the entry asks for")
    test_overlap: int = Field(
        default=0, ge=0, description="pieces with a whole test sentence or 13 words in a row of a test set"
    )
    exact_duplicates: int = Field(default=0, ge=0, description="pieces that equal an earlier one, normalised")
    near_duplicates: int = Field(default=0, ge=0, description="pieces that are nearly an earlier one that was kept")
    kept_train: int = Field(default=0, ge=0)
    kept_heldout: int = Field(default=0, ge=0)
    kept_words: int = Field(default=0, ge=0, description="words of the pieces kept, in train and held-out")


class MixtureCounts(Record):
    """What became of the passages of a mixture."""

    entries: dict[str, PassageCounts] = Field(description="by id of the registry entry")
    total: PassageCounts


@dataclass(frozen=True)
class PreparedPassages:
    """Passages to train on and to measure perplexity on, on disk; no document has pieces in both.

    Attributes:
        train: Pieces to train on, in the order they were read in.
        heldout: Pieces kept out of training.
        train_origin: Registry entry of each piece of `train`.
        heldout_origin: Registry entry of each piece of `heldout`.
        weights: Registry entry -> times each of its passages is drawn per epoch.
        counts: What became of all that was read.
    """

    train: Sequence[Passage]
    heldout: Sequence[Passage]
    train_origin: tuple[str, ...]
    heldout_origin: tuple[str, ...]
    weights: Mapping[str, float]
    counts: MixtureCounts


def prepare_passages(
    entries: Sequence[PassageEntry],
    test_corpora: Sequence[Corpus],
    *,
    folders: Mapping[str, Path],
    folder: Path,
    local: Path | None = None,
    min_words: int = MIN_WORDS,
    max_words: int = MAX_WORDS,
    heldout_share: float = HELDOUT_SHARE,
    heldout_max: int = HELDOUT_MAX,
    seed: int,
) -> PreparedPassages:
    """Read passages, cut long ones, leave out what is short, repeated or test text, and hold some documents out.

    Of a passage that is cut, pieces go together with the one before and the one after: test text that begins in one and
    ends in the next takes both out, and a piece with test text takes its neighbours along. Duplicates are looked for
    over all entries, and the first stays. Files and seed determine the outcome. No text stays in memory: what is kept
    is written to disk, and some 400 bytes a piece are held meanwhile.

    Args:
        entries: What to read, in this order.
        test_corpora: Corpora whose test text must not be trained on.
        folders: `passages/<id>` -> folder of the registry that the entry is from.
        folder: Where the pieces are kept, which must stay there as long as they are read.
        local: Folder with local passages (`ZOO_PASSAGES`).
        min_words: Fewest words of a passage.
        max_words: Most words of a piece, at least twice as many.
        heldout_share: Share of the pieces to hold out, by whole documents in random order.
        heldout_max: At most so many.
        seed: Of samples and held-out documents.

    Raises:
        ZooError: An entry is not on this machine, malformed or named twice, or a number is out of range.
    """
    _check(entries, min_words, max_words, heldout_share)
    tallies: dict[str, Counter[str]] = {entry.id: Counter() for entry in entries}
    skipped: dict[str, Counter[str]] = {entry.id: Counter() for entry in entries}
    index = TextIndex(test_corpora)
    seen: set[bytes] = set()
    sketches = Sketches()
    origins: list[str] = []
    documents: list[str] = []
    lengths: list[int] = []
    folder.mkdir(parents=True, exist_ok=True)
    with PassageWriter(folder / _PIECES) as writer:
        for entry in entries:
            tally = tallies[entry.id]
            stream = load_passages(
                entry, registry_folder=folders[f"passages/{entry.id}"], local=local, skipped=skipped[entry.id]
            )
            chosen = sample(long_enough(stream, min_words, tally), entry, seed, tally, folder / _SPILL)
            for batch in without_test_text(chosen, index, min_words, max_words, tally):
                new = []
                for passage, its_words in batch:
                    digest = hashlib.blake2b(normalise(passage.text).encode(), digest_size=16).digest()
                    if digest in seen:
                        tally["exact_duplicates"] += 1
                        continue
                    seen.add(digest)
                    new.append(its_words)
                    writer.add(passage)
                    origins.append(entry.id)
                    documents.append(passage.document_id)
                    lengths.append(count_words(passage.text))
                sketches.add(new)
    stored = StoredPassages(folder / _PIECES)
    repeated = sketches.repeated(lambda item: words(stored[item].text))
    for item in repeated:
        tallies[origins[item]]["near_duplicates"] += 1
    kept = [item for item in range(len(stored)) if item not in repeated]
    out = _heldout_documents([documents[item] for item in kept], heldout_share, heldout_max, seed)
    parts = {
        "kept_train": [item for item in kept if documents[item] not in out],
        "kept_heldout": [item for item in kept if documents[item] in out],
    }
    for key, items in parts.items():
        for item in items:
            tallies[origins[item]][key] += 1
            tallies[origins[item]]["kept_words"] += lengths[item]
    train, heldout = parts.values()
    return PreparedPassages(
        train=stored.chosen(_numbers(train)),
        heldout=stored.chosen(_numbers(heldout)),
        train_origin=tuple(origins[item] for item in train),
        heldout_origin=tuple(origins[item] for item in heldout),
        weights={entry.id: entry.weight for entry in entries},
        counts=_counts(tallies, skipped),
    )


def draw_epoch(prepared: PreparedPassages, epoch: int, seed: int) -> npt.NDArray[np.int64]:
    """Numbers of the training passages of an epoch in random order, each entry's as often as its weight says.

    An entry's passages stand in a random order that epochs go through one after another, again from the start when it
    ends: with weight 0.5 two epochs see every passage once, with 1.5 three times.

    Args:
        prepared: The mixture.
        epoch: Number of the epoch, from 0.
        seed: The same for all epochs.
    """
    members: dict[str, list[int]] = {name: [] for name in prepared.weights}
    for number, origin in enumerate(prepared.train_origin):
        members[origin].append(number)
    drawn: list[int] = []
    for name, numbers in members.items():
        random.Random(f"{seed} {name}").shuffle(numbers)
        size = prepared.weights[name] * len(numbers)
        drawn += [numbers[item % len(numbers)] for item in range(int(epoch * size), int((epoch + 1) * size))]
    random.Random(f"{seed} epoch {epoch}").shuffle(drawn)
    return _numbers(drawn)


def passages_fingerprint(
    entries: Sequence[PassageEntry], *, folders: Mapping[str, Path], local: Path | None = None
) -> str:
    """Sha256 over what determines a mixture: the files' content and names, and how each entry is read and drawn.

    Where the files lie does not count. Files are hashed as they are, packed or not, and only once per process.

    Raises:
        ZooError: An entry is not on this machine, or a file cannot be read.
    """
    digest = hashlib.sha256()
    for entry in entries:
        path = passages_path(entry, folders[f"passages/{entry.id}"], local)
        digest.update(json.dumps([entry.id, entry.format, entry.weight, entry.sample]).encode())
        for file in passage_files(path, entry.format):
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            digest.update(json.dumps([name, _file_sha256(file)]).encode())
    return digest.hexdigest()


def mixture_license(entries: Iterable[PassageEntry]) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """Licences of a mixture without repeats, whether what is trained on it may be published, and if not why."""
    entries = list(entries)
    reasons = tuple(
        f"passages {entry.id}: {entry.license.spdx} ({entry.license.source})"
        for entry in entries
        if not entry.license.publishable
    )
    return tuple(dict.fromkeys(entry.license.spdx for entry in entries)), not reasons, reasons


def _check(entries: Sequence[PassageEntry], min_words: int, max_words: int, heldout_share: float) -> None:
    ids = [entry.id for entry in entries]
    if repeated := [name for name in ids if ids.count(name) > 1]:
        raise ZooError(f"the passages {repeated[0]} are named twice", fix="name them once; `weight` says how often")
    if not 0 <= min_words <= max_words // 2:
        raise ZooError(f"from {min_words} to {max_words} words is no range", fix="allow at least twice the least")
    if not 0 <= heldout_share < 1:
        raise ZooError(f"a share of {heldout_share} cannot be held out", fix="0.05 is usual")


def _numbers(items: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.array(items, dtype=np.int64)


def _heldout_documents(kept: Sequence[str], share: float, most: int, seed: int) -> set[str]:
    """Documents in random order, as long as the next one fits; at least one, but never all.

    Args:
        kept: Document of each piece.
        share: Of the pieces.
        most: Pieces.
        seed: Of the order.
    """
    sizes = Counter(kept)
    left = min(round(share * len(kept)), most, len(kept) - 1)
    if not share or not most or len(sizes) < 2:
        return set()
    order = sorted(sizes, key=lambda name: random_key(seed, "held out", name))
    found: set[str] = set()
    for name in order:
        if sizes[name] <= left:
            found.add(name)
            left -= sizes[name]
    return found or {min(order, key=lambda name: sizes[name])}


def _counts(tallies: Mapping[str, Counter[str]], skipped: Mapping[str, Counter[str]]) -> MixtureCounts:
    total = sum(tallies.values(), Counter[str]())
    return MixtureCounts(
        entries={name: PassageCounts(**tallies[name], skipped=dict(skipped[name])) for name in tallies},
        total=PassageCounts(**total, skipped=dict(sum(skipped.values(), Counter[str]()))),
    )


def _file_sha256(path: Path) -> str:
    try:
        status = path.stat()
        return _sha256(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise ZooError(f"cannot read the file: {error.strerror or error}", where=path) from None


@cache
def _sha256(path: Path, size_bytes: int, changed_ns: int) -> str:
    """Hash of a file that has not changed since it was hashed, as far as size and time tell."""
    return file_sha256(path)
