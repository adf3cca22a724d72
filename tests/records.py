"""A result and its checkpoint, written by hand: two entity types, a raw-text score, every field filled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.evaluation.result import Result
from zoo.registry.loader import Checkpoint, Registry, load_registry
from zoo.registry.recipes import Recipe
from zoo.registry.schema import Backbone, CorpusEntry, LicenseInfo, ReportedScore

FINGERPRINTS = {
    name: character * 64
    for name, character in zip(
        ("split_train", "split_dev", "split_test", "base", "labels", "recipe", "adapter"), "1234567", strict=True
    )
}


def checkpoint(*, publishable: bool = True, **corpus: Any) -> Checkpoint:
    """`tiny-bert/notes`; keywords replace fields of the corpus entry."""
    backbone = Backbone(
        id="tiny-bert",
        title="Tiny BERT",
        family="bert",
        hub_id="someone/tiny-bert",
        revision="ab" * 20,
        parameters_million=0.1,
        license=LicenseInfo(spdx="MIT", source="its model card", publishable=True),
    )
    fields: dict[str, Any] = {
        "id": "notes",
        "title": "Notes",
        "description": "Diseases and drugs in invented notes.",
        "homepage": "https://example.org/notes",
        "citation": "Doe (2026), Notes",
        "format": "conll",
        "unit": "sentence",
        "types": {"Disease": "Disease", "Chemical": "Chemical"},
        "license": LicenseInfo(
            spdx="CC-BY-4.0" if publishable else "NOASSERTION", source="its README", publishable=publishable
        ),
        "reported": [
            ReportedScore(model="Other", micro_f1=0.912, source="https://example.org/paper", protocol="not known")
        ],
        "note": "Written for a test.",
    }
    return Checkpoint(backbone, CorpusEntry(**{**fields, **corpus}), Recipe())


def split_score(f1: float, **changes: Any) -> dict[str, Any]:
    """A split's score whose figures all differ, so that a mix-up of two shows."""
    return {
        "micro_f1": f1,
        "precision": f1 + 0.02,
        "recall": f1 - 0.02,
        "ci95": [f1 - 0.05, f1 + 0.04],
        "macro_f1": f1 - 0.01,
        "span_only_f1": f1 + 0.03,
        "per_type": {
            "Chemical": {
                "f1": f1 + 0.1,
                "precision": f1 + 0.11,
                "recall": f1 + 0.09,
                "gold_mentions": 60,
                "ci95": [f1 + 0.07, f1 + 0.12],
            },
            "Disease": {"f1": f1 - 0.1, "precision": f1 - 0.09, "recall": f1 - 0.11, "gold_mentions": 40},
        },
        "documents": 50,
        "gold_mentions": 100,
        "predicted_mentions": 96,
        "unaligned_mentions": 3,
        **changes,
    }


def nesting_data(**changes: Any) -> dict[str, Any]:
    """Scores by how mentions lie among others, whose figures all differ; none is three deep."""

    def lie(f1: float, gold: int) -> dict[str, Any]:
        shares = {"f1": f1, "precision": f1 + 0.023, "recall": f1 - 0.022}
        return {**shares, "gold_mentions": gold, "predicted_mentions": gold - 2}

    return {
        "outer": lie(0.831, 85),
        "inner": lie(0.543, 15),
        "by_depth": {"1": lie(0.831, 85), "2": lie(0.543, 15)},
        "inner_same_type": lie(0.421, 6),
        "overlapping": lie(0.317, 4),
        "discontinuous": lie(0.278, 7),
        "unreachable_mentions": 9,
        **changes,
    }


def group(f1: float, gold: int) -> dict[str, Any]:
    return {
        "f1": f1,
        "precision": f1 + 0.01,
        "recall": f1 - 0.01,
        "gold_mentions": gold,
        "predicted_mentions": gold,
        "true_positives": int(gold * f1),
    }


def rule(name: str, accuracy: float, mentions: int, outside: int) -> dict[str, Any]:
    return {
        "rule": name,
        "mentions": mentions,
        "left_out": 100 - mentions,
        "outside": outside,
        "accuracy_at_1": accuracy,
        "accuracy_at_5": accuracy + 0.041,
        "accuracy_at_20": accuracy + 0.052,
        "ci95": [accuracy - 0.033, accuracy + 0.034],
    }


def part(accuracy: float, mentions: int) -> dict[str, Any]:
    return {"accuracy": accuracy, "mentions": mentions, "ci95": [accuracy - 0.021, accuracy + 0.022]}


