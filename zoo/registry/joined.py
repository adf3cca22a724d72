"""Corpora that join others, for one adapter of several languages: what such an entry takes over from its members.

Its `types` map types of its members to its own, and `left_out` names those that are not learned. Every member must
annotate every type of the joined corpus: where one does not, its mentions of that type would be learned as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.language import MANY
from zoo.registry.reading import check
from zoo.registry.schema import OTHER_TYPES, CorpusEntry, JoinedSource, LicenseInfo
from zoo.registry.spdx import UNKNOWN

_FOLLOWS = ("language", "format", "unit", "license", "overlaps", "members", "originals", "for_evaluation_only")
"""Fields of an entry that a joined one does not have: they follow from its members, or there are none."""


def is_joined(data: Any) -> bool:  # noqa: ANN401 - any YAML document
    """Whether the data of an entry have a source that joins others."""
    sources = data.get("sources") if isinstance(data, dict) else None
    return isinstance(sources, list) and any(
        isinstance(each, dict) and each.get("kind") == "joined" for each in sources
    )


def complete(data: dict[str, Any], corpora: Mapping[str, CorpusEntry], where: Path) -> dict[str, Any]:
    """The data of a joined entry with what follows from its members.

    Args:
        data: As its file has them.
        corpora: All corpora that may be members.
        where: Its file.

    Raises:
        ZooError: It has more sources, states what follows from its members, or a member cannot be one.
    """
    if len(data["sources"]) > 1:
        raise ZooError("a joined corpus has no other source", where=f"{where}: sources", fix="leave the others out")
    stated = next((name for name in _FOLLOWS if name in data), None)
    if stated:
        raise ZooError(
            f"of a joined corpus {stated} follows from its members", where=f"{where}: {stated}", fix="remove it"
        )
    source = check(JoinedSource, data["sources"][0], where=f"{where}: sources.0")
    return {**data, **_taken_over(source, corpora, where)}


def with_members(entry: CorpusEntry, corpora: Mapping[str, CorpusEntry], where: Path) -> CorpusEntry:
    """A joined corpus with its members as they are now: an overlay may have replaced one. Any other as it is.

    Raises:
        ZooError: A member cannot be one, does not annotate a type of the joined corpus, or one that this does not name.
    """
    if entry.joined is None:
        return entry
    entry = entry.model_copy(update=_taken_over(entry.joined, corpora, where))
    for member in entry.members:
        learned = [name for name in member.entity_types if name not in entry.left_out]
        annotated = {name: entry.types.get(name, entry.types.get(OTHER_TYPES)) for name in learned}
        if unsaid := next((name for name, own in annotated.items() if own is None), None):
            raise ZooError(
                f"{member.id} annotates {unsaid}, which is neither in types nor in left_out",
                where=f"{where}: types",
                fix=f"left_out: [{unsaid}]; or add it to types, if all members annotate it",
            )
        missing = next((name for name in entry.entity_types if name not in annotated.values()), None)
        if missing:
            raise ZooError(
                f"{member.id} annotates no {missing}: a model would learn that there is none",
                where=f"{where}: types",
                fix="join corpora that annotate the same; `types` renames, and `left_out` names what some have beside",
            )
    return entry


def _taken_over(source: JoinedSource, corpora: Mapping[str, CorpusEntry], where: Path) -> dict[str, Any]:
    place = f"{where}: sources.0.corpora"
    repeated = next((name for name in source.corpora if source.corpora.count(name) > 1), None)
    if repeated:
        raise ZooError(f"{repeated} stands twice", where=place, fix="name each corpus once")
    for name in source.corpora:
        if name not in corpora:
            raise ZooError(f"unknown corpus {name!r}", where=place, fix=did_you_mean(name, corpora))
        if corpora[name].members:
            raise ZooError(f"{name} is a joined corpus itself", where=place, fix="name its members")
        if corpora[name].for_evaluation_only:
            raise ZooError(f"{name} has a test split alone", where=place, fix="leave it out")
    members = tuple(corpora[name] for name in source.corpora)
    other = next((each for each in members if each.unit != members[0].unit), None)
    if other:
        raise ZooError(
            f"a document of {members[0].id} is a {members[0].unit}, one of {other.id} a {other.unit}",
            where=place,
            fix="join corpora of one unit",
        )
    languages = {each.language for each in members}
    return {
        "language": members[0].language if len(languages) == 1 else MANY,
        "format": members[0].format,
        "unit": members[0].unit,
        "license": _strictest(members),
        "overlaps": max((each.overlaps for each in members), key=("error", "longest", "keep").index),
        "members": members,
    }


def _strictest(members: tuple[CorpusEntry, ...]) -> LicenseInfo:
    """What all licences together ask for; publishable where every one is."""
    ids = list(dict.fromkeys(each.license.spdx for each in members))
    every = ids[0] if len(ids) == 1 else " AND ".join(f"({name})" if " " in name else name for name in ids)
    return LicenseInfo(
        spdx=UNKNOWN if UNKNOWN in ids else every,
        source="; ".join(f"{each.id}: {each.license.source}" for each in members),
        publishable=all(each.license.publishable for each in members),
        note=" ".join(dict.fromkeys(each.license.note for each in members if each.license.note)),
    )
