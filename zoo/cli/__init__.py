"""The `zoo` command: parse, call, print. Exit codes: 0 all good, 1 some builds failed, 2 usage or bad input.

3: the Hub refuses or cannot be reached. Of `zoo doctor`, 1 says that there is a problem; of `zoo push`, that something
may not be published; of `zoo verify`, that a model is not what its card says. Stopped by Ctrl-C: 130; by SIGTERM: 143.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from zoo import __version__
from zoo.cli import (
    build,
    corpora,
    evaluation,
    export,
    intake,
    latency,
    leakage,
    licenses,
    passages,
    plan,
    publishing,
    registry,
    setup,
    space,
    tagging,
)
from zoo.cli.signals import own_signals
from zoo.errors import ZooError

__all__ = ["app", "main"]

_RESUMABLE = ("build", "tune")
_SHARED: dict[str, Any] = {"no_args_is_help": True, "context_settings": {"help_option_names": ["-h", "--help"]}}
app = typer.Typer(
    help="Build, score and publish LoRA adapters for biomedical named-entity recognition.",
    add_completion=False,
    pretty_exceptions_enable=False,
    **_SHARED,
)
corpora_app = typer.Typer(help="List, fetch, show, add and check corpora.", **_SHARED)
passages_app = typer.Typer(help="List, show and check passages for pre-training.", **_SHARED)
space_app = typer.Typer(invoke_without_command=True, context_settings=_SHARED["context_settings"])


def main() -> None:
    """Run the command; errors a user can fix become one message and exit code 2, signals one line and their own."""
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


# in the order of `zoo --help`
app.command()(setup.init)
app.command()(setup.doctor)
app.command("list")(registry.list_checkpoints)
app.command()(registry.show)
app.command()(plan.plan)
app.command()(build.build)
app.command()(publishing.push)
app.command()(publishing.verify)
app.command()(export.export)
app.command()(plan.tune)
app.command()(plan.gc)
app.command()(build.board)
app.add_typer(space_app, name="space")
space_app.callback()(space.serve)
space_app.command()(space.push)
app.command()(licenses.licenses)
app.command()(licenses.cards)
app.command()(tagging.tag)
app.command()(tagging.evaluate)
app.command()(registry.lock)
app.command()(evaluation.errors)
app.command()(evaluation.robustness)
app.command()(latency.latency)
app.command()(evaluation.cross)
app.add_typer(corpora_app, name="corpora")
corpora_app.command("list")(corpora.list_corpora)
corpora_app.command()(corpora.fetch)
corpora_app.command()(corpora.show)
corpora_app.command()(intake.add)
corpora_app.command()(leakage.check)
app.add_typer(passages_app, name="passages")
passages_app.command("list")(passages.list_passages)
passages_app.command()(passages.show)
passages_app.command()(passages.check)
