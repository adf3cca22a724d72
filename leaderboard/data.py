"""The board as data: entries read from `board.json` or made from a `result.json`, their ranks, and others' figures."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from entry import Entry
from ranking import overall_entries, type_entries

log = logging.getLogger("space")

SCHEMA_VERSIONS = (1, 2)
PAIRED = (
    "Rows that share a rank are not separable at 95 % from the first of them: paired approximate randomisation over "
    "test documents, Holm-corrected."
)
BY_INTERVALS = (
    "Rows that share a rank are not separable at 95 % from the first of them: their intervals overlap "
    "(no paired test here, so this separates fewer rows than one would)."
)


class BoardError(Exception):
    """The board cannot be read; the message says why and what to do."""


@dataclass(frozen=True)
class Reported:
    """A figure that somebody else published; F1, precision and recall are fractions of 1."""

    model: str
    corpus: str
    types: tuple[str, ...]
    f1: float
    precision: float | None
    recall: float | None
    source: str
    caveat: str


@dataclass(frozen=True)
class Board:
    """What the Space shows.

    Attributes:
        entries: One per checkpoint, by corpus, then rank.
        ranking: What a shared rank means.
        reported: Figures of others.
        cross: The matrix of `zoo cross`, if it was run.
        ablation: What DAPT, LoRA and search bring, if it was measured.
        origin: Where the data comes from, in words.
        models: Folder that holds the checkpoints, where they are on this machine.
    """

    entries: tuple[Entry, ...] = ()
    ranking: str = PAIRED
    reported: tuple[Reported, ...] = ()
    cross: Mapping[str, Any] = field(default_factory=dict)
    ablation: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "no data"
    models: Path | None = None

    @cached_property
    def by_key(self) -> dict[str, Entry]:
        """Entries by key."""
        return {entry.key: entry for entry in self.entries}

    @cached_property
    def corpora(self) -> list[str]:
        """Corpora with measured entries."""
        return sorted({entry.corpus for entry in self.entries})

    @cached_property
    def types(self) -> list[str]:
        """Entity types of the entries, the most frequent first."""
        counts: defaultdict[str, int] = defaultdict(int)
        for entry in self.entries:
            for name in entry.types:
                counts[name] += 1
        return sorted(counts, key=lambda name: (-counts[name], name))

    @cached_property
    def languages(self) -> list[str]:
        """Languages of the entries' corpora."""
        return sorted({tag for entry in self.entries for tag in entry.languages})

    @cached_property
    def backbones(self) -> list[str]:
        """Backbones of the entries."""
        return sorted({entry.backbone for entry in self.entries})

    @cached_property
    def licenses(self) -> list[str]:
        """Licences of the entries."""
        return sorted({entry.license for entry in self.entries})

    @cached_property
    def overall(self) -> tuple[Entry, ...]:
        """Means of each backbone over the corpora it covers, ranked among those that cover the same ones."""
        return tuple(overall_entries(self.entries))

    @cached_property
    def per_type(self) -> tuple[Entry, ...]:
        """One entry per checkpoint and entity type, ranked within a corpus and type."""
        return tuple(type_entries(self.entries))


