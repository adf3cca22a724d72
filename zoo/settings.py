"""Settings of a project: what `zoo.toml` says, and the environment over it; read once per command."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_origin, get_type_hints

from zoo.errors import ZooError, did_you_mean
from zoo.files import is_url
from zoo.registry.names import BASE_NAME, CHECKPOINT_NAME, DEFAULT_ORG, Names, check_pattern

SETTINGS_FILE = "zoo.toml"
_YES = frozenset({"1", "on", "yes", "true"})


def _default_cache() -> Path:
    try:
        return Path.home() / ".cache" / "zoo"
    except RuntimeError:  # a container whose user has no home
        import tempfile

        return Path(tempfile.gettempdir()) / "zoo"


class About(NamedTuple):
    """What `zoo init` writes about a setting, and a value of it."""

    help: str
    example: str


@dataclass(frozen=True)
class Settings:
    """What a user sets for their machine and project, by `zoo.toml` or variables such as `ZOO_OUT`.

    Attributes:
        offline: Stay off the network (`ZOO_OFFLINE` or `HF_HUB_OFFLINE`).
        file: The `zoo.toml` that was read, if there is one.
    """

    org: Annotated[str, About("Organisation or user on the Hub that models are published under.", DEFAULT_ORG)] = (
        DEFAULT_ORG
    )
    checkpoint_name: Annotated[str, About("What the repositories of adapters are called there.", CHECKPOINT_NAME)] = (
        CHECKPOINT_NAME
    )
    base_name: Annotated[
        str, About("What the repositories of the bases that adapters stand on are called there.", BASE_NAME)
    ] = BASE_NAME
    country: Annotated[
        str | None,
        About(
            "Country whose electricity is used, as ISO 3166 alpha-3 code, for carbon figures.\n"
            "Not set: the world average is used, every card says so, and publishing asks for it.",
            "DEU",
        ),
    ] = None
    out: Annotated[Path, About("Folder that builds are written to.", "builds")] = Path("builds")
    registry: Annotated[
        Path | None, About("Your own registry (backbones/, corpora/, ...), laid over the packaged one.", "registry")
    ] = None
    corpora: Annotated[
        Path | None, About("Local copies of corpora: <corpus>/{train,dev,test}.tsv[.gz].", "corpora")
    ] = None
    originals: Annotated[
        Path | None, About("Local copies of original documents: <folder>/<file>[.gz].", "originals")
    ] = None
    passages: Annotated[Path | None, About("Local passages for pre-training: <passages>/*.jsonl[.gz].", "passages")] = (
        None
    )
    ontologies: Annotated[
        Path | None, About("Local copies of ontologies: <ontology>.obo[.gz], <ontology>/...", "ontologies")
    ] = None
    cache: Annotated[Path, About("Folder that downloads are kept in.", "~/.cache/zoo")] = field(
        default_factory=_default_cache
    )
    store: Annotated[
        str | None,
        About("Artefact store that several machines share: any fsspec URL, or a folder.", "s3://bucket/zoo"),
    ] = None
    mirrors: Annotated[
        Mapping[str, str],
        About(
            "Where to ask for files outside the Hub, behind a proxy: start of an address = what stands in its place.\n"
            "The Hub's is HF_ENDPOINT. This table comes last in the file.",
            '"https://raw.githubusercontent.com/" = "https://mirror.example.org/github/"',
        ),
    ] = field(default_factory=dict)
    offline: bool = False
    file: Path | None = None

    @property
    def names(self) -> Names:
        """What repositories are called."""
        return Names(self.org, self.checkpoint_name, self.base_name)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of this machine that are set."""
        return tuple(path for name in FOLDERS if (path := getattr(self, name)) is not None)

    @classmethod
    def load(
        cls, env: Mapping[str, str] | None = None, folder: Path | None = None, *, with_file: bool = True
    ) -> Settings:
        """What holds in a folder: its `zoo.toml`, and the environment over it; options of a command come over both.

        Args:
            env: The environment, None: that of this process; an empty variable counts as unset.
            folder: Where to look for `zoo.toml`, upwards; None: the current folder.
            with_file: Read that file; without, the environment alone.

        Raises:
            ZooError: The file is not readable or not TOML, has an unknown key, or a value or a variable is malformed.
        """
        env = os.environ if env is None else env
        file = find_settings_file(folder) if with_file else None
        values: dict[str, Any] = {"offline": is_offline(env), "file": file}
        for name, value in (_read_toml(file) if file else {}).items():
            values[name] = read_setting(name, value, where=f"{file}: {name}", folder=file.parent if file else Path())
        for name in SETTINGS.keys() - TABLES:
            variable = f"ZOO_{name.upper()}"
            if text := env.get(variable):  # a wrong country stops only what needs one
                values[name] = text if name == "country" else read_setting(name, text, where=variable)
        return cls(**values)


