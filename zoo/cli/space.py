"""The commands of the leaderboard: `zoo space` serves it here, `zoo space push` publishes it."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.group import CONTEXT
from zoo.cli.opening import nothing_built, open_registry
from zoo.cli.options import AsJson, OutOption, RegistryOption
from zoo.cli.output import print_json, print_line, print_step
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.registry.loader import Registry

DEFAULT_NAME = "leaderboard"
app = typer.Typer(
    help="Serve the leaderboard and its demo on this machine, with what is built here.",
    invoke_without_command=True,
    context_settings=CONTEXT,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def serve(
    context: typer.Context,
    out: OutOption = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on 127.0.0.1.")] = 7860,
    corrections: Annotated[
        Path | None,
        typer.Option("--corrections", metavar="DIR", help="Correct what is found in the demo; kept here, as BRAT."),
    ] = None,
    registry: RegistryOption = None,
) -> None:
    """Serve the leaderboard and its demo on this machine, with what is built here."""
    if context.invoked_subcommand is not None:
        return
    from zoo.board.space import run_command
    from zoo.linking.indexes import INDEXES

    for module in ("gradio", "plotly"):
        if importlib.util.find_spec(module) is None:
            raise ZooError(f"{module} is not installed", fix="pip install 'biomedical-ner-zoo[space]'")
    found, settings = open_registry(registry)
    folder = out or settings.out
    _fresh_board(folder, found)
    command, environment = run_command(folder, port, settings.cache / INDEXES, corrections)
    print_line(f"http://127.0.0.1:{port}", wrap=False)
    code = subprocess.call(command, env=environment)
    if code:
        raise typer.Exit(code)


@app.command()
def push(
    repo: Annotated[
        str | None, typer.Option("--repo", metavar="OWNER/NAME", help="The Space [default: leaderboard of the org].")
    ] = None,
    out: OutOption = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new Space private.")] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Publish the leaderboard with the board of the output folder, in one commit."""
    from zoo.board.space import push_space, space_files
    from zoo.hub.client import Hub
    from zoo.hub.retry import RetryPolicy

    found, settings = open_registry(registry)
    folder = out or settings.out
    name = repo or f"{settings.org}/{DEFAULT_NAME}"
    if name.count("/") != 1:
        raise ZooError(f"{name!r} is no Space", where="--repo", fix=f"for example {settings.org}/{DEFAULT_NAME}")
    _fresh_board(folder, found, always=True)
    url, changed = push_space(name, space_files(folder), Hub(RetryPolicy(report=print_step)), private=private)
    if as_json:
        print_json({"repo_id": name, "url": url, "changed": changed})
    else:
        print_line(f"{'pushed' if changed else 'unchanged'}: {url}", wrap=False)


def _fresh_board(out: Path, registry: Registry, *, always: bool = False) -> None:
    """Write the board again where something was built or verified since; always before it is published."""
    from zoo.board.rows import refresh_board
    from zoo.board.space import is_stale

    if not (out / "checkpoints").is_dir() and not (out / "board.json").is_file():
        raise nothing_built(out)
    if (out / "checkpoints").is_dir() and (always or is_stale(out)):
        print_step("writing the board")
        refresh_board(out, registry)
