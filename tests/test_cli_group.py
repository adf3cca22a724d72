"""The groups of commands: each command is a module of its own, found by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import zoo.cli
from zoo.cli import app

HELPERS = {"group", "heads", "opening", "options", "output", "publications", "signals"}
FOLDER = Path(zoo.cli.__file__).parent


def listed(*group: str) -> list[str]:
    """The commands that the help of a group names, in its order."""
    text = CliRunner().invoke(app, [*group, "--help"], env={"COLUMNS": "400"}).output
    rows = text.partition("Commands")[2].splitlines()[1:]
    return [row.strip("│ ").split()[0] for row in rows if row.startswith("│")]


@pytest.mark.parametrize("group", [(), ("corpora",), ("passages",), ("ontologies",)])
def test_each_module_is_a_command_that_the_help_lists(group: tuple[str, ...]) -> None:
    modules = {path.stem if path.is_file() else path.name for path in FOLDER.joinpath(*group).iterdir()}
    assert set(listed(*group)) == modules - HELPERS - {"__init__", "__pycache__"}


@pytest.mark.parametrize("command", [*listed(), "corpora add", "passages check", "space push"])
def test_each_command_has_a_help_of_its_own(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "-h"])
    assert done.exit_code == 0 and f"{command} [OPTIONS]" in done.output and "--help" in done.output


def test_a_misspelt_command_is_named_with_the_nearest() -> None:
    done = CliRunner().invoke(app, ["corpora", "ad"])
    assert done.exit_code == 2 and "No such command 'ad'. Did you mean 'add'?" in done.output
