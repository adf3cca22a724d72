"""What `zoo push` and `zoo build --push` share: opening the publisher, printing what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.output import print_line, print_table
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.pipeline.context import Context
    from zoo.pipeline.progress import Reporter
    from zoo.pipeline.publish import Publication, Publisher
    from zoo.registry.loader import Checkpoint, Registry


def open_publisher(
    checkpoints: Sequence[Checkpoint], context: Context, private: bool, keep_going: bool, reporter: Reporter
) -> Publisher:
    """What publishes the checkpoints of a build, once it is sure that it may.

    Args:
        checkpoints: What is going to be built.
        context: The context of the build.
        private: Value of `--private`.
        keep_going: Build what may not be published, too; it is said now.
        reporter: Shows the steps of each push.

    Raises:
        ZooError: No country is set, the token may not write, or (without `keep_going`) a licence forbids it.
    """
    from zoo.hub.client import Hub
    from zoo.hub.push import PushOptions
    from zoo.hub.retry import RetryPolicy
    from zoo.pipeline.publish import Publisher, check_access, check_licenses

    options = PushOptions(private=private)
    refused = check_licenses(checkpoints, context, options)
    if refused and not keep_going:
        raise next(iter(refused.values()))
    check_access(context.settings, options)
    for error in refused.values():
        reporter.note("push", f"will be built, but not pushed: {error.what}")

    def report(text: str) -> None:
        reporter.note("push", text)

    return Publisher(context, Hub(RetryPolicy(report=report)), options, checkpoints, report=report)


def publication_record(item: Publication) -> dict[str, Any]:
    """A publication for `--json`."""
    record = {name: value for name, value in asdict(item).items() if name != "verification"}
    return {**record, "verified": bool(item.verification and item.verification.passed)}


def print_publications(done: Sequence[Publication], *, dry_run: bool = False) -> None:
    """A table of what was published, the changes of a dry run, and what went wrong."""
    would = {"created": "would create", "updated": "would update", "proposed": "would propose"} if dry_run else {}
    rows = [
        [
            item.repo_id,
            would.get(item.status, item.status),
            (item.commit or "")[:12],
            "yes" if item.verification and item.verification.passed else "",
        ]
        for item in done
    ]
    if rows:
        print_table(["repository", "outcome", "commit", "verified"], rows)
    for item in done:
        if dry_run and item.changes:
            print_line(f"{item.repo_id}:", wrap=False)
            for line in item.changes:
                print_line(f"  {line}", wrap=False)
        if item.status == "proposed" and item.url:
            print_line(f"{item.repo_id}: {item.url}", wrap=False)
        if item.message:
            print_line(f"{item.subject}: {item.message}", wrap=False)


def refresh_quietly(out: Path, registry: Registry) -> None:
    """Write the board anew, with what is verified; a board that cannot be written does not spoil a push."""
    from zoo.board.rows import refresh_board

    try:
        refresh_board(out, registry)
    except ZooError as error:
        print_line(f"the board was not written: {error}", wrap=False)