def gold_mentions(accuracy: float, mentions: int) -> dict[str, Any]:
    """Scores of linking gold mentions whose figures all differ."""
    return {
        "belb": rule("BELB", accuracy, mentions, 2),
        "biosyn": rule("BioSyn", accuracy + 0.043, mentions - 4, 0),
        "coverage": 0.978,
        "seen": part(accuracy + 0.061, mentions - 30),
        "unseen": part(accuracy - 0.102, 30),
        "semantic_types": {"C08": part(accuracy - 0.011, 20)},
    }


def linking_data(**changes: Any) -> dict[str, Any]:
    """Scores of linking two types to two vocabularies."""
    return {
        "split": "test",
        "documents": 50,
        "vocabularies": {
            "Chemical": {"id": "mesh", "version": "2024", "fingerprint": "8" * 64},
            "Disease": {"id": "medic", "version": "2012-07-06", "fingerprint": "9" * 64},
        },
        "train_names": "train+dev",
        "linker": "names, n-grams and a reranker",
        "gold": gold_mentions(0.853, 96),
        "per_type": {"Chemical": gold_mentions(0.871, 58), "Disease": gold_mentions(0.827, 38)},
        "end_to_end": {
            "f1": 0.713,
            "precision": 0.724,
            "recall": 0.702,
            "ci95": [0.671, 0.752],
            "gold_mentions": 100,
            "predicted_mentions": 96,
            "recognition_f1": 0.8,
            "recognition_ci95": [0.75, 0.84],
        },
        "abstention": {
            "target_precision": 0.95,
            "threshold": 0.6125,
            "answered_share": 0.734,
            "precision": 0.948,
            "curve": [{"threshold": 0.1, "answered_share": 1.0, "precision": 0.853}],
        },
        "nil": {"gold_mentions": 4, "predicted_mentions": 5, "precision": 0.4, "recall": 0.5},
        **changes,
    }


def energy(energy_wh: float, seconds: float) -> dict[str, Any]:
    return {
        "energy_wh": energy_wh,
        "emissions_g": 0.381 * energy_wh,
        "seconds": seconds,
        "country": "DEU",
        "method": "codecarbon, CPU estimated (cpu_load)",
        "hardware": "2 x Some CPU",
        "components_wh": {"cpu": 0.75 * energy_wh, "gpu": 0.0, "ram": 0.25 * energy_wh},
    }


def passages(name: str, spdx: str, **license_info: Any) -> dict[str, Any]:
    """The record of passages in a result."""
    info = {"spdx": spdx, "source": f"page of {name}", "publishable": True, **license_info}
    counts = {"read": 1200, "trained": 1100, "fetched": "" if name == "notes" else "2026-01-02"}
    return {"id": name, "title": name.title(), "homepage": f"https://example.org/{name}", "license": info, **counts}


def registry(entry: Checkpoint) -> Registry:
    """The packaged registry with the entries of a checkpoint beside its own."""
    packaged = load_registry()
    return replace(
        packaged,
        backbones={**packaged.backbones, entry.backbone.id: entry.backbone},
        corpora={**packaged.corpora, entry.corpus.id: entry.corpus},
        folders={**packaged.folders, "backbones/tiny-bert": Path("own"), "corpora/notes": Path("own")},
    )


