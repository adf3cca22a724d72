"""The `zoo` command: parse, call, print. Exit codes: 0 all good, 1 some builds failed, 2 usage or bad input.

3: the Hub refuses or cannot be reached. Of `zoo doctor`, 1 says that there is a problem; of `zoo push`, that something
may not be published; of `zoo verify`, that a model is not what its card says. Stopped by Ctrl-C: 130; by SIGTERM: 143.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from zoo import __version__
from zoo.cli.group import command_group
from zoo.cli.signals import own_signals
from zoo.errors import ZooError

__all__ = ["app", "main"]

_RESUMABLE = ("build", "tune")
_COMMANDS = """
    init doctor list show plan build push verify export tune gc board space licenses cards tag suggest serve link
    evaluate lock errors robustness latency cross corpora passages ontologies
"""
app = command_group(
    __name__,
    _COMMANDS.split(),
    "Build, score and publish LoRA adapters for biomedical named-entity recognition.",
)


def main() -> None:
    """Run the command; errors a user can fix become one message and exit code 2, signals one line and their own."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the locale says: what is printed is UTF-8
            stream.reconfigure(encoding="utf-8", errors="backslashreplace" if stream is sys.stderr else "strict")
    try:
        with own_signals.answered():
            app()
    except ZooError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if context.invoked_subcommand in _RESUMABLE:
        own_signals.message = "stopped; finished stages are kept: the same command goes on from there"
    if version:
        sys.stdout.write(f"zoo {__version__}\n")
        raise typer.Exit
