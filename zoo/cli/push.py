"""`zoo push`: publish what is built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import choose, nothing_built, open_registry, with_org
from zoo.cli.options import AsJson, OrgOption, OutOption, PrivateOption, RegistryOption, SuiteOption
from zoo.cli.output import print_json, print_step
from zoo.cli.publications import print_publications, publication_record, refresh_quietly

if TYPE_CHECKING:
    from zoo.registry.loader import Checkpoint, Registry
    from zoo.settings import Settings


def push(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Checkpoints, backbone/corpus.")] = None,
    push_all: Annotated[bool, typer.Option("--all", help="All that is built, or every checkpoint of --suite.")] = False,
    suite: SuiteOption = None,
    out: OutOption = None,
    org: OrgOption = None,
    private: PrivateOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Propose the changes by pull requests.")] = False,
    verify_: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Download and score again what was pushed.")
    ] = True,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Publish built checkpoints and their bases on the Hub; what is there already is not pushed again."""
    from zoo.hub.client import Hub
    from zoo.hub.push import PushOptions
    from zoo.hub.retry import RetryPolicy
    from zoo.pipeline.context import Context
    from zoo.pipeline.publish import Publisher, check_access

    found, settings = open_registry(registry)
    settings = with_org(replace(settings, out=out or settings.out), org)
    checkpoints = _chosen(found, settings, ids or [], push_all, suite)
    options = PushOptions(private=private, create_pr=create_pr, dry_run=dry_run)
    check_access(settings, options)
    hub = Hub(RetryPolicy(report=print_step))
    with Publisher(Context(found, settings), hub, options, checkpoints, verify=verify_, report=print_step) as publisher:
        for checkpoint in checkpoints:
            publisher.add(checkpoint)
        done = publisher.finish()
    if any(item.verification for item in done):
        refresh_quietly(settings.out, found)
    if as_json:
        print_json([publication_record(item) for item in done])
    else:
        print_publications(done, dry_run=dry_run)
    if code := max((item.exit_code for item in done), default=0):
        raise typer.Exit(code)


def _chosen(
    registry: Registry, settings: Settings, ids: list[str], push_all: bool, suite: str | None
) -> list[Checkpoint]:
    if push_all and not suite and not ids:
        from zoo.evaluation.result import find_results

        ids = [result.checkpoint_id for result in find_results(settings.out)]
        if not ids:
            raise nothing_built(settings.out)
        return [registry.checkpoint(name) for name in ids]

    return choose(registry, ids, push_all, suite, [])
