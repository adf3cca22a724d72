"""What heads hold of a corpus whose mentions share characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo.cli.output import print_line, print_table

if TYPE_CHECKING:
    from zoo.corpora.load import Corpus
    from zoo.modeling.heads import Ceiling


def weigh_heads(corpus: Corpus) -> list[Ceiling]:
    """What each layout of heads can hold of the training mentions; none of a corpus that has one head."""
    from zoo.modeling.heads import ceilings

    if corpus.entry.overlaps != "keep" or corpus.entry.for_evaluation_only:
        return []
    return ceilings(corpus.splits["train"], corpus.entry.entity_types)


def heads_record(weighed: Sequence[Ceiling]) -> list[dict[str, Any]]:
    """The same as a command with `--json` prints it."""
    from zoo.modeling.heads import choose

    return [
        {
            "layout": each.name,
            "heads": [head.name for head in each.heads],
            "held_mentions": each.held,
            "mentions": each.mentions,
            "chosen": each == choose(weighed),
        }
        for each in weighed
    ]


def chosen_heads(weighed: Sequence[Ceiling]) -> str:
    """One line on the heads that a build trains, if its recipe leaves the layout to the data."""
    from zoo.modeling.heads import choose

    best = choose(weighed)
    names = ", ".join(head.name for head in best.heads)
    flat = f", those of {weighed[0].name} {100 * weighed[0].share:.1f} %" if best != weighed[0] else ""
    held = f"{100 * best.share:.1f} % of the training mentions{flat}"
    return f"heads of a build (heads.layout=auto): {names}; they hold {held}"


def print_heads(weighed: Sequence[Ceiling]) -> None:
    """The ceilings of all layouts, and what a build takes."""
    rows = [[each.name, str(len(each.heads)), f"{each.held:,}", f"{100 * each.share:.1f} %"] for each in weighed]
    print_table(["layout of heads", "heads", "training mentions held", "share"], rows)
    print_line(chosen_heads(weighed))
