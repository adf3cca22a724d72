"""Model cards: one Jinja template, filled from `result.json` and the registry entries, nothing else."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from zoo.publishing.licenses import judge
from zoo.publishing.results import Result
from zoo.registry.loader import Checkpoint

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData
    from jinja2 import Environment

_INSTALLED = Path(__file__).parent / "templates"
_SOURCE_TREE = Path(__file__).parents[2] / "model_cards" / "templates"
_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%~"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#!])")


def render_card(result: Result, checkpoint: Checkpoint) -> str:
    """The README.md of a checkpoint: YAML metadata and Markdown body."""
    template = _environment().get_template("checkpoint.md.j2")
    body = template.render(
        r=result,
        backbone=checkpoint.backbone,
        corpus=checkpoint.corpus,
        verdict=judge(checkpoint.backbone, checkpoint.corpus),
        language=language_name(checkpoint.corpus.language),
    )
    return f"---\n{_metadata(result, checkpoint).to_yaml()}\n---\n\n{body}"


def _metadata(result: Result, checkpoint: Checkpoint) -> ModelCardData:
    from huggingface_hub import EvalResult, ModelCardData

    dataset: dict[str, Any] = {
        "dataset_type": result.corpus,
        "dataset_name": result.corpus_record.title,
        "dataset_split": "test",
    }
    task: dict[str, Any] = {"task_type": "token-classification", "task_name": "Named entity recognition"}
    test = result.scores.test
    metrics = (
        ("f1", test.micro_f1, "strict entity micro-F1"),
        ("precision", test.precision, "strict precision"),
        ("recall", test.recall, "strict recall"),
    )
    evaluations = [
        EvalResult(**task, **dataset, metric_type=kind, metric_value=round(value, 4), metric_name=name)
        for kind, value, name in metrics
    ]
    # One type's score has the dataset's config set to the type, so that the Hub shows the entries apart.
    evaluations += [
        EvalResult(
            **task,
            **dataset,
            dataset_config=name,
            metric_type="f1",
            metric_value=round(score.f1, 4),
            metric_name=f"strict F1 ({name})",
        )
        for name, score in test.per_type.items()
        if len(test.per_type) > 1
    ]
    emissions: dict[str, Any] = {
        "emissions": round(result.energy.emissions_g, 4),
        "source": "codecarbon",
        "training_type": "fine-tuning",
        "geographical_location": result.energy.country,
        "hardware_used": result.energy.hardware,
    }
    return ModelCardData(
        language=checkpoint.corpus.language,
        license=result.license.lower() if result.license != "NOASSERTION" else "other",
        library_name="peft",
        pipeline_tag="token-classification",
        base_model=result.base_repo_id,
        tags=["biomedical", "named-entity-recognition", "lora", *sorted(name.lower() for name in result.entity_types)],
        model_name=result.repo_id.split("/")[-1],
        eval_results=evaluations,
        co2_eq_emissions=emissions,
    )


def language_name(tag: str) -> str:
    """English name of the language of a BCP 47 tag: `German` for `de` and `de-AT`; an unknown tag itself."""
    import pycountry

    code = tag.partition("-")[0].lower()
    found = pycountry.languages.get(**{f"alpha_{len(code)}": code}) if len(code) in (2, 3) else None
    return found.name.partition(" (")[0] if found else tag  # without the years of `Modern Greek (1453-)`


def card_template() -> str:
    """Source of the template, for whoever needs to know whether a card is up to date."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, "checkpoint.md.j2")[0]


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([_INSTALLED, _SOURCE_TREE]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["md"] = escape_markdown
    environment.filters["link"] = web_link
    environment.filters["percent"] = lambda value: f"{100 * value:.2f}"
    return environment


def escape_markdown(text: str) -> str:
    """Make text from data or users harmless in Markdown: no markup, no HTML, one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split())).replace("\\<", "&lt;").replace("\\>", "&gt;")


def web_link(url: str) -> str:
    """A Markdown link to a web address; anything else becomes plain text."""
    if not url.startswith(("https://", "http://")):
        return escape_markdown(url)
    return f"<{quote(url, safe=_URL_CHARACTERS)}>"
