"""The types of a user's own data: how `--types` names them, what they are in the label space."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.errors import ZooError, did_you_mean
from zoo.registry.loader import Registry

ALL = "all"


def parse_types(argument: str) -> tuple[dict[str, str], bool]:
    """Read `A,B=Disease` as `{"A": "A", "B": "Disease"}`, and whether `all` stands there too.

    A name with a comma stands in double quotes: `"T116,T123"=Enzyme`.

    Raises:
        ZooError: A name is empty or named twice.
    """
    types: dict[str, str] = {}
    for item in split_names(argument):
        source, equals, target = (part.strip() for part in item.rpartition("="))
        source = source if equals else target
        if not source or not target:
            raise ZooError(
                f"--types takes A,B=C, not {item!r}", where="--types", fix="for example --types Drug=Chemical"
            )
        if source in types:
            raise ZooError(f"--types names {source} twice", where="--types", fix="name it once")
        types[source] = target
    takes_all = types.get(ALL) == ALL
    return {source: target for source, target in types.items() if source != ALL or target != ALL}, takes_all


def split_names(argument: str) -> list[str]:
    """Cut a list of names at its commas, but for those between double quotes."""
    return [name.strip() for name in next(csv.reader([argument], skipinitialspace=True), []) if name.strip()]


def check_types(types: Mapping[str, str], ignored: Sequence[str], found: Mapping[str, int], path: Path) -> None:
    """Refuse what the user says of types where the data says otherwise.

    Args:
        types: Type in the files -> type of the label space.
        ignored: Types in the files to leave out.
        found: Type in the files -> its mentions.
        path: The data, for the error message.

    Raises:
        ZooError: A type of the data is not named, a named one is not there, or one is named twice.
    """
    listed = ", ".join(f"{name} ({count})" for name, count in sorted(found.items(), key=lambda item: -item[1]))
    if not found:
        raise ZooError("the data holds no mention", where=path, fix="check --format and --path")
    if both := [name for name in ignored if name in types]:
        raise ZooError(f"{both[0]} stands in --types too", where="--ignore-types", fix="name it in one of the two")
    if missing := [name for name in found if name not in types and name not in ignored]:
        known = [_written(name, target) for name, target in types.items()]
        added = [_written(name, _label_name(name)) for name in missing]
        names = f"--types {shlex.quote(','.join([*known, *added]))}, with A=B to rename A; or --types all"
        leave_out = shlex.quote(",".join(map(_quoted, [*ignored, *missing])))
        raise ZooError(
            f"--types does not name {', '.join(missing)}; the data has {listed}",
            where="--types",
            fix=names + (f"; or --ignore-types {leave_out} to leave them out" if known else ""),
        )
    if not types:
        raise ZooError(
            f"--types names none; the data has {listed}", where="--types", fix="name what a model should find"
        )
    for option, names_given in (("--types", types), ("--ignore-types", ignored)):
        if unused := [name for name in names_given if name not in found]:
            raise ZooError(
                f"no mention has the type {unused[0]!r}; the data has {listed}",
                where=option,
                fix=did_you_mean(unused[0], found),
            )


def all_types(
    named: Mapping[str, str], ignored: Sequence[str], found: Mapping[str, int], registry: Registry
) -> dict[str, str]:
    """Every type of the data: as the user names it, as the label space spells it, else under its own name.

    Raises:
        ZooError: Types that are not named would be the same, or differ in upper and lower case only.
    """
    known = {item.name.casefold(): item.name for item in registry.labels.types}
    types = dict(named)
    for name in found:
        if name not in types and name not in ignored:
            label = _label_name(name)
            types[name] = known.get(label.casefold(), label)
    twins: dict[str, list[str]] = {}
    for name in types:
        if name not in named:
            twins.setdefault(types[name].casefold(), []).append(name)
    if alike := next((names for names in twins.values() if len(names) > 1), None):
        example = ",".join([ALL, *(_written(name, types[alike[0]]) for name in alike)])
        raise ZooError(
            f"{' and '.join(alike)} differ in case or signs only: are they one type?",
            where="--types",
            fix=f"name each: --types {shlex.quote(example)}",
        )
    return types


def new_in_label_space(types: Mapping[str, str], registry: Registry) -> tuple[str, ...]:
    """Types that the label space does not have yet.

    Raises:
        ZooError: One differs from another in upper and lower case only.
    """
    known = [item.name for item in registry.labels.types]
    new = [name for name in dict.fromkeys(types.values()) if name not in known]
    for index, name in enumerate(new):
        others = {other.casefold(): other for other in (*known, *new[:index])}
        if twin := others.get(name.casefold()):
            source = next(source for source, target in types.items() if target == name)
            where = "the label space has" if twin in known else "--types names"
            raise ZooError(
                f"{where} {twin}, which differs from {name} in upper and lower case only",
                where="--types",
                fix=f"write {_written(source, twin)}",
            )
    return tuple(new)


def _label_name(name: str) -> str:
    """The name as a type of the label space may be called: letters, digits, hyphens and underscores."""
    label = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")
    return label if label[:1].isalpha() else f"T_{label}".rstrip("_")


def _written(source: str, target: str) -> str:
    """How `--types` writes a type."""
    return _quoted(source) if source == target else f"{_quoted(source)}={target}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[,"]', name) else name
