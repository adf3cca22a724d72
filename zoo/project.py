"""`zoo.toml`: the settings of a project, in its folder. Reading it, and writing a new one."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from zoo.energy import check_country
from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.registry.loader import check
from zoo.registry.names import BASE_NAME, CHECKPOINT_NAME, DEFAULT_ORG, check_pattern
from zoo.registry.schema import Entry
from zoo.settings import FOLDERS, ORG_PATTERN, PATTERNS, SETTINGS_FILE, Settings, expand_user

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Folder = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]
_RECIPES = """\
# Hyper-parameters that differ from the packaged ones, for the checkpoints (backbone/corpus) that a pattern matches.
# `zoo show BACKBONE/CORPUS` shows the recipe of a checkpoint, with all names and values that can be set. Example:
#
# overrides:
#   - match: "minilm-l6/my-notes"
#     set: {finetune.epochs: 8, finetune.learning_rate: 1.0e-3, lora.rank: 6}
overrides: []
"""


class Project(Entry):
    """The content of zoo.toml; relative folders start at the file."""

    org: Annotated[str, Field(pattern=ORG_PATTERN)] | None = None
    checkpoint_name: str | None = None
    base_name: str | None = None
    country: str | None = None
    out: Folder | None = None
    registry: Folder | None = None
    corpora: Folder | None = None
    originals: Folder | None = None
    passages: Folder | None = None
    cache: Folder | None = None
    store: Folder | None = None


_COMMENTS = {
    "org": (DEFAULT_ORG, "Organisation or user on the Hub that models are published under."),
    "checkpoint_name": (CHECKPOINT_NAME, "What the repositories of adapters are called there."),
    "base_name": (BASE_NAME, "What the repositories of the bases that adapters stand on are called there."),
    "country": (
        "DEU",
        "Country whose electricity is used, as ISO 3166 alpha-3 code, for carbon figures.\n"
        "Not set: the world average is used, every card says so, and publishing asks for it.",
    ),
    "out": ("builds", "Folder that builds are written to."),
    "registry": ("registry", "Your own registry (backbones/, corpora/, ...), laid over the packaged one."),
    "corpora": ("corpora", "Local copies of corpora: <corpus>/{train,dev,test}.tsv[.gz]."),
    "originals": ("originals", "Local copies of original documents: <folder>/<file>[.gz]."),
    "passages": ("passages", "Local passages for pre-training: <passages>/*.jsonl[.gz]."),
    "cache": ("~/.cache/zoo", "Folder that downloads are kept in."),
    "store": ("s3://bucket/zoo", "Artefact store that several machines share: any fsspec URL, or a folder."),
}
"""Key -> (example, what the file says about it)."""


def read_project(path: Path) -> Settings:
    """Read a `zoo.toml`.

    Raises:
        ZooError: Not readable or not TOML, with its line; an unknown key or a wrong value, with its name.
    """
    project = check(Project, _parse(path), where=path)
    values: dict[str, Any] = project.model_dump(exclude_none=True)
    check_country(project.country, where=f"{path}: country")
    for name, fields in PATTERNS.items():
        if name in values:
            check_pattern(values[name], fields, where=f"{path}: {name}")
    for name in FOLDERS:
        if name in values:
            values[name] = path.parent / expand_user(values[name], where=f"{path}: {name}")
    if (store := project.store) and "://" not in store and "::" not in store:  # as fsspec tells folders from URLs
        values["store"] = str(path.parent / expand_user(store, where=f"{path}: store"))
    return Settings(file=path, **values)


def render_project(project: Project) -> str:
    """The text of a commented `zoo.toml`; what is not set stands there as a comment."""
    lines = [
        "# Settings of zoo for this folder and all below it: every command reads the nearest zoo.toml upwards.",
        "# Environment variables (ZOO_ORG, ZOO_OUT, ...) come before this file, options of a command before both.",
        "# Relative folders start at this file.",
    ]
    for name, (example, comment) in _COMMENTS.items():
        value = getattr(project, name)
        lines += ["", *(f"# {line}" for line in comment.split("\n"))]
        lines.append(f"# {name} = {_quoted(example)}" if value is None else f"{name} = {_quoted(value)}")
    return "\n".join(lines) + "\n"


def create_project(folder: Path, project: Project, *, with_registry: bool = False, force: bool = False) -> list[Path]:
    """Write a new `zoo.toml`, and the skeleton of a registry where one is asked for.

    Args:
        folder: Where to; made if it does not exist.
        project: What to set.
        with_registry: Make the folders of `project.registry` and its recipes.yaml; what is there already is kept.
        force: Replace a `zoo.toml` that is there.

    Returns:
        The files and folders written, `zoo.toml` last.

    Raises:
        ZooError: There is a `zoo.toml` already, the registry does not exist and is not to be made, or the folder cannot
            be written to.
    """
    target = folder / SETTINGS_FILE
    registry = None if project.registry is None else folder / expand_user(project.registry, where="--registry")
    try:
        if target.exists() and not force:
            raise ZooError("there is a zoo.toml already", where=target, fix="edit it, or replace it with --force")
        if registry is not None and not with_registry and not registry.is_dir():
            raise ZooError("the registry folder does not exist", where=registry, fix="make it with --with-registry")
        folder.mkdir(parents=True, exist_ok=True)
        written = _create_registry(registry) if registry is not None and with_registry else []
        write_whole(target, render_project(project))
    except OSError as error:
        raise ZooError(
            f"cannot write here: {error.strerror or error}", where=folder, fix="choose another folder"
        ) from None
    except UnicodeEncodeError:
        raise ZooError("a name is not valid Unicode and cannot stand in zoo.toml", where=target) from None
    return [*written, target]


def _create_registry(folder: Path) -> list[Path]:
    for name in ("backbones", "corpora", "passages"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    recipes = folder / "recipes.yaml"
    if not recipes.exists():
        write_whole(recipes, _RECIPES)
    return [folder]


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZooError(
            f"not UTF-8: byte 0x{error.object[error.start]:02x}",
            where=f"{path}:{error.object[: error.start].count(10) + 1}",
            fix="convert the file to UTF-8",
        ) from None
    except OSError as error:
        raise ZooError(f"cannot read the settings: {error.strerror}", where=path, fix="make it readable") from None
    try:
        return dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        problem, _, position = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", position)
        number = int(line[1]) if line else text.count("\n") + 1
        raise ZooError(
            f"not valid TOML: {problem}", where=f"{path}:{number}", fix='a line is: name = "value"'
        ) from None


def _quoted(text: str) -> str:
    """A TOML string; what JSON leaves bare and TOML does not allow is escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
