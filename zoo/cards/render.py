"""Model cards: Jinja templates, filled from `result.json` and the registry entries, nothing else."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.check import BASE_STAGES, check_card
from zoo.cards.current import current_result
from zoo.cards.licenses import judge, judge_result, may_quote
from zoo.cards.markdown import escape_markdown, hide_local_paths, web_link
from zoo.cards.metadata import base_metadata, checkpoint_metadata
from zoo.cards.ontology_licenses import may_publish_ontology, ontology_attribution
from zoo.cards.rebuild import is_packaged
from zoo.energy import Energy
from zoo.evaluation.errors import MEANINGS
from zoo.evaluation.result import Result
from zoo.language import speaks
from zoo.language.examples import example_sentence
from zoo.language.names import language_name
from zoo.registry.loader import Checkpoint, Registry
from zoo.registry.schema import Backbone, CorpusEntry
from zoo.registry.spdx import UNKNOWN

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData
    from jinja2 import Environment

_INSTALLED = Path(__file__).parent / "templates"
_SOURCE_TREE = Path(__file__).parents[2] / "model_cards" / "templates"
_CLINICAL = re.compile(
    r"clinic|clínic|klini|hospital|discharge|patient|health record|case report|\bnotes?\b", re.IGNORECASE
)
"""In title or description of a corpus: it is of clinical text itself."""
_TEMPLATES = ("checkpoint.md.j2", "base.md.j2", "concepts.md.j2", "heads.md.j2", "linking.md.j2", "parts.md.j2")


def render_card(result: Result, checkpoint: Checkpoint, registry: Registry, *, verified: str | None = None) -> str:
    """The README.md of a checkpoint: YAML metadata and Markdown body.

    Args:
        result: The source of every figure.
        checkpoint: Its registry entries.
        registry: What the entries are from: it has the types' descriptions and the recipe to compare with.
        verified: What `zoo verify` found, in one sentence; None: nothing yet, so nothing is said.

    Raises:
        ZooError: The card is not as `check_card` asks for.
    """
    result = current_result(result, registry)
    backbone, corpus = checkpoint.backbone, checkpoint.corpus
    verdict = judge_result(result, backbone, corpus)
    sentences = (example_sentence(name, tag) for tag in corpus.languages for name in result.entity_types)
    sentence = next((text for text in sentences if text), None)
    siblings = [name for name in suite_corpora(backbone.id, registry) if name != result.corpus]
    public = [name for name in siblings if judge(backbone, registry.corpora[name]).publishable]
    sibling = next(iter(public or siblings), "another-corpus")
    linked = linked_ontologies(result, registry)
    reranked = "linker_adapter" in result.fingerprints
    vectors = next((one for one in linked if one.published and reranked), None)
    body = _template("checkpoint.md.j2").render(
        r=result,
        linked=linked,
        vectors=vectors,
        mention=_example_mention(result, vectors.types if vectors else ()),
        backbone=backbone,
        corpus=corpus,
        origin=_origin(result, backbone),
        verdict=verdict,
        verified=verified,
        language=" and ".join(map(language_name, corpus.languages)),
        foreign=_foreign_languages(backbone, corpus),
        spoken=list(map(language_name, backbone.languages)),
        clinical=bool(_CLINICAL.search(f"{corpus.title} {corpus.description}")),
        descriptions={item.name: item.description for item in registry.labels.types},
        meanings=MEANINGS,
        quotable=may_quote(corpus.license),
        sentence=sentence or "Paste a sentence here.",
        sibling=sibling,
        sibling_repo=result.names.of_checkpoint(backbone.id, sibling),
        command=result.rebuild_command,
        packaged=is_packaged(result, registry),
    )
    return _checked(checkpoint_metadata(result, backbone, corpus, verdict), body, result)


def render_base_card(result: Result, backbone: Backbone, registry: Registry) -> str:
    """The README.md of a base, from the record of any checkpoint on it: all of one base give the same card.

    Args:
        result: Record of a checkpoint that stands on the base.
        backbone: What the base was made of.
        registry: It has the label space, and what it puts on the base.

    Raises:
        ZooError: The card is not as `check_card` asks for.
    """
    result = current_result(result, registry)
    verdict = judge_result(result, backbone, None)
    stages = {name: result.energy_stages[name] for name in BASE_STAGES if name in result.energy_stages}
    energy = Energy.total(list(stages.values()))
    labels, names = registry.labels, result.names
    adapters = {name: names.of_checkpoint(backbone.id, name) for name in suite_corpora(backbone.id, registry)}
    shown = adapters or {name: names.of_checkpoint(backbone.id, name) for name in ("one-corpus", "another-corpus")}
    body = _template("base.md.j2").render(
        r=result,
        backbone=backbone,
        origin=_origin(result, backbone),
        verdict=verdict,
        labels=labels,
        capacity=labels.capacity or len(labels.types),
        adapters={repo: registry.corpus(name).entity_types for name, repo in adapters.items()},
        pattern=f"{names.org}/{names.checkpoint.format(backbone=backbone.id, corpus='*')}",
        shown=list(shown.items())[:2],
        energy=energy,
        energy_stages=stages,
    )
    return _checked(base_metadata(result, backbone, verdict, energy), body, result)


def suite_corpora(backbone: str, registry: Registry) -> list[str]:
    """Corpora that the suites of a registry put on a backbone, without repeats, in order."""
    suites = [suite for suite in registry.suites.values() if backbone in suite.backbones]
    return list(dict.fromkeys(name for suite in suites for name in suite.corpora))


def card_template() -> str:
    """Source of the templates, for whoever needs to know whether a card is up to date."""
    environment = _environment()
    assert environment.loader is not None
    return "\n".join(environment.loader.get_source(environment, name)[0] for name in _TEMPLATES)


@dataclass(frozen=True)
class LinkedOntology:
    """An ontology that mentions of a checkpoint are linked to.

    Attributes:
        types: Entity types of those mentions.
        license: SPDX id.
        attribution: Whom to name; empty where its content may not be published with a linker.
    """

    id: str
    title: str
    types: tuple[str, ...]
    license: str
    attribution: str

    @property
    def published(self) -> bool:
        """Whether its content may be published with a linker."""
        return bool(self.attribution)


def linked_ontologies(result: Result, registry: Registry) -> list[LinkedOntology]:
    """The ontologies that a result's mentions are linked to; one that the registry does not know is not published."""
    used = result.linking.vocabularies if result.linking else {}
    found = []
    for name, version in dict.fromkeys((vocabulary.id, vocabulary.version) for vocabulary in used.values()):
        types, entry = tuple(kind for kind, one in used.items() if one.id == name), registry.ontologies.get(name)
        if entry is None:
            found.append(LinkedOntology(name, name, types, UNKNOWN, ""))
        else:
            named = ontology_attribution(entry, version) if may_publish_ontology(entry) else ""
            found.append(LinkedOntology(name, entry.title, types, entry.license.spdx, named))
    return found


def _example_mention(result: Result, types: tuple[str, ...]) -> str:
    """A mention of one of some types, of training where it may be quoted."""
    examples = result.corpus_record.examples
    return next((text for name in types for text in examples.get(name, [])), "Put a mention here")


def _checked(metadata: ModelCardData, body: str, result: Result) -> str:
    card = f"---\n{metadata.to_yaml()}\n---\n\n{body}"
    check_card(card, result)
    return card


def _foreign_languages(backbone: Backbone, corpus: CorpusEntry) -> list[str]:
    """Names of the corpus's languages that are none of the backbone's."""
    return [language_name(tag) for tag in corpus.languages if not speaks(backbone.languages, tag)]


def _origin(result: Result, backbone: Backbone) -> str:
    return "a local folder" if backbone.path else result.backbone_origin


def _template(name: str) -> Any:  # noqa: ANN401 - jinja2 is imported late
    return _environment().get_template(name)


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
    environment.filters["md"] = lambda text: escape_markdown(hide_local_paths(str(text)))
    environment.filters["link"] = web_link
    environment.filters["percent"] = lambda value: f"{100 * value:.2f}"
    return environment
