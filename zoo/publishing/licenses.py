"""Which licence a checkpoint carries, from those of its backbone and its corpus."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.registry.schema import Backbone, CorpusEntry


@dataclass(frozen=True)
class LicenseVerdict:
    """The licence of a checkpoint.

    Attributes:
        spdx: The adapter's licence.
        publishable: Whether it may be published.
        reasons: Why not, or what the licence asks for.
    """

    spdx: str
    publishable: bool
    reasons: tuple[str, ...]


def judge(backbone: Backbone, corpus: CorpusEntry) -> LicenseVerdict:
    """Share-alike data passes its licence on; else the adapter takes the backbone's."""
    reasons = [
        f"{kind} {entry.id}: {entry.license.spdx} ({entry.license.source})"
        for kind, entry in (("backbone", backbone), ("corpus", corpus))
        if not entry.license.publishable
    ]
    if reasons:
        return LicenseVerdict("NOASSERTION", False, tuple(reasons))
    if "-SA-" in corpus.license.spdx:
        return LicenseVerdict(corpus.license.spdx, True, (f"share-alike: corpus {corpus.id} is {corpus.license.spdx}",))
    notes = (
        (f"attribution: corpus {corpus.id} is {corpus.license.spdx}",)
        if corpus.license.spdx.startswith("CC-BY")
        else ()
    )
    return LicenseVerdict(backbone.license.spdx, True, notes)
