"""Groups of commands that are imported when they are run or listed, so that each command starts soon."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def command_group(package: str, names: Sequence[str], summary: str) -> typer.Typer:
    """A group of commands.

    Args:
        package: The package with a module for each command: a function of the module's name (`list_` for `list`), or a
            group called `app`.
        names: The commands, in the order of the help.
        summary: What the group is for.
    """

    class Group(TyperGroup):
        """Imports its commands when they are asked for."""

        def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - as typer has it
            super().__init__(**attributes)
            self.commands: dict[str, Any] = dict.fromkeys(names)
            self._listing = False

        def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - typer's own click
            """The command of a name, or None; while the help is written, its summary alone."""
            if cmd_name not in names:
                return None
            module = vars(import_module(f"{package}.{cmd_name}"))
            found = next(module[name] for name in ("app", cmd_name, f"{cmd_name}_") if name in module)
            if self._listing:
                text = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
                return TyperCommand(name=cmd_name, help=text)
            if isinstance(found, typer.Typer):
                group = get_group(found)
                group.name = cmd_name
                return group
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(found)
            return get_command(alone)

        def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
            """Write the help, without building the options of every command."""
            self._listing = True
            try:
                super().format_help(ctx, formatter)
            finally:
                self._listing = False

    return typer.Typer(
        cls=Group,
        help=summary,
        no_args_is_help=True,
        context_settings=CONTEXT,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