def result_data(**changes: Any) -> dict[str, Any]:
    """The JSON of the result; keywords replace whole fields."""
    recipe = Recipe().model_dump(mode="json")
    recipe["lora"]["targets"] = ["query", "value"]
    return {
        "checkpoint_id": "tiny-bert/notes",
        "repo_id": "openmed/tiny-bert-notes",
        "base_repo_id": "openmed/tiny-bert-ner",
        "backbone": "tiny-bert",
        "backbone_origin": f"someone/tiny-bert@{'ab' * 20}",
        "corpus": "notes",
        "entity_types": ["Disease", "Chemical"],
        "decoding": {"aggregation_strategy": "simple", "window_tokens": 512, "stride_tokens": 128},
        "scores": {"dev": split_score(0.825, documents=30), "test": split_score(0.8)},
        "memorisation": {"seen": group(0.9, 70), "unseen": group(0.6, 30), "seen_gold_share": 0.7, "train_forms": 120},
        "without_leaked": {
            "leaked_documents": 2,
            "documents": 48,
            "micro_f1": 0.79,
            "precision": 0.81,
            "recall": 0.77,
            "gold_mentions": 95,
            "leaked_gold_mentions": 5,
        },
        "raw_text": {
            "score": split_score(0.75, documents=5, gold_mentions=102),
            "pipeline_call": "pipeline(..., aggregation_strategy='simple', stride=128)",
            "differing_documents": 0,
        },
        "robustness": {
            "original": {"micro_f1": 0.8, "loss": 0.0, "documents": 50, "changed_documents": 0},
            "upper case": {"micro_f1": 0.615, "loss": 0.185, "documents": 50, "changed_documents": 49},
            "typos": {"micro_f1": 0.805, "loss": -0.005, "documents": 50, "changed_documents": 31},
        },
        "errors": {
            "classes": {
                "boundary": {"false_positives": 7, "false_negatives": 6},
                "missed": {"false_positives": 0, "false_negatives": 9},
            },
            "examples": [
                {
                    "kind": "boundary",
                    "before": "… had ",
                    "text": "severe asthma",
                    "after": " as a child .",
                    "gold": "asthma (Disease)",
                    "predicted": "severe asthma (Disease)",
                },
                {
                    "kind": "missed",
                    "before": "",
                    "text": "gout",
                    "after": " came back .",
                    "gold": "gout (Disease)",
                    "predicted": None,
                },
            ],
        },
        "linking": linking_data(),
        "notes": ["latency not measured: no timer"],
        "protocol": "Strict entity micro-F1 over character spans.",
        "trained_parameters": 1234567,
        "trained_share": 0.0123,
        "adapter_bytes": 1234567,
        "train_seconds": 61.4,
        "precision": "bfloat16",
        "best_epoch": 2,
        "training": [
            {"epoch": n, "loss": 1 / n, "dev_micro_f1": 0.4 * n, "train_seconds": 30.0, "tokens": 9000} for n in (1, 2)
        ],
        "energy": {**energy(12.345, 71.6), "emissions_g": 4.702},
        "energy_stages": {"dapt": energy(40.0, 240.0), "base": energy(0.5, 3.0), "train": energy(12.345, 71.6)},
        "energy_base_share": energy(8.1, 48.6),
        "base_sharers": 5,
        "dapt": {
            "passages": ["some-abstracts", "some_trials"],
            "passages_read": 1200,
            "passages_trained": 1100,
            "perplexity_before": 21.5,
            "perplexity_after": 12.25,
            "head_trained": True,
            "steps": 300,
            "tokens": 250_000,
            "licenses": ["CC0-1.0", "CC-BY-4.0"],
            "sources": [passages("some-abstracts", "CC0-1.0"), passages("some_trials", "CC-BY-4.0")],
            "trained_parameters": 98765,
            "train_seconds": 230.6,
            "precision": "float32",
        },
        "tune": {
            "trials": 20,
            "completed": 12,
            "best_values": {"finetune.learning_rate": 0.0012345, "lora.targets": ["query", "value"]},
            "best_dev_micro_f1": 0.84,
            "recipe_dev_micro_f1": 0.83,
            "confirmed": [
                {
                    "trial": 7,
                    "seeds": [13, 14, 15],
                    "dev_micro_f1": [0.84, 0.82, 0.83],
                    "mean": 0.83,
                    "std": 0.01,
                },
                {
                    "trial": 0,
                    "seeds": [13, 14, 15],
                    "dev_micro_f1": [0.83, 0.8, 0.83],
                    "mean": 0.82,
                    "std": 0.0173,
                },
            ],
            "importances": {"finetune.learning_rate": 0.9},
        },
        "recipe": recipe,
        "seeds": [13],
        "corpus_record": {
            "title": "Notes",
            "languages": ["en"],
            "unit": "sentence",
            "source": "local files, verified by fingerprint",
            "license": "CC-BY-4.0",
            "documents": {"train": 200, "dev": 30, "test": 50},
            "mentions": {"train": 400, "dev": 55, "test": 100},
            "mentions_per_type": {"Disease": 150, "Chemical": 250},
            "examples": {"Disease": ["asthma", "migraine"], "Chemical": ["aspirin"]},
            "repairs": {"I- tags read as B-": 4},
            "dropped_mentions": {"train": 40, "dev": 5, "test": 25},
        },
        "license": "MIT",
        "publishable": True,
        "versions": {"zoo": "1.0", "torch": "2.9", "transformers": "5.1", "peft": "0.20", "tokenizers": "0.22"},
        "fingerprints": FINGERPRINTS,
        "created": "2026-11-05T12:00:00+00:00",
        **changes,
    }


def result(**changes: Any) -> Result:
    """The result, checked by its schema."""
    return Result.model_validate(result_data(**changes))
