"""`zoo passages check`: what pre-training would keep."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import load_corpora, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_line, print_step, print_table

if TYPE_CHECKING:
    from zoo.passages.mixture import PassageCounts


_COLUMNS = {
    "read": "read",
    "cut_pieces": "more by cutting",
    "too_short": "too short",
    "not_sampled": "not sampled",
    "test_overlap": "test text",
    "exact_duplicates": "exact duplicates",
    "near_duplicates": "near duplicates",
    "kept_train": "train",
    "kept_heldout": "held out",
    "kept_words": "words kept",
}


def check(
    names: Annotated[list[str], typer.Argument(metavar="ID...", help="Passages of the registry, as a mixture.")],
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Count what pre-training would keep: after length, duplicates, and the test text of corpora that are here."""
    from zoo.passages.mixture import mixture_license, passages_fingerprint, prepare_passages

    found, settings = open_registry(registry)
    entries = [found.passage(name) for name in names]
    fingerprint = passages_fingerprint(entries, folders=found.folders, local=settings.passages)
    left_out: dict[str, str] = {}
    print_step("reads test sets")
    corpora = load_corpora(found, settings, [], left_out)
    print_step("reads passages")
    with TemporaryDirectory() as folder:
        counts = prepare_passages(
            entries, corpora, folders=found.folders, folder=Path(folder), local=settings.passages, seed=0
        ).counts
    licenses, publishable, reasons = mixture_license(entries)
    if as_json:
        print_json(
            {
                "fingerprint": fingerprint,
                "counts": counts.model_dump(mode="json"),
                "licenses": list(licenses),
                "publishable": publishable,
                "reasons": list(reasons),
                "test_sets": [corpus.entry.id for corpus in corpora],
                "not_checked": left_out,
            }
        )
        return
    rows = [*counts.entries.items()] + ([("all", counts.total)] if len(entries) > 1 else [])
    print_table(["passages", *_COLUMNS.values()], [_counts_row(name, item) for name, item in rows])
    for name, item in counts.entries.items():
        for reason, number in item.skipped.items():
            print_line(f"{name}: {number:,} not read: {reason}")
    print_line(f"clear of the test text of: {', '.join(corpus.entry.id for corpus in corpora) or 'nothing'}")
    for name, why in left_out.items():
        print_line(f"not checked: {name}: {why}")
    print_line(f"licences: {', '.join(licenses)}")
    for reason in reasons:
        print_line(f"not to be published: {reason}")


def _counts_row(name: str, counts: PassageCounts) -> list[str]:
    return [name, *(f"{getattr(counts, field):,}" for field in _COLUMNS)]
