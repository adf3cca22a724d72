"""The folder of a new project: a commented `zoo.toml`, and a registry to fill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.settings import SETTINGS, SETTINGS_FILE, TABLES, expand_user

_RECIPES = """\
# Hyper-parameters that differ from the packaged ones, for the checkpoints (backbone/corpus) that a pattern matches.
# `zoo show BACKBONE/CORPUS` shows the recipe of a checkpoint, with all names and values that can be set. Example:
#
# overrides:
#   - match: "minilm-l6/my-notes"
#     set: {finetune.epochs: 8, finetune.learning_rate: 1.0e-3, lora.rank: 6}
overrides: []
"""


def render_settings(given: Mapping[str, str]) -> str:
    """The text of a commented `zoo.toml`; a setting that is not given stands there as a comment."""
    lines = [
        "# Settings of zoo for this folder and all below it: every command reads the nearest zoo.toml upwards.",
        "# Environment variables (ZOO_ORG, ZOO_OUT, ...) come before this file, options of a command before both.",
        "# Relative folders start at this file.",
    ]
    for name, about in SETTINGS.items():
        lines += ["", *(f"# {line}" for line in about.help.split("\n"))]
        if name in TABLES:
            lines += [f"# [{name}]", f"# {about.example}"]
        else:
            lines.append(f"{'' if name in given else '# '}{name} = {_quoted(given.get(name, about.example))}")
    return "\n".join(lines) + "\n"


def create_project(
    folder: Path, given: Mapping[str, str], *, with_registry: bool = False, force: bool = False
) -> list[Path]:
    """Write a new `zoo.toml`, and the skeleton of a registry where one is asked for.

    Args:
        folder: Where to; made if it does not exist.
        given: Name -> value of what to set.
        with_registry: Make the folders of the `registry` given and its recipes.yaml; what is there already is kept.
        force: Replace a `zoo.toml` that is there.

    Returns:
        The files and folders written, `zoo.toml` last.

    Raises:
        ZooError: There is a `zoo.toml` already, the registry does not exist and is not to be made, or the folder cannot
            be written to.
    """
    target = folder / SETTINGS_FILE
    registry = folder / expand_user(given["registry"], where="--registry") if "registry" in given else None
    try:
        if target.exists() and not force:
            raise ZooError("there is a zoo.toml already", where=target, fix="edit it, or replace it with --force")
        if registry is not None and not with_registry and not registry.is_dir():
            raise ZooError("the registry folder does not exist", where=registry, fix="make it with --with-registry")
        folder.mkdir(parents=True, exist_ok=True)
        written = _create_registry(registry) if registry is not None and with_registry else []
        write_whole(target, render_settings(given))
    except OSError as error:
        raise ZooError(
            f"cannot write here: {error.strerror or error}", where=folder, fix="choose another folder"
        ) from None
    except UnicodeEncodeError:
        raise ZooError("a name is not valid Unicode and cannot stand in zoo.toml", where=target) from None
    return [*written, target]


def _create_registry(folder: Path) -> list[Path]:
    for name in ("backbones", "corpora", "passages", "ontologies"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    recipes = folder / "recipes.yaml"
    if not recipes.exists():
        write_whole(recipes, _RECIPES)
    return [folder]


def _quoted(text: str) -> str:
    """A TOML string; what JSON leaves bare and TOML does not allow is escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
