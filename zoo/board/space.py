"""The leaderboard Space: its files with the board's data, run here or pushed in one commit."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import zoo
from zoo.board.details import ABLATION_FILE, CROSS_FILE
from zoo.errors import ZooError
from zoo.evaluation.latency import LATENCY_FILE
from zoo.evaluation.result import RESULT_FILE
from zoo.hub.client import Hub
from zoo.hub.manifest import HUB_FILES, VERIFICATION_FILE, file_record

BOARD_FILE = "board.json"
REPORTED_FILE = "published.yaml"
_INSTALLED = Path(__file__).parent / "space_app"
_SOURCE_TREE = Path(__file__).parents[2]
_FOR_OWNERS = "corrections"
"""Modules of this name keep texts: they are for a page that its owner runs, and in no Space."""
_SUFFIXES = {".py", ".css", ".js", ".md", ".txt"}
_OF_CHECKPOINT = (RESULT_FILE, VERIFICATION_FILE, LATENCY_FILE)

_USED = (
    "zoo.tagging.asserting",
    "zoo.tagging.pool",
    *(f"zoo.tagging.outputs.{name}" for name in ("output", "jsonl", "csv", "brat")),
    *(f"zoo.linking.{name}" for name in ("beside", "linker")),
)


def shared_modules() -> dict[str, bytes]:
    """The modules of zoo that the Space runs on, by their paths: those that it uses, what these import, and rules.

    Imports inside of functions are left out: they are for other uses, such as our kernels for many documents at once.
    """
    package = Path(zoo.__file__).parent
    wanted = ["zoo", *_USED]
    found: dict[str, bytes] = {}
    while wanted:
        name = wanted.pop()
        folder = package.parent.joinpath(*name.split("."))
        path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        place = path.relative_to(package.parent).as_posix()
        if name.startswith("zoo") and place not in found and path.is_file():
            found[place] = path.read_bytes()
            wanted += [name.rpartition(".")[0], *imported_modules(found[place])] if "." in name else []
    rules = [path for path in sorted((package / "context" / "languages").rglob("*")) if path.suffix in {".json", ".md"}]
    return found | {path.relative_to(package.parent).as_posix(): path.read_bytes() for path in rules}


def imported_modules(source: bytes) -> list[str]:
    """Modules that a module imports when it is imported itself."""
    names: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def app_folder() -> Path:
    """Folder of `app.py`: inside the installed package, else in the source tree."""
    return _INSTALLED if _INSTALLED.is_dir() else _SOURCE_TREE / "leaderboard"


def space_files(out: Path) -> dict[str, bytes]:
    """All files of the Space, with the data of an output folder.

    Raises:
        ZooError: There is no board, or the app's files are not there.
    """
    app = app_folder()
    own = [path for path in sorted(app.glob("*")) if path.suffix in _SUFFIXES and path.stem != _FOR_OWNERS]
    files = {path.name: path.read_bytes() for path in own}
    if "app.py" not in files:
        raise ZooError("the files of the Space are not here", where=app, fix="install the package again")
    board = out / BOARD_FILE
    if not board.is_file():
        raise ZooError("there is no board yet", where=board, fix="run zoo board")
    reported = next(
        (p for p in (app / REPORTED_FILE, _SOURCE_TREE / "benchmarks" / REPORTED_FILE) if p.is_file()), None
    )
    if reported is not None:
        files[REPORTED_FILE] = reported.read_bytes()
    return {**files, **shared_modules(), BOARD_FILE: board.read_bytes()}


def push_space(repo_id: str, files: Mapping[str, bytes], hub: Hub, *, private: bool = False) -> tuple[str, bool]:
    """Bring a Space to the state of these files by one commit; none where it has them already.

    Args:
        repo_id: `owner/name` of the Space; made where it does not exist.
        files: All that it is to hold; other files of the Space are deleted.
        hub: Connection.
        private: Make a new Space private.

    Returns:
        Address of the Space, and whether there was anything to change.

    Raises:
        HubError: The Hub refuses or cannot be reached; the Space is as before, or has the whole commit.
    """

    def attempt() -> bool:
        hub.api.create_repo(repo_id, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        remote = hub.find(repo_id, repo_type="space")
        if remote is None:
            raise ConnectionError("the Space that was just made is not there yet")
        there = remote.files
        add = {
            path: content
            for path, content in files.items()
            if path not in there or not there[path].is_same(content, file_record(content))
        }
        delete = set(there) - set(files) - HUB_FILES
        if add or delete:
            hub.commit(remote, add, delete, "zoo: leaderboard and its data")
        return bool(add or delete)

    return f"{hub.api.endpoint}/spaces/{repo_id}", hub.retrying(attempt, repo_id)


def run_command(
    out: Path, port: int, indexes: Path, corrections: Path | None = None
) -> tuple[list[str], dict[str, str]]:
    """The command that serves the Space here, and its environment.

    Args:
        out: Output folder.
        port: On 127.0.0.1.
        indexes: Indexes of ontologies in the cache.
        corrections: Folder that people save corrections in; None: there are none.
    """
    environment = {
        **os.environ,
        "SPACE_DATA": str(out.resolve()),
        "SPACE_INDEXES": str(indexes.resolve()),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        **({"SPACE_CORRECTIONS": str(corrections.resolve())} if corrections else {}),
    }
    return [sys.executable, str(app_folder() / "app.py")], environment


def is_stale(out: Path) -> bool:
    """Whether the board lacks its details, or anything that goes into it is newer than it."""
    board = out / BOARD_FILE
    if not board.is_file() or b'"details"' not in board.read_bytes():
        return True
    written = board.stat().st_mtime_ns
    records = [path for name in _OF_CHECKPOINT for path in out.glob(f"checkpoints/*/*/{name}")]
    records += [path for name in (CROSS_FILE, ABLATION_FILE) if (path := out / name).is_file()]
    return any(path.stat().st_mtime_ns > written for path in records)
