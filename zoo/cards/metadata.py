"""The YAML part of a card: what the Hub reads. Figures are those of `result.json`, scores as fractions of 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.cards.licenses import LicenseVerdict, license_url
from zoo.language.examples import example_sentence
from zoo.registry.schema import Backbone, CorpusEntry, HubSource
from zoo.registry.spdx import UNKNOWN

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

    from zoo.energy import Energy
    from zoo.evaluation.result import Result
    from zoo.evaluation.scoring import SplitScore, TypeScore

_HUB_LICENSES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl
lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib
pddl lgpl-lr deepfloyd-if-license llama2 gemma unknown other
"""
HUB_LICENSES = frozenset(_HUB_LICENSES.split())
"""What the Hub takes as `license`: https://huggingface.co/docs/hub/repositories-licenses."""
NO_LICENSE = "no-public-licence"
"""`license_name` of what may not be published."""
_FAMILIES = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl"}
_TASK: dict[str, Any] = {"task_type": "token-classification", "task_name": "Named entity recognition"}


def checkpoint_metadata(
    result: Result, backbone: Backbone, corpus: CorpusEntry, verdict: LicenseVerdict
) -> ModelCardData:
    """Metadata of an adapter.

    Args:
        result: The source of every figure.
        backbone: What it stands on.
        corpus: What it was trained on.
        verdict: What `judge_result` says of it.
    """
    from huggingface_hub import ModelCardData

    return ModelCardData(
        language=list(corpus.languages) if len(corpus.languages) > 1 else corpus.language,
        **hub_license(verdict.spdx),
        library_name="peft",
        pipeline_tag="token-classification",
        base_model=result.base_repo_id,
        base_model_relation="adapter",
        datasets=dataset_ids(corpus),
        metrics=["f1", "precision", "recall"],
        tags=[
            "biomedical",
            "named-entity-recognition",
            "lora",
            "transformers",
            backbone.family,
            *sorted(name.lower() for name in result.entity_types),
        ],
        widget=_widget(result, corpus) or None,
        model_name=result.repo_id.split("/")[-1],
        eval_results=_evaluations(result, corpus),
        co2_eq_emissions=_emissions(result.energy, "fine-tuning"),
    )


def base_metadata(result: Result, backbone: Backbone, verdict: LicenseVerdict, energy: Energy | None) -> ModelCardData:
    """Metadata of a base.

    Args:
        result: Of any checkpoint on it.
        backbone: What it was made of.
        verdict: What `judge_result` says of it.
        energy: Of its making; None: not measured.
    """
    from huggingface_hub import ModelCardData

    return ModelCardData(
        **hub_license(verdict.spdx),
        library_name="transformers",
        pipeline_tag="token-classification",
        base_model=backbone.hub_id,
        base_model_relation="finetune" if backbone.hub_id else None,
        tags=["biomedical", "named-entity-recognition", "adapter-base", backbone.family],
        inference=False,  # alone it finds nothing: no widget
        co2_eq_emissions=_emissions(energy, "pre-training" if result.dapt else "conversion") if energy else None,
    )


def hub_license(spdx: str) -> dict[str, Any]:
    """An SPDX id as the Hub has it: `license`, and where the Hub does not know it `license_name`, `license_link`."""
    name = spdx.lower()
    for end in ("-only", "-or-later"):
        name = name.removesuffix(end)
    name = _FAMILIES.get(name, name)
    if name in HUB_LICENSES - {"other", "unknown"}:
        return {"license": name}
    if spdx == UNKNOWN:
        return {"license": "other", "license_name": NO_LICENSE}
    link = license_url(spdx)
    slug = "-".join("".join(c if c.isalnum() or c in ".-" else " " for c in spdx.lower()).split())
    return {"license": "other", "license_name": slug, **({"license_link": link} if link else {})}


def dataset_ids(corpus: CorpusEntry) -> list[str]:
    """Datasets of the Hub that a corpus is read from, else its id; those of all its members."""
    return [
        name
        for part in corpus.parts
        for name in [source.dataset for source in part.sources if isinstance(source, HubSource)] or [part.id]
    ]


def _widget(result: Result, corpus: CorpusEntry) -> list[dict[str, str]]:
    found = []
    for name in result.entity_types:
        mentions = result.corpus_record.examples.get(name, [])
        sentences = [text for tag in corpus.languages if (text := example_sentence(name, tag))]
        texts = sentences or [", ".join(mentions[:3])]
        found += [{"text": text, "example_title": name} for text in texts if text]
    return found[:5]


def _evaluations(result: Result, corpus: CorpusEntry) -> list[EvalResult]:
    """One entry a score. What the Hub shows apart differs in the dataset's config or split."""
    hub = next((source for source in corpus.sources if isinstance(source, HubSource)), None)
    dataset: dict[str, Any] = {
        "dataset_type": hub.dataset if hub else corpus.id,
        "dataset_name": result.corpus_record.title,
        "dataset_revision": hub.revision if hub else None,
    }
    scores = result.scores
    test = {**dataset, "dataset_split": "test"}
    found = _metrics(scores.test.micro_f1, scores.test, test, "")
    if len(scores.test.per_type) > 1:
        for name, score in scores.test.per_type.items():
            found += _metrics(score.f1, score, {**test, "dataset_config": name}, name)
    for name, own in scores.members.items():
        found += _metrics(own.test.micro_f1, own.test, {**test, "dataset_config": name}, name)
    if result.raw_text:
        raw = result.raw_text.score
        found += _metrics(raw.micro_f1, raw, {**test, "dataset_config": "raw text"}, "raw text")
    return found + _metrics(scores.dev.micro_f1, scores.dev, {**dataset, "dataset_split": "validation"}, "")


def _metrics(f1: float, score: SplitScore | TypeScore, dataset: Mapping[str, Any], what: str) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    f1_name, of = ("strict F1", f" ({what})") if what else ("strict entity micro-F1", "")
    named = (("f1", f1, f1_name), ("precision", score.precision, "strict precision"))
    return [
        EvalResult(**_TASK, **dataset, metric_type=kind, metric_value=round(value, 4), metric_name=name + of)
        for kind, value, name in (*named, ("recall", score.recall, "strict recall"))
    ]


def _emissions(energy: Energy, training_type: str) -> dict[str, Any]:
    return {
        "emissions": round(energy.emissions_g, 4),
        "source": energy.method,
        "training_type": training_type,
        "geographical_location": energy.country,
        "hardware_used": energy.hardware,
    }
