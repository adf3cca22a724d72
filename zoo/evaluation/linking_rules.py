"""What counts as linked rightly: the rule of BELB, and that of BioSyn; their figures do not compare with each other.

BELB (Garda et al. 2023; `scripts/evaluate.py` of sg-wbi/belhd): one prediction a mention, of a ranked list; it is right
if it is any of the mention's ids, so a composite mention counts when one of its parts is met. Mentions without id are
left out. BELB leaves out mentions whose ids are not in its version of the vocabulary, too; here they count, and are
right only where a name of training has brought the id along.

BioSyn (Sung et al. 2020; `utils.py`, `preprocess/query_preprocess.py` of dmis-lab/BioSyn): mentions of which any id is
not in the vocabulary are left out, and ids of OMIM beside ids of MeSH. A composite mention whose text its patterns
split into as many parts as it has ids is right if each part is linked to one of them; any other is right if it is
linked to any of its ids. Parts have to be linked to different ids here, and of a split mention only the linked ids
count, at 5 and 20 too: BioSyn ranks candidates for each part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from zoo.corpora.concepts import normalise_concept
from zoo.ontologies.concept import Concept
from zoo.ontologies.link import Link

Lookup = Callable[[str], Concept | None]
"""A concept by its id, or by one that stands for it too: `Index.concept`, or `get` of a dictionary."""

_OF = re.compile(r"[a-zA-Z-]+ of (both )?(the )?([a-zA-Z-]+ )+(and|or) (the )?[a-zA-Z-]")
_LISTS = (
    re.compile(r"(?P<firsts>([a-zA-Z-]+,? )+)(and|or|and/or) [a-zA-Z-]+ and [a-zA-Z-]+ "),
    re.compile(r"(?P<firsts>([a-zA-Z-]+,? )+)(and|or|and/or) (the )?[a-zA-Z-]+ "),
)


@dataclass(frozen=True)
class Vocabulary:
    """What mentions of a type are linked to.

    Attributes:
        id: Registry id of the ontology.
        version: Its version, as people know it.
        fingerprint: Sha256 of its concepts.
        concept: Looks a concept up.
        id_prefix: What ids without a prefix get: `9606` is `NCBITaxon:9606`.
    """

    id: str
    version: str
    fingerprint: str
    concept: Lookup
    id_prefix: str = ""
    _found: dict[str, Concept | None] = field(default_factory=dict, compare=False, repr=False)

    def find(self, concept_id: str) -> Concept | None:
        """The concept that an id names, by itself or with the prefix."""
        if concept_id not in self._found:
            concept = self.concept(concept_id)
            if concept is None and self.id_prefix and ":" not in concept_id:
                concept = self.concept(f"{self.id_prefix}:{concept_id}")
            self._found[concept_id] = concept
        return self._found[concept_id]

    def resolve(self, written: Collection[str]) -> tuple[str, ...]:
        """Ids as files write them, each as the id of its concept; one that is not in the vocabulary stays as it is."""
        spelt = [concept_id for cell in written for concept_id in normalise_concept(cell)]
        return tuple(dict.fromkeys(concept.id if (concept := self.find(one)) else one for one in spelt))

    def knows(self, written: str) -> bool:
        """Whether an id, as files write it, names concepts that are all here."""
        spelt = normalise_concept(written)
        return bool(spelt) and all(self.find(one) for one in spelt)


def ranking(link: Link | None, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Ids of a link, best first: what it was linked to, then candidates; of an abstention the candidates alone."""
    if link is None:
        return ()
    return vocabulary.resolve((*link.concept_ids, *(candidate.concept_id for candidate in link.candidates)))


def first_right(gold: Collection[str], ranked: Sequence[str]) -> int | None:
    """Place of the first id that is right, from 1; None where none is."""
    return next((place for place, concept_id in enumerate(ranked, start=1) if concept_id in gold), None)


def biosyn_ids(written: Collection[str]) -> list[str]:
    """The ids of a mention that count, as files write them: without those of OMIM where there are others.

    One that says of a part that it has no concept stays: it is in no vocabulary, and the mention is left out.
    """
    parts = [part.strip() for cell in written for part in cell.split("+")]
    return [part for part in parts if not part.startswith("OMIM:")] or parts


def biosyn_place(text: str, gold: Sequence[str], linked: Collection[str], ranked: Sequence[str]) -> int | None:
    """Place from which on a mention is right, from 1, by BioSyn's rule; None where it is not.

    Args:
        text: The mention.
        gold: Its ids, of `biosyn_ids`, resolved.
        linked: What it was linked to.
        ranked: Linked ids and candidates, best first.
    """
    if len(gold) > 1 and count_parts(text, len(gold)) == len(gold):
        return 1 if set(linked) == set(gold) else None
    return first_right(gold, ranked)


def count_parts(text: str, ids: int) -> int:
    """Into how many parts BioSyn's preprocessing splits a mention with several ids: `breast and ovarian cancer`, 2."""
    if _OF.match(text):
        return 2
    for pattern in _LISTS:
        if match := pattern.match(text):
            return 1 + sum(bool(first) for first in match["firsts"].strip().split(","))
    if "/" in text and "and/or" not in text:
        return 2
    return ids if len(text.split()) == ids else 1
