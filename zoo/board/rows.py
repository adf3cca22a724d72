"""The board: one row a checkpoint, ranked within each corpus; what a test cannot separate shares a rank."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from zoo.board.details import checkpoint_details, matrices
from zoo.cards.current import current_result
from zoo.errors import ZooError
from zoo.evaluation.predictions import PREDICTIONS_FILE, read_predictions
from zoo.evaluation.result import Result, find_result_files, load_result, seed_folder
from zoo.evaluation.scoring import SplitScore
from zoo.evaluation.spans import Counts, added_up, total
from zoo.evaluation.statistics import bootstrap_interval, mean_and_spread, tie_groups
from zoo.files import write_whole
from zoo.hub.verification import is_verified
from zoo.registry.loader import Registry

BOARD_SCHEMA_VERSION = 2
RANKING = (
    "Ranks count within a corpus and one test split. Rows that share a rank are not separable at 95 % from the first "
    "of them (paired approximate randomisation over test documents, 10,000 samples, Holm over all rows below it). A "
    "row with several seeds shows means over them and the standard deviation of its F1; published is the adapter of "
    "the first. Its counts are added up per document, for the test and for the interval, so the interval tells of "
    "documents, not of seeds."
)
_SAME_F1 = 1e-9


@dataclass(frozen=True)
class Built:
    """A checkpoint on disk, or one of its seeds.

    Attributes:
        result: Its `result.json`; of one seed of several, with the figures of that.
        counts: Strict counts of each test document, from its `predictions.jsonl`.
        folder: Where it lies.
    """

    result: Result
    counts: tuple[Counts, ...]
    folder: Path


@dataclass(frozen=True)
class _Entrant:
    """What becomes a row: builds of one checkpoint that differ in their seed alone, in order of their seeds."""

    name: str
    recipe: str
    builds: tuple[Built, ...]

    def counts(self, weight: int) -> list[Counts]:
        """Counts of each test document, added up over the seeds, times `weight`."""
        sums = added_up([built.counts for built in self.builds])
        return [Counts(weight * c.tp, weight * c.fp, weight * c.fn) for c in sums]


def refresh_board(out: Path, registry: Registry, others: Iterable[Path] = ()) -> list[dict[str, Any]]:
    """Write `board.json`, with the details that the Space shows, and `board.csv` into an output folder.

    Args:
        out: The output folder; what was built below it is ranked.
        registry: Says what the licences are now.
        others: Further output folders to rank with it, such as those of other seeds.

    Returns:
        The rows.

    Raises:
        ZooError: A result or its predictions cannot be read, or two builds of a checkpoint have one seed.
    """
    folders = (out, *others)
    found = [item for folder in folders for item in find_built(folder)]
    built = [replace(item, result=current_result(item.result, registry)) for item in found]
    rows = board_rows(built)
    firsts = [(entrant.builds[0], entrant.recipe) for entrant in _entrants(built)]
    details = [checkpoint_details(item.result, item.folder, recipe=recipe) for item, recipe in firsts]
    write_board(rows, out, {"details": details, **matrices(folders)})
    return rows


def find_built(out: Path) -> list[Built]:
    """All checkpoints below an output folder, in order of their ids; one of several seeds is there once for each.

    Raises:
        ZooError: A `result.json` or `predictions.jsonl` cannot be read, or the two do not belong together.
    """
    found = []
    for path in find_result_files(out):
        for number, result in enumerate(load_result(path).each_seed()):
            folder = seed_folder(path.parent, result.seeds[0]) if number else path.parent
            found.append(Built(result, _counts(result, folder), path.parent))
    return found


def _counts(result: Result, folder: Path) -> tuple[Counts, ...]:
    """Counts of each test document by the predictions in a folder, which must be those of the result."""
    counts, test = tuple(line.counts for line in read_predictions(folder)), result.scores.test
    if len(counts) != test.documents or abs(total(counts).f1 - test.micro_f1) > _SAME_F1:
        raise ZooError(
            f"the predictions give F1 {total(counts).f1:.4f} on {len(counts)} documents, the result says "
            f"{test.micro_f1:.4f} on {test.documents}",
            where=folder / PREDICTIONS_FILE,
            fix="build the checkpoint again",
        )
    return counts


def board_rows(built: Sequence[Built]) -> list[dict[str, Any]]:
    """Rows by corpus, then rank, then F1; see `RANKING` for what a rank means.

    Builds with the same checkpoint id, splits and recipe but for the seed become one row. Scores on different corpora,
    or on different test splits under one corpus id, do not compare: each has its own ranks.

    Raises:
        ZooError: Two different builds of a checkpoint have the same recipe and seed.
    """
    groups: dict[tuple[str, str], list[_Entrant]] = {}
    for entrant in _entrants(built):
        result = entrant.builds[0].result
        groups.setdefault((result.corpus, result.fingerprints["split_test"]), []).append(entrant)
    rows: list[dict[str, Any]] = []
    for _, entrants in sorted(groups.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1])):
        # Weights make the gold counts of rows with different numbers of seeds equal; F1 does not depend on them.
        common = math.lcm(*(len(entrant.builds) for entrant in entrants))
        ranks = tie_groups({entrant.name: entrant.counts(common // len(entrant.builds)) for entrant in entrants})
        shared = Counter(ranks.values())
        ranked = [_row(entrant, ranks[entrant.name], shared[ranks[entrant.name]]) for entrant in entrants]
        rows += sorted(ranked, key=lambda row: (row["rank"], -row["test_micro_f1"], row["checkpoint_id"]))
    return rows


def _entrants(built: Sequence[Built]) -> list[_Entrant]:
    seeds: dict[tuple[str, ...], dict[tuple[int, ...], Built]] = {}
    for item in built:
        result = item.result
        splits = [result.fingerprints[f"split_{split}"] for split in ("train", "dev", "test")]
        seen = seeds.setdefault((result.checkpoint_id, _recipe(result), *splits), {})
        other = seen.setdefault(tuple(result.seeds), item)
        if other.result.fingerprints["adapter"] != result.fingerprints["adapter"]:
            raise ZooError(
                f"two builds of {result.checkpoint_id} have the same recipe and seed, but differ",
                where=f"{other.folder} and {item.folder}",
                fix="leave one out, or build it with another seed (--set seed=14)",
            )
    entrants = [
        _Entrant("\0".join(key), key[1], tuple(by_seed[seed] for seed in sorted(by_seed)))
        for key, by_seed in seeds.items()
    ]
    return sorted(entrants, key=lambda entrant: entrant.name)


def _recipe(result: Result) -> str:
    """Short digest of a recipe without its seeds."""
    recipe = {name: value for name, value in result.recipe.items() if name not in ("seed", "seeds")}
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _row(entrant: _Entrant, rank: int, shared_by: int) -> dict[str, Any]:
    results = [built.result for built in entrant.builds]
    first, tests = results[0], [result.scores.test for result in results]
    f1 = mean_and_spread([test.micro_f1 for test in tests])
    low, high = tests[0].ci95 if f1.n == 1 else bootstrap_interval(entrant.counts(1))
    return {
        "corpus": first.corpus,
        "rank": rank,
        "rank_shared_by": shared_by,
        "checkpoint_id": first.checkpoint_id,
        "repo_id": first.repo_id,
        "backbone": first.backbone,
        "entity_types": " ".join(first.entity_types),
        "languages": " ".join(first.corpus_record.languages),
        "test_micro_f1": f1.mean,
        "test_micro_f1_std": f1.std,
        "first_test_micro_f1": tests[0].micro_f1,  # of the adapter that is published
        "n_seeds": f1.n,
        "seeds": " ".join(str(seed) for result in results for seed in result.seeds),
        "test_ci95_low": low,
        "test_ci95_high": high,
        "test_precision": fmean(test.precision for test in tests),
        "test_recall": fmean(test.recall for test in tests),
        "dev_micro_f1": fmean(result.scores.dev.micro_f1 for result in results),
        **_nesting(tests),
        **_linking(first),
        "dropped_share": first.corpus_record.dropped_test_share,
        "trained_parameters": first.trained_parameters,
        "trained_share": first.trained_share,
        "adapter_bytes": first.adapter_bytes,
        "train_seconds": fmean(result.train_seconds for result in results),
        "energy_wh": fmean(result.energy.energy_wh for result in results),
        "emissions_g": fmean(result.energy.emissions_g for result in results),
        "country": ", ".join(dict.fromkeys(result.energy.country for result in results)),
        "license": first.license,
        "publishable": first.publishable,
        "verified": any(is_verified(built.folder, built.result) for built in entrant.builds) or None,  # null: not yet
        "created": max(result.created for result in results),
        "recipe": entrant.recipe,
        "test_fingerprint": first.fingerprints["split_test"],
    }


def _nesting(tests: Sequence[SplitScore]) -> dict[str, Any]:
    """Means over the seeds; null: the split has no such mentions."""
    found = [test.nesting for test in tests if test.nesting]
    inner = [each.inner for each in found if each.inner.gold_mentions]
    broken = [each.discontinuous for each in found if each.discontinuous.gold_mentions]
    return {
        "inner_f1": fmean(each.f1 for each in inner) if inner else None,
        "inner_recall": fmean(each.recall for each in inner) if inner else None,
        "discontinuous_recall": fmean(each.recall for each in broken) if broken else None,
    }


def _linking(result: Result) -> dict[str, Any]:
    """End to end and of gold mentions by one rule, of the adapter that is published; null: it does not link."""
    scores = result.linking
    pairs = scores.vocabularies.items() if scores else ()
    return {
        "linked_f1": scores.end_to_end.f1 if scores and scores.end_to_end else None,
        "linking_belb_accuracy": scores.gold.belb.accuracy_at_1 if scores else None,
        "linked_to": "; ".join(f"{name}: {used.id} {used.version}" for name, used in pairs),
    }


def write_board(rows: Sequence[dict[str, Any]], out: Path, more: Mapping[str, Any] | None = None) -> None:
    """Write `board.json` and `board.csv`; `more` goes into the first alone."""
    data = {"schema_version": BOARD_SCHEMA_VERSION, "ranking": RANKING, "rows": list(rows), **(more or {})}
    write_whole(out / "board.json", json.dumps(data, indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(
        text, fieldnames=list(rows[0]) if rows else ["corpus", "rank", "checkpoint_id"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    write_whole(out / "board.csv", text.getvalue())
