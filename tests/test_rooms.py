"""The plan of the house: rooms stand in an order and import only those above them, without circles."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROOMS = (
    *(
        "errors",
        "files",
        "records",
        "energy",
        "language",
        "redaction",
        "registry",
        "settings",
        "project",
        "corpora",
        "passages",
        "ontologies",
        "context",
        "modeling",
        "kernels",
    ),
    *(
        "tagging",
        "linking",
        "evaluation",
        "training",
        "cards",
        "hub",
        "board",
        "export",
        "scale",
        "service",
        "pipeline",
        "doctor",
        "cli",
    ),
)
"""Top to bottom: each imports only rooms above it."""
MOST_LINES = 350
PACKAGE = ROOT / "zoo"


@cache
def modules() -> dict[str, Path]:
    """Dotted name below `zoo` -> file; packages by their own name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """Modules of zoo that one imports anywhere: also inside functions and for type checking alone."""
    found = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "zoo":
            below = (node.module or "").removeprefix("zoo").removeprefix(".")
            for alias in node.names:
                name = f"{below}.{alias.name}".removeprefix(".")
                found.add(name if name in modules() else below)
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("zoo.") for a in node.names if a.name.startswith("zoo.")}
    return frozenset(found - {module, ""})  # "" is zoo itself: its version, and its public names as they are asked for


def room(module: str) -> str:
    return module.partition(".")[0]


def test_every_room_has_its_place() -> None:
    assert {room(name) for name in modules()} - {"", "__main__"} == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_nothing_points_up(name: str) -> None:
    above = ROOMS[: ROOMS.index(name) + 1]
    found = {
        f"{module} imports {other}"
        for module in modules()
        if room(module) == name
        for other in imports(module)
        if room(other) not in above
    }
    assert not found


def test_no_circle_of_modules() -> None:
    done: set[str] = set()
    circles = []

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            circles.append(" -> ".join((*path[path.index(module) :], module)))
        elif module not in done:
            for other in sorted(imports(module)):
                visit(other, (*path, module))
            done.add(module)

    for module in sorted(modules()):
        visit(module, ())
    assert not circles


def test_modules_are_read_in_one_sitting() -> None:
    long = {name: n for name, path in modules().items() if (n := len(path.read_text().splitlines())) > MOST_LINES}
    assert not long


def test_the_map_is_true() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `zoo/(\w+)(?:\.py|/)?`", page, re.MULTILINE)
    assert tuple(table) == ROOMS
