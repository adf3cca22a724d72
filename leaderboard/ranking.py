"""Ranks and means that the app makes itself: by overlap of intervals, over corpora, and by entity type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from entry import Entry


def rank_by_intervals(entries: Iterable[Entry]) -> list[Entry]:
    """Rank comparable entries, best first; one whose interval overlaps that of a group's first shares its rank.

    Entries without an interval, and those known not to be verified, get no rank and stand last.
    """
    pool = sorted(entries, key=lambda entry: (-entry.f1, entry.name))
    able = [entry for entry in pool if entry.low is not None and entry.verified is not False]
    ranked: list[Entry] = []
    start = 0
    while start < len(able):
        floor = able[start].low or 0.0
        size = next((n for n, entry in enumerate(able[start:]) if (entry.high or 0.0) < floor), len(able) - start)
        size = max(size, 1)
        ranked += [replace(entry, rank=start + 1, shared=size > 1) for entry in able[start : start + size]]
        start += size
    rest = [entry for entry in pool if entry.low is None or entry.verified is False]
    return ranked + [replace(entry, rank=None, shared=False) for entry in rest]


def rank_within(entries: Iterable[Entry]) -> list[Entry]:
    """Rank entries within each corpus and test split, in order of the corpora."""
    groups: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.corpus, entry.test].append(entry)
    return [entry for key in sorted(groups) for entry in rank_by_intervals(groups[key])]


def overall_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Means of each backbone over the corpora it covers.

    Only backbones with the same corpora and test splits are ranked together. Of several checkpoints on one corpus the
    best on dev counts. The interval is the mean of the corpora's intervals: the widest it can be, as test splits
    share documents.
    """
    best: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        key = (entry.backbone, entry.corpus, entry.test)
        if key not in best or (entry.dev_f1 or 0.0) > (best[key].dev_f1 or 0.0):
            best[key] = entry
    covered: defaultdict[str, list[Entry]] = defaultdict(list)
    for backbone, *_ in best:
        covered[backbone] = []
    for (backbone, *_), entry in best.items():
        covered[backbone].append(entry)
    sets: defaultdict[tuple[tuple[str, str], ...], list[Entry]] = defaultdict(list)
    for backbone, parts in covered.items():
        parts.sort(key=lambda part: (part.corpus, part.test))
        sets[tuple((part.corpus, part.test) for part in parts)].append(_mean_entry(backbone, parts))
    ordered = sorted(sets, key=lambda corpora: (-len(corpora), corpora))
    return [entry for corpora in ordered for entry in rank_by_intervals(sets[corpora])]


def type_entries(entries: Iterable[Entry]) -> list[Entry]:
    """One entry per checkpoint and entity type, ranked within corpus and type."""
    groups: defaultdict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        scores = entry.details.get("result", {}).get("scores", {}).get("test", {}).get("per_type", {})
        for name, score in scores.items():
            alone = len(entry.types) == 1
            low, high = (entry.low, entry.high) if alone else score.get("ci95") or (None, None)
            made = replace(
                entry,
                key=f"{entry.key}#{name}",
                types=(name,),
                f1=entry.f1 if alone else score["f1"],
                precision=entry.precision if alone else score["precision"],
                recall=entry.recall if alone else score["recall"],
                mentions=score["gold_mentions"],
                low=low,
                high=high,
                std=entry.std if alone else None,
                first_f1=entry.first_f1 if alone else None,
                unseen_f1=entry.unseen_f1 if alone else None,
                seen_f1=entry.seen_f1 if alone else None,
                raw_f1=_per_type_raw(entry, name),
                inner_recall=entry.inner_recall if alone else None,
                discontinuous_recall=entry.discontinuous_recall if alone else None,
                linked_f1=entry.linked_f1 if alone else None,
                linking_accuracy=entry.linking_accuracy if alone else None,
                linked_to=entry.linked_to if alone else "",
                robustness=entry.robustness if alone else None,
            )
            groups[name, entry.corpus, entry.test].append(made)
    ranked: list[Entry] = []
    for key in sorted(groups):
        members = groups[key]
        # with a single type, the score of the type is that of the corpus, and so is the paired rank
        keep = all(len(member.details.get("result", {}).get("entity_types", ())) == 1 for member in members)
        ordered = sorted(members, key=lambda member: (member.rank or len(members) + 1, -member.f1, member.name))
        ranked += ordered if keep else rank_by_intervals(members)
    return ranked


def _mean_entry(backbone: str, parts: Sequence[Entry]) -> Entry:
    def mean(name: str) -> float | None:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else fmean(values)

    def total(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else sum(values)

    names = ("low", "high", "precision", "recall", "dev_f1", "unseen_f1", "seen_f1", "raw_f1", "robustness")
    means: dict[str, Any] = {name: mean(name) for name in names}
    processors = {part.processor for part in parts}
    if len(processors) == 1:  # times of different processors have no mean
        means |= {"ms_per_1000_words": mean("ms_per_1000_words"), "processor": processors.pop()}
    means |= {name: total(name) for name in ("adapter_bytes", "energy_wh", "emissions_g")}
    flags = [part.verified for part in parts]
    return Entry(
        key=f"mean:{backbone}:{'+'.join(part.corpus for part in parts)}",
        name=backbone,
        backbone=backbone,
        corpora=tuple(part.corpus for part in parts),
        types=tuple(dict.fromkeys(name for part in parts for name in part.types)),
        f1=fmean(part.f1 for part in parts),
        languages=tuple(dict.fromkeys(tag for part in parts for tag in part.languages)),
        repo_id=parts[0].base_repo_id,
        **means,
        n_seeds=min(part.n_seeds for part in parts),
        trained_parameters=max((part.trained_parameters or 0 for part in parts), default=0) or None,
        parameters=max((part.parameters or 0 for part in parts), default=0) or None,
        country=", ".join(sorted({part.country for part in parts})),
        license=", ".join(sorted({part.license for part in parts})),
        verified=None if any(flag is None for flag in flags) else all(flags),
        created=max(part.created for part in parts),
        test=" ".join(part.test for part in parts),
    )


def _per_type_raw(entry: Entry, name: str) -> float | None:
    raw = entry.details.get("result", {}).get("raw_text") or {}
    score = raw.get("score", {}).get("per_type", {}).get(name)
    return score["f1"] if score else None
