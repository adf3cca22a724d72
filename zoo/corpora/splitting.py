"""Making train, dev and test out of one set of documents: seeded, by document, never by sentence."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping, Sequence

from zoo.corpora.document import Document
from zoo.corpora.similarity import normalise
from zoo.errors import ZooError
from zoo.registry.schema import SplitName

FEWEST_DOCUMENTS = 10
"""Below this a test split says nothing, and its bootstrap interval less."""


def assign_splits(groups: Sequence[str], shares: Mapping[SplitName, float], *, seed: int) -> list[SplitName]:
    """Draw a split for every document; documents of one group stay together.

    The draw depends on the names of the groups and the seed alone, not on the order of the documents.

    Args:
        groups: The group of each document: its own id, or what must not be torn apart (the sentences of one report,
            copies of one text).
        shares: Share of the groups that each split but train gets, 0 to 1.
        seed: Seed of the draw.

    Returns:
        The split of each document, in the order given.

    Raises:
        ZooError: Too few groups, or shares that leave nothing to train on.
    """
    names = sorted(set(groups))
    _check(len(names), shares)
    sizes = {split: max(1, round(share * len(names))) for split, share in shares.items()}
    if sum(sizes.values()) > len(names) / 2:
        raise ZooError(
            f"{sum(sizes.values())} of {len(names)} documents would be held out: less than half would be trained on",
            where=" and ".join(f"--{split}" for split in shares),
            fix="ask for smaller shares",
        )
    random.Random(seed).shuffle(names)
    drawn: dict[str, SplitName] = dict.fromkeys(names, "train")
    start = 0
    for split, size in sizes.items():
        drawn |= dict.fromkeys(names[start : start + size], split)
        start += size
    return [drawn[group] for group in groups]


def splits_by_text(documents: Sequence[Document], shares: Mapping[SplitName, float], *, seed: int) -> list[SplitName]:
    """The split of every document by a hash of its text alone: it stays when documents are added.

    A split that no hash falls into takes the training document nearest to it. Copies of a text share their split.

    Args:
        documents: The documents.
        shares: Expected share of the documents that each split but train gets, 0 to 1.
        seed: Part of the hash.

    Returns:
        The split of each document, in the order given.

    Raises:
        ZooError: Too few different texts, or shares that are none.
    """
    texts = [normalise(document.text) for document in documents]
    places = {text: int(hashlib.sha256(f"{seed} {text}".encode()).hexdigest()[:12], 16) / 16**12 for text in texts}
    _check(len(places), shares)
    if sum(shares.values()) > 0.5:
        raise ZooError("less than half would be trained on", where="--dev and --test", fix="ask for smaller shares")
    drawn: dict[str, SplitName] = dict.fromkeys(places, "train")
    end = 0.0
    for split, share in shares.items():
        end += share
        left = sorted((text for text, of in drawn.items() if of == "train"), key=lambda text: places[text])
        inside = [text for text in left if places[text] < end]
        drawn |= dict.fromkeys(inside or left[:1], split)
    return [drawn[text] for text in texts]


def _check(documents: int, shares: Mapping[SplitName, float]) -> None:
    """Refuse too few documents, and shares that are none."""
    if documents < FEWEST_DOCUMENTS:
        raise ZooError(
            f"{documents} documents are too few to make splits",
            fix=f"give {FEWEST_DOCUMENTS} or more, or files named train, dev and test",
        )
    for split, share in shares.items():
        if not (math.isfinite(share) and 0 < share < 1):
            raise ZooError(f"the share of {split} is {share:g}", where=f"--{split}", fix="a share lies between 0 and 1")


def join_copies(groups: Sequence[str], documents: Sequence[Document]) -> tuple[list[str], int]:
    """Put groups with the same text into one group, so that no text is both trained on and tested on.

    Upper and lower case and white space do not count.

    Args:
        groups: The group of each document.
        documents: The documents.

    Returns:
        The new group of each document, and how many groups were found to be copies of another.
    """
    texts: dict[str, list[str]] = {}
    for group, document in zip(groups, documents, strict=True):
        texts.setdefault(group, []).append(normalise(document.text))
    first: dict[str, str] = {}
    joined = {group: first.setdefault("\n".join(parts), group) for group, parts in texts.items()}
    return [joined[group] for group in groups], len(texts) - len(first)
