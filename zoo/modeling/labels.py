"""The zoo's label space: one fixed head for every corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from zoo.registry.schema import LabelsEntry

NEVER = -1e4
"""Bias of labels that must not be predicted: exp(-1e4) is 0 in every float format, so the softmax over the rest is
unchanged."""


@dataclass(frozen=True)
class LabelSpace:
    """`O` and, for each of `capacity` types, `B-` and `I-`; type k owns labels `1 + 2k` and `2 + 2k`.

    Attributes:
        types: Known types in their fixed order.
        capacity: Types the head has room for; the rest is reserved.
    """

    types: tuple[str, ...]
    capacity: int

    @classmethod
    def from_entry(cls, entry: LabelsEntry) -> LabelSpace:
        """The label space of a registry."""
        return cls(tuple(item.name for item in entry.types), entry.capacity or len(entry.types))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All label names, `1 + 2 * capacity` of them."""
        names = [*self.types, *(f"reserved_{k}" for k in range(len(self.types), self.capacity))]
        return ("O", *(prefix + name for name in names for prefix in ("B-", "I-")))

    @property
    def id2label(self) -> dict[int, str]:
        """As a transformers config wants it."""
        return dict(enumerate(self.labels))

    @property
    def label2id(self) -> dict[str, int]:
        """As a transformers config wants it."""
        return {label: index for index, label in enumerate(self.labels)}

    def begin(self, entity_type: str) -> int:
        """Id of `B-<type>`; `I-<type>` is the next."""
        return 1 + 2 * self.types.index(entity_type)

    def own_ids(self, entity_types: Sequence[str]) -> list[int]:
        """Ids that a model of these types may predict: `O` first, then B- and I- of each type."""
        return [0, *(self.begin(name) + inside for name in entity_types for inside in (0, 1))]
