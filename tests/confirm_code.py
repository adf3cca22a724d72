"""Which code each stage of a build runs, as hashes: `python -m tests.confirm_code` records them as they are now.

A stage whose code has changed makes other artefacts, or the same ones: nobody but the author knows. A test compares the
code with the record; who changed it raises the stage's version or confirms that the outcome is the same.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import ROOT
from zoo.files import write_whole
from zoo.pipeline.stages import KINDS, stage_kind

RECORD = Path(__file__).parent / "pipeline" / "stage_code.json"
COMMAND = "python -m tests.confirm_code"
ROOMS = ("corpora", "passages", "ontologies", "modeling", "kernels", "tagging", "linking", "training", "evaluation")
"""Rooms that read, train and score. The values of the registry are in the keys themselves."""
NO_OUTCOME = frozenset({"zoo.evaluation.result"})
"""Declarations of what is shown."""
_MODULE = re.compile(r"zoo(\.\w+)+")


def current() -> dict[str, dict[str, object]]:
    """Kind of stage -> version, and hash of each module that it runs."""
    return {
        name: {"code": stage_kind(name).code, "modules": {m: _hash(_text(m)) for m in sorted(_closure(module))}}
        for name, module in KINDS.items()
    }


def recorded() -> dict[str, dict[str, object]]:
    """The same as it was recorded."""
    found: dict[str, dict[str, object]] = json.loads(RECORD.read_text())
    return found


def complaints() -> list[str]:
    """One line for each stage whose code has changed since it was recorded."""
    before, now = recorded(), current()
    found = []
    for name, entry in now.items():
        old = before.get(name, {"code": None, "modules": {}})
        changed = sorted(dict(set(_items(old)) ^ set(_items(entry))))
        if old["code"] != entry["code"]:
            found.append(f"{name}: version {entry['code']} is not recorded; run {COMMAND}")
        elif changed:
            found.append(
                f"{name}: {', '.join(changed)} changed. Does it give another outcome? Then raise `code` in "
                f"{KINDS[name].replace('.', '/')}.py. In any case run {COMMAND}"
            )
    return found


def source(module: str) -> Path | None:
    """The file of a module of the zoo."""
    path = ROOT / module.replace(".", "/")
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _items(entry: dict[str, object]) -> list[tuple[str, str]]:
    modules = entry["modules"]
    assert isinstance(modules, dict)
    return list(modules.items())


def _closure(module: str) -> set[str]:
    """A stage's module and all of the rooms that it imports, one by another; what other stages run is theirs."""
    found, pending = {module}, [module]
    while pending:
        for name in _imports(pending.pop()):
            if name not in found and name not in NO_OUTCOME and _counts(name):
                found.add(name)
                pending.append(name)
    return found


def _counts(module: str) -> bool:
    room = (module + ".").split(".")[1]
    return room in ROOMS or (module.startswith("zoo.pipeline.stages.") and module not in KINDS.values())


def _imports(module: str) -> Iterator[str]:
    """Modules of the zoo that a module imports, or names in a text to import them when needed."""
    for package, name in _mentions(_text(module)):
        if name:
            yield f"{package}.{name}" if source(f"{package}.{name}") else package
        else:
            folder = ROOT / package.replace(".", "/")
            yield from (f"{package}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__")
            if source(package):
                yield package


@cache
def _mentions(text: str) -> tuple[tuple[str, str], ...]:
    """What the text of a module imports of the zoo, as module and name in it; a module named in a text has no name."""
    found = []
    for node in _walk(_code(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zoo"):
            found += [(str(node.module), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [tuple(alias.name.rsplit(".", 1)) for alias in node.names if alias.name.startswith("zoo.")]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (name := _MODULE.match(node.value)):
            found.append((name[0], ""))
    return tuple(found)


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield node
            yield from _walk(node)


def _text(module: str) -> str:
    path = source(module)
    assert path is not None, module
    return path.read_text(encoding="utf-8")


@cache
def _code(text: str) -> ast.Module:
    """A module without docstrings: statements that are a text alone."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                setattr(node, field, [each for each in body if not _is_text(each)])
    return tree


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _hash(text: str) -> str:
    return hashlib.sha256(json.dumps(_plain(_code(text))).encode()).hexdigest()[:16]


def _plain(node: object) -> object:
    """A syntax tree as JSON, the same in all versions of Python: `ast.dump` is not."""
    if isinstance(node, ast.AST):
        fields = {name: _plain(value) for name, value in ast.iter_fields(node) if value not in (None, [])}
        return [type(node).__name__, fields]
    if isinstance(node, list):
        return [_plain(each) for each in node]
    return node if isinstance(node, (str, int, float, bool)) else repr(node)


def main() -> None:
    """Record the code as it is."""
    for line in complaints() if RECORD.is_file() else []:
        sys.stdout.write(line + "\n")
    write_whole(RECORD, json.dumps(current(), indent=1) + "\n")
    sys.stdout.write(f"recorded in {RECORD.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