def load_board(folder: Path, reported: Sequence[Reported] = ()) -> Board:
    """Read `board.json`.

    Args:
        folder: Where it lies; checkpoints below it can be tried in the demo.
        reported: Figures of others to go with it.

    Raises:
        BoardError: It is missing, damaged or of another version.
    """
    path = folder / "board.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema_version"] not in SCHEMA_VERSIONS:
            raise BoardError(f"{path.name} has version {data['schema_version']}: write it again with zoo board")
        details = {_triple(item): item for item in data.get("details", ())}
        entries = [_from_row(row, details.get(_triple(row), {})) for row in data["rows"]]
    except OSError as error:
        raise BoardError(f"cannot read {path.name}: {error.strerror}. Run zoo board first.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise BoardError(f"{path.name} is damaged ({type(error).__name__}: {error}). Run zoo board again.") from None
    checkpoints = folder / "checkpoints"
    return Board(
        entries=tuple(_unique(entries)),
        ranking=data.get("ranking", PAIRED),
        reported=tuple(reported),
        cross=data.get("cross") or {},
        ablation=data.get("ablation") or {},
        origin="board.json of this Space",
        models=checkpoints if checkpoints.is_dir() else None,
    )


def load_reported(path: Path) -> list[Reported]:
    """Read `published.yaml`; a file that is missing gives none, a damaged one gives none and a line in the log."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [
            Reported(
                model=str(item["model"]),
                corpus=str(item["corpus"]),
                types=tuple(item["entity_types"]),
                f1=float(item["micro_f1"]),
                precision=item.get("precision"),
                recall=item.get("recall"),
                source=str(item["source"]),
                caveat=str(item["caveat"]),
            )
            for item in data["figures"]
        ]
    except FileNotFoundError:
        return []
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        log.warning("cannot read %s: %s", path.name, type(error).__name__)
        return []


def from_result(result: Mapping[str, Any], *, verified: bool) -> Entry:
    """An entry, not ranked yet, from the `result.json` of a Hub repo.

    Raises:
        KeyError, TypeError: It lacks a field or has one of another kind.
    """
    test, seeds = result["scores"]["test"], result.get("seed_scores")
    row = {
        "checkpoint_id": result["checkpoint_id"],
        "repo_id": result["repo_id"],
        "backbone": result["backbone"],
        "corpus": result["corpus"],
        "entity_types": " ".join(result["entity_types"]),
        "languages": " ".join((result.get("corpus_record") or {}).get("languages", ())),
        "test_micro_f1": float(test["micro_f1"]),
        "test_ci95_low": float(test["ci95"][0]),
        "test_ci95_high": float(test["ci95"][1]),
        "test_precision": test["precision"],
        "test_recall": test["recall"],
        "dev_micro_f1": result["scores"]["dev"]["micro_f1"],
        "trained_parameters": result["trained_parameters"],
        "trained_share": result["trained_share"],
        "adapter_bytes": result["adapter_bytes"],
        "energy_wh": result["energy"]["energy_wh"],
        "emissions_g": result["energy"]["emissions_g"],
        "country": result["energy"]["country"],
        "license": result["license"],
        "created": result["created"],
        "test_fingerprint": result["fingerprints"]["split_test"],
    }
    if seeds:  # as the board has them: means over the seeds
        tests = [run["scores"]["test"] for run in seeds["runs"]]
        row |= {
            "test_micro_f1": float(seeds["test_micro_f1"]["mean"]),
            "test_micro_f1_std": float(seeds["test_micro_f1"]["std"]),
            "first_test_micro_f1": float(test["micro_f1"]),
            "n_seeds": len(tests),
            "test_ci95_low": float(seeds["test_ci95"][0]),
            "test_ci95_high": float(seeds["test_ci95"][1]),
            "test_precision": fmean(each["precision"] for each in tests),
            "test_recall": fmean(each["recall"] for each in tests),
            "dev_micro_f1": float(seeds["dev_micro_f1"]["mean"]),
        }
    return _from_row({**row, "verified": verified}, {"result": result})


def _from_row(row: Mapping[str, Any], detail: Mapping[str, Any]) -> Entry:
    result = detail.get("result") or {}
    memory, raw = result.get("memorisation") or {}, result.get("raw_text") or {}
    decoding, latency = result.get("decoding") or {}, detail.get("latency") or {}
    noisy, linking = result.get("robustness") or {}, result.get("linking") or {}
    losses = [score["loss"] for name, score in noisy.items() if name != "original"]
    trained, share = row.get("trained_parameters"), row.get("trained_share")
    return Entry(
        key=row["checkpoint_id"],
        name=row["checkpoint_id"],
        repo_id=row["repo_id"],
        base_repo_id=result.get("base_repo_id", ""),
        backbone=row["backbone"],
        corpora=(row["corpus"],),
        types=tuple(row["entity_types"].split()),
        languages=tuple(row.get("languages", "").split()),
        f1=row["test_micro_f1"],
        low=row.get("test_ci95_low"),
        high=row.get("test_ci95_high"),
        std=row.get("test_micro_f1_std"),
        first_f1=row.get("first_test_micro_f1"),
        n_seeds=row.get("n_seeds", 1),
        precision=row.get("test_precision"),
        recall=row.get("test_recall"),
        dev_f1=row.get("dev_micro_f1"),
        unseen_f1=(memory.get("unseen") or {}).get("f1"),
        seen_f1=(memory.get("seen") or {}).get("f1"),
        raw_f1=(raw.get("score") or {}).get("micro_f1"),
        inner_recall=row.get("inner_recall"),
        discontinuous_recall=row.get("discontinuous_recall"),
        linked_f1=(linking.get("end_to_end") or {}).get("f1"),
        linking_accuracy=linking["gold"]["belb"]["accuracy_at_1"] if linking else None,
        linked_to="; ".join(
            f"{name}: {used['id']} {used['version']}" for name, used in linking.get("vocabularies", {}).items()
        ),
        robustness=fmean(losses) if losses else None,
        trained_parameters=trained,
        parameters=round(trained / share) if trained and share else None,
        adapter_bytes=row.get("adapter_bytes"),
        ms_per_1000_words=latency.get("ms_per_1000_words"),
        processor=_processor(latency),
        energy_wh=row.get("energy_wh"),
        emissions_g=row.get("emissions_g"),
        country=row.get("country", ""),
        license=row.get("license", ""),
        verified=row.get("verified"),
        created=row.get("created", ""),
        rank=row.get("rank"),
        shared=row.get("rank_shared_by", 1) > 1,
        test=row.get("test_fingerprint", ""),
        recipe=row.get("recipe", ""),
        strategy=decoding.get("aggregation_strategy", "simple"),
        stride=decoding.get("stride_tokens", 128),
        mentions=((result.get("scores") or {}).get("test") or {}).get("gold_mentions"),
        heads=len(result.get("heads") or ()) or 1,
        details=detail,
    )


def _processor(latency: Mapping[str, Any]) -> str:
    threads = latency.get("threads")
    return ", ".join(
        str(part) for part in (latency.get("processor"), threads and f"{threads} thread{'s' * (threads > 1)}") if part
    )


def _unique(entries: Sequence[Entry]) -> list[Entry]:
    """Entries with keys that differ: a checkpoint built with several recipes has its recipe in the key."""
    seen: defaultdict[str, int] = defaultdict(int)
    for entry in entries:
        seen[entry.key] += 1
    return [
        replace(entry, key=f"{entry.key}@{entry.recipe[:8]}.{entry.test[:8]}") if seen[entry.key] > 1 else entry
        for entry in entries
    ]


def _triple(item: Mapping[str, Any]) -> tuple[str, str, str]:
    return (item["checkpoint_id"], item.get("recipe", ""), item.get("test_fingerprint", ""))