SETTINGS: dict[str, About] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if get_origin(hint) is Annotated
}
"""The settings of `zoo.toml`, in the order of the file."""
FOLDERS = ("out", "registry", "corpora", "originals", "passages", "ontologies", "cache")
TABLES = frozenset({"mirrors"})
"""Settings that are tables; no variable stands for one."""
_PATTERNS = {"checkpoint_name": ("backbone", "corpus"), "base_name": ("backbone",)}


def read_setting(name: str, value: object, *, where: str, folder: Path = Path()) -> Any:  # noqa: ANN401
    """Check what was given for a setting.

    Args:
        name: The setting.
        value: What was given.
        where: Where, for the error message.
        folder: Where relative folders start.

    Raises:
        ZooError: There is no such setting, or it cannot have this value.
    """
    if name not in SETTINGS:
        raise ZooError(f"unknown field {name!r}", where=where, fix=did_you_mean(name, SETTINGS))
    if name == "mirrors":
        return check_mirrors(value, where=where)
    if not isinstance(value, str) or not value or "\0" in value:
        example = f'{name} = "{SETTINGS[name].example}"'
        raise ZooError(f"{name} must be a text, not {value!r}", where=where, fix=f"for example {example}")
    if name == "org":
        return check_org(value, where=where)
    if name == "country":
        from zoo.energy import check_country

        return check_country(value, where=where)
    if name in _PATTERNS:
        return check_pattern(value, _PATTERNS[name], where=where)
    if name in FOLDERS:
        return folder / expand_user(value, where=where)
    return value if is_url(value) or folder == Path() else str(folder / expand_user(value, where=where))


def is_offline(env: Mapping[str, str] | None = None) -> bool:
    """Whether the environment says to stay off the network (`ZOO_OFFLINE` or `HF_HUB_OFFLINE`)."""
    env = os.environ if env is None else env
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
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", org):
        raise ZooError(
            f"{org!r} is not the name of an organisation or user on the Hub",
            where=where,
            fix="give the name alone, without address or repository: letters, digits, '.', '_' and '-'",
        )
    return org


def check_mirrors(value: object, *, where: str) -> dict[str, str]:
    """Validate a table of mirrors.

    Raises:
        ZooError: It is no table of addresses, or the two of a line do not both end with a slash, or neither.
    """
    fix = f"for example [mirrors], and below it {SETTINGS['mirrors'].example}"
    if not isinstance(value, dict):
        raise ZooError(f"mirrors must be a table, not {value!r}", where=where, fix=fix)
    for start, mirror in value.items():
        for text in (start, mirror):
            if not isinstance(text, str) or not re.match(r"https?://[^\s/]", text):
                raise ZooError(f"{text!r} is not the start of an address", where=where, fix=fix)
        if start.endswith("/") != mirror.endswith("/"):
            raise ZooError(
                f"of {start!r} and {mirror!r} one ends with a slash", where=where, fix="end both with /, or neither"
            )
    return value


def expand_user(path: str, *, where: str) -> Path:
    """A path with `~` at its start replaced by the home folder.

    Raises:
        ZooError: There is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ZooError(f"no home folder is known for {path!r}", where=where, fix="give the path in full") from None


def _read_toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

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
