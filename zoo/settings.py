"""Settings: what `zoo.toml` says, and the environment over it; read once per command."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.registry.names import BASE_NAME, CHECKPOINT_NAME, DEFAULT_ORG, Names, check_pattern

SETTINGS_FILE = "zoo.toml"
ORG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
FOLDERS = ("out", "registry", "corpora", "originals", "passages", "cache")
"""The settings that are folders; each has a variable of its name, such as `ZOO_OUT`."""
PATTERNS = {"checkpoint_name": ("backbone", "corpus"), "base_name": ("backbone",)}
"""The settings that are patterns of names, and what each must hold."""
_YES = frozenset({"1", "on", "yes", "true"})


def _default_cache() -> Path:
    try:
        return Path.home() / ".cache" / "zoo"
    except RuntimeError:  # a container whose user has no home
        return Path(tempfile.gettempdir()) / "zoo"


@dataclass(frozen=True)
class Settings:
    """What a user sets for their machine and project.

    Attributes:
        out: Folder that builds are written to (`ZOO_OUT`).
        registry: Overlay registry folder (`ZOO_REGISTRY`).
        corpora: Folder with local corpora, `DIR/<corpus>/{train,dev,test}.tsv[.gz]` (`ZOO_CORPORA`).
        originals: Folder with local copies of original documents, `DIR/<folder>/<file>[.gz]` (`ZOO_ORIGINALS`).
        passages: Folder with local passages for pre-training (`ZOO_PASSAGES`).
        country: ISO 3166 alpha-3 code for carbon figures (`ZOO_COUNTRY`); unset means the world average.
        org: Hub organisation of the published repositories (`ZOO_ORG`).
        checkpoint_name: Pattern of the adapters' repositories (`ZOO_CHECKPOINT_NAME`).
        base_name: Pattern of the bases' repositories (`ZOO_BASE_NAME`).
        cache: Folder that downloads are kept in (`ZOO_CACHE`).
        store: fsspec URL of an artefact store that several machines share (`ZOO_STORE`).
        offline: Stay off the network (`ZOO_OFFLINE` or `HF_HUB_OFFLINE`).
        file: The `zoo.toml` that was read, if there is one.
    """

    out: Path = Path("builds")
    registry: Path | None = None
    corpora: Path | None = None
    originals: Path | None = None
    passages: Path | None = None
    country: str | None = None
    org: str = DEFAULT_ORG
    checkpoint_name: str = CHECKPOINT_NAME
    base_name: str = BASE_NAME
    cache: Path = field(default_factory=_default_cache)
    store: str | None = None
    offline: bool = False
    file: Path | None = None

    @property
    def names(self) -> Names:
        """What repositories are called."""
        return Names(self.org, self.checkpoint_name, self.base_name)

    @classmethod
    def load(cls, env: Mapping[str, str] = os.environ, folder: Path | None = None) -> Settings:
        """What holds in a folder: its `zoo.toml`, and the environment over it; options of a command come over both.

        Args:
            env: The environment.
            folder: Where to look for `zoo.toml`, upwards; None: the current folder.

        Raises:
            ZooError: The file or a variable is malformed.
        """
        file = find_settings_file(folder)
        if file is None:
            return cls.from_env(env)
        from zoo.project import read_project

        return cls.from_env(env, below=read_project(file))

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ, below: Settings | None = None) -> Settings:
        """Read the `ZOO_*` variables alone; an empty variable counts as unset.

        Args:
            env: The environment.
            below: What holds where a variable is unset; None: the defaults.

        Raises:
            ZooError: A variable is malformed.
        """
        values: dict[str, Any] = {}
        for name in FOLDERS:
            if value := env.get(f"ZOO_{name.upper()}"):
                values[name] = expand_user(value, where=f"ZOO_{name.upper()}")
        if org := env.get("ZOO_ORG"):
            values["org"] = check_org(org, where="ZOO_ORG")
        for name, fields in PATTERNS.items():
            if pattern := env.get(f"ZOO_{name.upper()}"):
                values[name] = check_pattern(pattern, fields, where=f"ZOO_{name.upper()}")
        if store := env.get("ZOO_STORE"):
            values["store"] = store
        if country := env.get("ZOO_COUNTRY"):
            values["country"] = country
        return replace(below or cls(), **values, offline=is_offline(env))


def is_offline(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says to stay off the network (`ZOO_OFFLINE` or `HF_HUB_OFFLINE`)."""
    return any(env.get(name, "").lower() in _YES for name in ("ZOO_OFFLINE", "HF_HUB_OFFLINE"))


def find_settings_file(folder: Path | None = None) -> Path | None:
    """The `zoo.toml` of a folder or of its nearest parent, up to the root of the file system; None: there is none.

    Args:
        folder: Where to start; None: the current folder.
    """
    try:
        start = (folder or Path()).absolute()
    except FileNotFoundError:  # the current folder was removed
        return None
    for path in (parent / SETTINGS_FILE for parent in (start, *start.parents)):
        try:
            if path.is_file():
                return path
        except OSError:  # a parent that may not be looked into
            continue
    return None


def check_org(org: str, *, where: str) -> str:
    """Validate the name of a Hub organisation or user.

    Raises:
        ZooError: The Hub has no such names.
    """
    if not re.fullmatch(ORG_PATTERN, org):
        raise ZooError(
            f"{org!r} is not the name of an organisation or user on the Hub",
            where=where,
            fix="give the name alone, without address or repository: letters, digits, '.', '_' and '-'",
        )
    return org


def expand_user(path: str, *, where: str) -> Path:
    """A path with `~` at its start replaced by the home folder.

    Raises:
        ZooError: There is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ZooError(f"no home folder is known for {path!r}", where=where, fix="give the path in full") from None
