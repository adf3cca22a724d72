"""The licence gate: from the licences of backbone, corpus and passages to what may be published, and how.

A rule of caution, no legal advice: where a licence leaves it open whether a model derives from its training data, it is
read as if it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from zoo.errors import ZooError
from zoo.registry.schema import Backbone, CorpusEntry, LicenseInfo
from zoo.registry.spdx import UNKNOWN, license_choices

if TYPE_CHECKING:
    from zoo.evaluation.result import Result

Audience = Literal["public", "private", "nobody"]
WORDS: dict[Audience, str] = {"public": "publicly", "private": "privately only", "nobody": "not at all"}
Term = Literal["unknown", "credentialed", "non-commercial", "no-derivatives", "share-alike", "public-domain"]
_WHY: dict[Term, str] = {
    "unknown": "no licence is known that would allow it",
    "credentialed": "its data use agreement keeps it, and what is derived from it, to credentialed users",
    "non-commercial": "for non-commercial use only, which no public model can hold its users to",
    "no-derivatives": "what is derived from it may not be shared",
}
_PATTERNS: tuple[tuple[Term, re.Pattern[str]], ...] = (
    ("credentialed", re.compile(r"^LicenseRef-.*(physionet|credential|data-use|\bdua\b|restricted)", re.IGNORECASE)),
    ("non-commercial", re.compile(r"-NC(-|$)|non-?commercial|research-only|academic-only", re.IGNORECASE)),
    ("no-derivatives", re.compile(r"-ND(-|$)|no-?deriv", re.IGNORECASE)),
    ("share-alike", re.compile(r"-SA(-|$)|^[AL]?GPL-|^GFDL-|^ODbL-|^CDLA-Sharing-|^OSL-|^EUPL-", re.IGNORECASE)),
    ("public-domain", re.compile(r"^(CC0-|PDDL-|Unlicense$|CC-PDDC$|LicenseRef-US-Government-Works$)", re.IGNORECASE)),
)
_VERSION = re.compile(r"-(\d+(?:\.\d+)*)(?:-only|-or-later)?$")


class Licensed(Protocol):
    """What has a licence: a backbone, a corpus, passages, or the record of them in a result."""

    @property
    def id(self) -> str:
        """In the registry."""

    @property
    def title(self) -> str:
        """For people."""

    @property
    def license(self) -> LicenseInfo:
        """The licence."""


@dataclass(frozen=True)
class LicenseVerdict:
    """What may be done with a model.

    Attributes:
        spdx: The licence it is published under; NOASSERTION where it may not be published.
        audience: Who may see it on the Hub: everybody, members of a private repository, nobody.
        reasons: Why not everybody, one line for each obstacle; empty where it is public.
        notes: What else its licences ask for or pass on.
        attribution: Whom to name, one line for each part whose licence asks for it.
    """

    spdx: str
    audience: Audience
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    attribution: tuple[str, ...] = ()

    @property
    def publishable(self) -> bool:
        """Whether it may be published for everybody."""
        return self.audience == "public"

    @property
    def private_allowed(self) -> bool:
        """Whether it may lie in a private repository."""
        return self.audience != "nobody"


@dataclass(frozen=True)
class _Part:
    kind: Literal["backbone", "corpus", "passages"]
    item: Licensed

    @property
    def ids(self) -> tuple[str, ...]:
        return _chosen(self.item.license.spdx)

    @property
    def terms(self) -> frozenset[Term]:
        return license_terms(self.item.license.spdx)

    def __str__(self) -> str:
        return f"{self.kind} {self.item.id}: {self.item.license.spdx} ({self.item.license.source})"


def judge(backbone: Backbone, corpus: CorpusEntry | None = None, passages: Iterable[Licensed] = ()) -> LicenseVerdict:
    """What may be published of a checkpoint, or of a base where there is no corpus.

    Share-alike passes its licence on; else the model takes the backbone's. One part that forbids it forbids the whole.

    Args:
        backbone: What was trained.
        corpus: What it was fine-tuned on; of a joined one, each member counts.
        passages: What it was pre-trained on: entries of the registry, or their records in a result.
    """
    parts = [_Part("backbone", backbone)]
    parts += [_Part("corpus", part) for part in (corpus.parts if corpus else ())]
    parts += [_Part("passages", item) for item in passages]
    audience, reasons = _obstacles(parts)
    shared = list(dict.fromkeys(name for part in parts for name in part.ids if "share-alike" in license_terms(name)))
    if len({_VERSION.sub("", name) for name in shared}) > 1:
        reasons.append(f"share-alike licences that exclude each other: {', '.join(shared)}")
        audience = "private" if audience == "public" else audience
    notes = [
        f"share-alike: {part.kind} {part.item.id} is {part.item.license.spdx}"
        for part in parts
        if "share-alike" in part.terms
    ]
    notes += [
        f"{part.kind} {part.item.id}: {part.item.license.note.rstrip('.')}"
        for part in parts
        if part.kind == "passages" and part.item.license.note
    ]
    spdx = max(shared, key=_version) if shared else backbone.license.spdx
    return LicenseVerdict(
        spdx=spdx if audience == "public" else UNKNOWN,
        audience=audience,
        reasons=tuple(reasons),
        notes=tuple(notes),
        attribution=tuple(_attribution(part) for part in parts if not part.terms & {"public-domain", "unknown"}),
    )


def judge_result(result: Result, backbone: Backbone, corpus: CorpusEntry | None) -> LicenseVerdict:
    """What may be published of something that was built, with the passages that it was pre-trained on.

    Args:
        result: Its record, as `current_result` gives it.
        backbone: Its backbone.
        corpus: Its corpus; None: judge its base.
    """
    return judge(backbone, corpus, result.dapt.sources if result.dapt else ())


def passage_obstacles(passages: Iterable[Licensed]) -> list[str]:
    """Why what is trained on these passages may not be published; empty where it may."""
    return _obstacles([_Part("passages", item) for item in passages])[1]


def check_publication(name: str, verdict: LicenseVerdict, *, private: bool) -> None:
    """The gate before a push.

    Args:
        name: Of the checkpoint or base, for the message.
        verdict: What `judge` says of it.
        private: Whether the repository is a private one.

    Raises:
        ZooError: The licences forbid it; the message says why, and whether a private repository would do.
    """
    if verdict.publishable or (private and verdict.private_allowed):
        return
    what = f"{name} may not be pushed: {'; '.join(verdict.reasons)}"
    if verdict.private_allowed:
        raise ZooError(what, fix="--private pushes it into a repository that only you and your organisation see")
    raise ZooError(what, fix="keep it on this machine; a private repository on the Hub is not allowed either")


def may_quote(license_info: LicenseInfo) -> bool:
    """Whether text under a licence may stand in a card: it is known, and lets everybody share and change it."""
    return license_info.publishable and not license_terms(license_info.spdx) & set(_WHY)


def license_terms(spdx: str) -> frozenset[Term]:
    """What an SPDX expression implies: of alternatives (OR) the one that allows most, of the rest all together."""
    return frozenset(term for name in _chosen(spdx) for term in _terms(name))


def forbidding_terms(spdx: str) -> list[str]:
    """Why what is under an SPDX expression may not be passed on to everybody, one line for each term."""
    terms = license_terms(spdx)
    return [why for term, why in _WHY.items() if term in terms]


def license_url(spdx: str) -> str | None:
    """Where the text of a single licence of the SPDX list is; None for others."""
    choices = () if " " in spdx else license_choices(spdx)
    name = choices[0][0] if choices else UNKNOWN
    return None if name == UNKNOWN or name.startswith("LicenseRef-") else f"https://spdx.org/licenses/{name}.html"


def _obstacles(parts: Iterable[_Part]) -> tuple[Audience, list[str]]:
    audience: Audience = "public"
    reasons = []
    for part in parts:
        for why, forbids in _forbids(part):
            reasons.append(f"{part}: {why}")
            audience = "nobody" if "nobody" in (audience, forbids) else "private"
    return audience, reasons


def _forbids(part: _Part) -> Iterator[tuple[str, Audience]]:
    """Why a part may not be published for everybody, and for whom it may."""
    terms, entry = part.terms, part.item.license
    # Weights are not the text: of passages under no single licence the registry decides, and its note says why.
    decided = part.kind == "passages" and entry.publishable and bool(entry.note)
    found = [term for term in _WHY if term in terms and not (term == "unknown" and decided)]
    for term in found:
        yield _WHY[term], "nobody" if term == "credentialed" else "private"
    if not entry.publishable and not found:
        yield "marked as not publishable in the registry", "private"


def _attribution(part: _Part) -> str:
    item, spdx = part.item, part.item.license.spdx
    hub_id = getattr(item, "hub_id", None)
    where = getattr(item, "homepage", "") or (f"https://huggingface.co/{hub_id}" if hub_id else "")
    citation = getattr(item, "citation", "")
    named = ", ".join(text for text in (item.title, citation, where) if text)
    return f"{named}: {spdx}" + (f", {url}" if (url := license_url(spdx)) else "")


def _chosen(spdx: str) -> tuple[str, ...]:
    """Licence ids of an expression, without exceptions; of alternatives the one with the fewest terms."""

    def cost(names: tuple[str, ...]) -> tuple[int, bool]:
        terms = frozenset(term for name in names for term in _terms(name))
        return len(terms & set(_WHY)), "share-alike" in terms

    return min(license_choices(spdx), key=cost, default=(UNKNOWN,))


def _terms(name: str) -> frozenset[Term]:
    if name == UNKNOWN:
        return frozenset({"unknown"})
    return frozenset(term for term, pattern in _PATTERNS if pattern.search(name))


def _version(spdx: str) -> tuple[int, ...]:
    found = _VERSION.search(spdx)
    return tuple(int(part) for part in found[1].split(".")) if found else ()
