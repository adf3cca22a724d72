"""Python and the libraries, against the bounds that the installed distribution asks for."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import TYPE_CHECKING

from zoo.doctor.check import Check

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "biomedical-ner-zoo"
_SHOWN = ("python", "torch", "transformers", "peft", "datasets")
_FOR_DEVELOPERS = frozenset({"dev"})


def requirements() -> list[Requirement]:
    """What the installed distribution asks for, Python first; empty where zoo runs without being installed."""
    from packaging.requirements import Requirement

    try:
        python = metadata(DISTRIBUTION)["Requires-Python"] or ""
    except PackageNotFoundError:
        return []
    return [Requirement(f"python{python}"), *map(Requirement, requires(DISTRIBUTION) or ())]


def extras() -> list[str]:
    """Names of the optional parts of the installed distribution, those for developers left out."""
    try:
        names = metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return []
    return [name for name in names if name not in _FOR_DEVELOPERS]


def check_libraries(requirements: Iterable[Requirement]) -> Check:
    """Python and every library that is always needed."""
    needed = [item for item in requirements if _applies(item, "")]
    if not needed:
        finding = f"{DISTRIBUTION} is not installed: its bounds are unknown"
        return Check("libraries", "warning", finding, "pip install -e .")
    found = {item.name: installed_version(item.name) for item in needed}
    bad = [item for item in needed if not _fits(item)]
    if bad:
        return Check("libraries", "problem", _misfits(bad), _install(bad))
    shown = ", ".join(f"{name} {found[name]}" for name in _SHOWN if name in found)
    return Check("libraries", "ok", f"{len(needed)} of {len(needed)} within bounds: {shown}")


def check_extras(requirements: Iterable[Requirement], extras: Iterable[str]) -> list[Check]:
    """Which optional parts are installed; an absent one is no fault, one that does not fit is. Empty without parts."""
    items = [item for item in requirements if not _applies(item, "")]
    parts = {name: [item for item in items if _applies(item, name)] for name in extras}
    absent = [name for name, part in parts.items() if any(installed_version(item.name) is None for item in part)]
    bad = [item for name, part in parts.items() if name not in absent for item in part if not _fits(item)]
    if not parts:
        return []
    if bad:
        return [Check("extras", "warning", _misfits(bad), _install(bad))]
    present = [name for name in parts if name not in absent]
    finding = f"installed: {', '.join(present) or 'none'}; not installed: {', '.join(absent) or 'none'}"
    fix = f"where you need them: pip install '{DISTRIBUTION}[{','.join(absent)}]'" if absent else None
    return [Check("extras", "ok", finding, fix)]


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, or of Python; None: not installed."""
    try:
        return platform.python_version() if name == "python" else version(name)
    except PackageNotFoundError:
        return None


def _applies(item: Requirement, extra: str) -> bool:
    return item.marker is None or item.marker.evaluate({"extra": extra})


def _fits(item: Requirement) -> bool:
    found = installed_version(item.name)
    return found is not None and item.specifier.contains(found, prereleases=True)


def _misfits(bad: Iterable[Requirement]) -> str:
    return ", ".join(
        f"{item.name} {installed_version(item.name) or 'is missing'} (needs {item.specifier or 'any'})" for item in bad
    )


def _install(bad: list[Requirement]) -> str:
    libraries = " ".join(f'"{item.name}{item.specifier}"' for item in bad if item.name != "python")
    fixes = [f"pip install {libraries}"] if libraries else []
    return "; ".join([*fixes, *("use another Python" for item in bad if item.name == "python")])
