"""Passages that a build needs and this machine has not: fetched before the plan is made, as its keys depend on them."""

from __future__ import annotations

from dataclasses import replace

from zoo.corpora.retry import FetchOptions
from zoo.errors import ZooError
from zoo.passages.fetch import fetch_passages
from zoo.pipeline.context import Context
from zoo.pipeline.progress import Reporter
from zoo.registry.passage_entry import PassageEntry


def with_fetching(context: Context, reporter: Reporter | None = None) -> Context:
    """The same context, in which a plan fetches the passages that it asks for.

    Args:
        context: Where they are looked for first.
        reporter: Told of every home and file.
    """
    reporter = reporter or Reporter()

    def fetch(entry: PassageEntry) -> None:
        stage, seen = f"passages {entry.id}", set[str]()

        def note(name: str, done_bytes: int, total_bytes: int | None) -> None:
            if name not in seen:
                seen.add(name)
                reporter.note(stage, f"fetches {name}")

        options = FetchOptions.of(context.settings, progress=note)
        reporter.start(stage)
        try:
            item = fetch_passages(entry, cache=context.settings.cache, options=options, verify=False)
        except ZooError as error:
            reporter.done(stage, f"FAILED: {error.what}")
            raise
        reporter.done(stage, f"{item.records:,} passages of {item.fetched}")

    return replace(context, fetching=fetch)
