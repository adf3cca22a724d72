"""Names seen in training, each with the concepts that annotators gave it and how often."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.linking.ngrams import Ngrams
from zoo.linking.spelling import bag, exact_key

NAMES_FILE = "names.jsonl"
ConceptIds = tuple[str, ...]
"""One concept, or those of a composite mention."""


class TrainedNames:
    """Names of one entity type.

    Args:
        counts: Name -> the concepts it stood for, with the number of mentions.
    """

    def __init__(self, counts: Mapping[str, Mapping[ConceptIds, int]]) -> None:
        self._exact: dict[str, Counter[ConceptIds]] = defaultdict(Counter)
        self._bags: dict[str, Counter[ConceptIds]] = defaultdict(Counter)
        for name, found in counts.items():
            self._exact[exact_key(name)].update(found)
            self._bags[bag(name)].update(found)
        self.concepts: Counter[str] = Counter()
        for found in self._exact.values():
            for ids, number in found.items():
                self.concepts.update(dict.fromkeys(ids, number))

    @cached_property
    def names(self) -> list[str]:
        """The names, in one spelling; their places are the rows of the trigrams."""
        return sorted(self._exact)

    def exact(self, name: str) -> Counter[ConceptIds]:
        """What a name stood for; case and white space do not count."""
        return self._exact.get(exact_key(name), Counter())

    def alike(self, name: str) -> Counter[ConceptIds]:
        """What names of the same words stood for."""
        return self._bags.get(bag(name), Counter())

    def similar(self, name: str, most: int) -> list[tuple[str, float]]:
        """The names that look most like one, with the cosine of their trigrams."""
        return [(self.names[row], score) for row, score in self._ngrams.search(name, most)]

    @cached_property
    def _ngrams(self) -> Ngrams:
        return Ngrams.of(self.names)


def write_names(path: Path, names: Mapping[str, Mapping[str, Mapping[ConceptIds, int]]]) -> None:
    """Write names by entity type as JSON lines: `type, name, concept_ids, mentions`."""
    lines = [
        json.dumps({"type": type, "name": name, "concept_ids": ids, "mentions": number}, ensure_ascii=False)
        for type, counts in sorted(names.items())
        for name, found in sorted(counts.items())
        for ids, number in sorted(found.items())
    ]
    write_whole(path, "".join(f"{line}\n" for line in lines))


def read_names(path: Path) -> dict[str, TrainedNames]:
    """Read what `write_names` wrote, by entity type.

    Raises:
        ZooError: A line is malformed.
    """
    counts: dict[str, dict[str, Counter[ConceptIds]]] = defaultdict(lambda: defaultdict(Counter))
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            counts[record["type"]][record["name"]][tuple(record["concept_ids"])] += int(record["mentions"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ZooError(f"cannot read the names of a linker: {error!r}", where=path) from None
    return {type: TrainedNames(found) for type, found in counts.items()}


def count_names(mentions: Iterable[tuple[str, ConceptIds]]) -> dict[str, Counter[ConceptIds]]:
    """Names with their concepts, counted."""
    counts: dict[str, Counter[ConceptIds]] = defaultdict(Counter)
    for name, ids in mentions:
        if ids:
            counts[name][ids] += 1
    return dict(counts)
