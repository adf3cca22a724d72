"""What the licences of checkpoints allow, as rows and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo.cards.licenses import WORDS, LicenseVerdict, judge
from zoo.cards.markdown import escape_markdown as md
from zoo.cards.ontology_licenses import may_publish_ontology

if TYPE_CHECKING:
    from zoo.registry.loader import Checkpoint, Registry
    from zoo.registry.passage_entry import PassageEntry


def verdict_of(checkpoint: Checkpoint, registry: Registry) -> LicenseVerdict:
    """What may be published of a checkpoint, with the passages of its recipe."""
    return judge(checkpoint.backbone, checkpoint.corpus, _passages(checkpoint, registry))


def license_rows(checkpoints: Sequence[Checkpoint], registry: Registry) -> list[dict[str, Any]]:
    """One row a checkpoint: licences of its parts and the verdict, as JSON-like data."""
    rows = []
    for checkpoint in checkpoints:
        verdict = verdict_of(checkpoint, registry)
        rows.append(
            {
                "id": checkpoint.id,
                "backbone_license": checkpoint.backbone.license.spdx,
                "corpus_license": checkpoint.corpus.license.spdx,
                "passages_licenses": {p.id: p.license.spdx for p in _passages(checkpoint, registry)},
                "publishable": verdict.audience,
                "license": verdict.spdx,
                "reasons": list(verdict.reasons),
                "notes": list(verdict.notes),
                "attribution": list(verdict.attribution),
                "vocabularies": vocabulary_lines(checkpoint, registry),
            }
        )
    return rows


def vocabulary_lines(checkpoint: Checkpoint, registry: Registry) -> list[str]:
    """What of the ontologies of a checkpoint is published with it, a line each; they never forbid a push."""
    lines = []
    for name in dict.fromkeys(checkpoint.ontologies.values()):
        if (entry := registry.ontologies.get(name)) is not None:
            goes = "its index goes along" if may_publish_ontology(entry) else "none of its content is published"
            lines.append(f"{name}: {entry.license.spdx} ({entry.license.source}): {goes}")
    return lines


def license_page(suite: str, checkpoints: Sequence[Checkpoint], registry: Registry) -> str:
    """The table of a suite as a Markdown page.

    Args:
        suite: Its name, for heading and command.
        checkpoints: Its checkpoints.
        registry: What they are from.
    """
    rows = license_rows(checkpoints, registry)
    lines = [
        f"# Licences of suite `{suite}`",
        "",
        f"Made by `zoo licenses --suite {suite} --markdown`. What may be published of each checkpoint, by the licences "
        "of its backbone, its corpus and the passages that its recipe names for pre-training. A rule of caution, no "
        "legal advice.",
        "",
        "| checkpoint | backbone | corpus | passages | may be published | licence |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        passages = ", ".join(f"{name}: {spdx}" for name, spdx in row["passages_licenses"].items()) or "none"
        cells = [row["id"], row["backbone_license"], row["corpus_license"], passages]
        cells += [WORDS[row["publishable"]], row["license"] if row["publishable"] == "public" else ""]
        lines.append(f"| {' | '.join(md(cell) for cell in cells)} |")
    counts = Counter(row["publishable"] for row in rows)
    lines += ["", ", ".join(f"{counts[audience]} {words}" for audience, words in WORDS.items() if counts[audience])]
    lines[-1] += f", of {len(rows)} checkpoints."
    for heading, key in (
        ("Why not publicly", "reasons"),
        ("What else holds", "notes"),
        ("Whom to name", "attribution"),
        ("Vocabularies that mentions are linked to", "vocabularies"),
    ):
        if found := list(dict.fromkeys(line for row in rows for line in row[key])):
            lines += ["", f"## {heading}", "", *(f"- {md(line)}" for line in found)]
    return "\n".join(lines) + "\n"


def _passages(checkpoint: Checkpoint, registry: Registry) -> list[PassageEntry]:
    return [registry.passage(name) for name in checkpoint.recipe.dapt.passages]
