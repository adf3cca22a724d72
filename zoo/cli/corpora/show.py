"""`zoo corpora show`: counts, types and examples of a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.corpora.heads import heads_record, print_heads, weigh_heads
from zoo.cli.opening import open_corpus, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_line, print_table, write_file

if TYPE_CHECKING:
    from zoo.corpora.overview import CorpusOverview, TypeOverview
    from zoo.modeling.heads import Ceiling


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A corpus.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots: one file, offline.")
    ] = None,
    quote: Annotated[
        bool, typer.Option("--quote", help="Quote text in the page though the licence does not clearly allow sharing.")
    ] = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show a corpus: counts, types, licence, lengths and frequencies of mentions, examples in context."""
    from zoo.corpora.overview import overview

    found, settings = open_registry(registry)
    corpus = open_corpus(found.corpus(name), found, settings)
    view = overview(corpus)
    if html is not None:
        from zoo.corpora.overview_page import render_page

        write_file(html, render_page(view, quote=quote or view.publishable))
    if as_json:
        print_json({**view.model_dump(mode="json"), "heads": heads_record(weigh_heads(corpus))})
    elif html is not None:
        print_line(f"written to {html}")
    else:
        _print_overview(view, weigh_heads(corpus))


def _print_overview(view: CorpusOverview, weighed: Sequence[Ceiling]) -> None:
    print_line(f"{view.title}: {view.description}")
    print_line(f"licence: {view.license} ({view.license_source}); source: {view.source}")
    for text in (view.citation, view.homepage, view.note, *(f"{what}: {n}" for what, n in view.repairs.items())):
        if text:
            print_line(text)
    print_line("fingerprints as registered" if view.verified else "no fingerprint is registered for every split")
    print_line()
    columns = ["split", f"{view.unit}s", "without mentions", "tokens", "mentions", "seen in train", "fingerprint"]
    rows = [
        [
            split,
            f"{item.documents:,}",
            f"{item.documents_without_mentions:,}",
            f"{item.tokens:,}",
            f"{item.mentions:,}",
            f"{100 * item.seen_in_train / item.mentions:.1f} %"
            if item.seen_in_train is not None and item.mentions
            else "",
            item.fingerprint[:12],
        ]
        for split, item in view.splits.items()
    ]
    print_table(columns, rows)
    for split, item in view.splits.items():
        if item.lie:
            print_line(f"{split}: " + ", ".join(f"{count:,} mentions {how}" for how, count in item.lie.items()))
    if weighed:
        print_line()
        print_heads(weighed)
    for name, kind in view.types.items():
        print_line()
        _print_type(name, kind, view)


def _print_type(name: str, kind: TypeOverview, view: CorpusOverview) -> None:
    per_split = ", ".join(f"{split} {item.mentions_per_type[name]:,}" for split, item in view.splits.items())
    print_line(f"{name}: {kind.mentions:,} mentions ({per_split}), {kind.forms:,} distinct texts")
    print_line("  words: " + ", ".join(f"{length}: {count:,}" for length, count in kind.length_words.items()))
    print_line(
        "  texts by occurrences: " + ", ".join(f"{often}: {count:,}" for often, count in kind.frequencies.items())
    )
    print_line("  frequent: " + ", ".join(f"{text} ({count})" for text, count in kind.frequent))
    for example in kind.examples:
        text = f"{example.before}[{example.mention}]{example.after}"
        print_line(f"  {example.document_id}: {' '.join(text.split())}")
