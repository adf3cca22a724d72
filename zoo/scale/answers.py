"""What is asked of every document, and what answers it: models, linker, assertions, what is hidden."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.evaluation.cross import predictable_types
from zoo.files import file_sha256
from zoo.linking import opening
from zoo.linking.opening import Linking, parse_links
from zoo.modeling.device import Precision
from zoo.modeling.quiet import quiet_libraries
from zoo.registry.loader import Registry, load_registry
from zoo.settings import FOLDERS, Settings
from zoo.tagging.asserting import assert_document, redact_document
from zoo.tagging.models import locate, resolve_model
from zoo.tagging.outputs.format import Run
from zoo.tagging.stream import MERGE_TOKENS, tag_stream
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Tagged, Text

if TYPE_CHECKING:
    from zoo.corpora.retry import Progress


@dataclass(frozen=True)
class Question:
    """What is asked; it travels to other processes and machines.

    Attributes:
        models: Checkpoint folders, adapters, model folders or Hub ids, as answers name them.
        precision: Number format, as of `Tagger.tag`.
        links: Values of `--link`.
        language: Of the texts, for assertions; None: none are asked for.
        redact: Whether details are hidden.
    """

    models: tuple[str, ...]
    precision: Precision = "auto"
    links: tuple[str, ...] = ()
    language: str | None = None
    redact: bool = False


@dataclass
class Answers:
    """Loaded models, and what is done with what they find.

    Attributes:
        question: What is asked.
        taggers: The models.
        linking: What links their entities; None: nothing.
        many: Whether documents may come in any portions: their scores do not depend on these then.
        hidden: What was hidden, by kind.
    """

    question: Question
    taggers: Sequence[Tagger]
    linking: Linking | None = None
    many: bool = True
    hidden: Counter[str] = field(default_factory=Counter)

    @property
    def run(self) -> Run:
        """What the answers have in common."""
        in_parts = any(tagger.splitter for tagger in self.taggers)
        names = self.linking.concept_name if self.linking else None
        return Run(self.question.models, names, in_parts, self.question.language is not None)

    def __call__(self, texts: Iterable[Text]) -> Iterator[Tagged]:
        """Documents with their entities, in the order of `texts`."""
        merge_tokens = 0 if self.many else MERGE_TOKENS
        found = tag_stream(self.taggers, texts, precision=self.question.precision, merge_tokens=merge_tokens)
        if self.linking:
            found = map(self.linking.link, found)
        if language := self.question.language:
            found = (assert_document(tagged, language) for tagged in found)
        return (redact_document(tagged, self.hidden) for tagged in found) if self.question.redact else found


@dataclass(frozen=True)
class Remote:
    """A question with all that another process needs to answer it.

    Attributes:
        question: The question.
        places: Of the models on this machine.
        digests: `model_digest` of each.
        links: Values of `--link`, with the full paths of files.
        settings: Where ontologies and the registry are.
    """

    question: Question
    places: tuple[str, ...]
    digests: tuple[str, ...]
    links: tuple[str, ...]
    settings: Settings

    @classmethod
    def of(cls, question: Question, settings: Settings) -> Remote:
        """A question that may be asked from another folder.

        Raises:
            ZooError: There is no such model.
        """
        places = tuple(in_full(resolve_model(model)) for model in question.models)
        links = links_in_full(question.links)
        return cls(question, places, tuple(map(model_digest, places)), links, settings_in_full(settings))

    def open(self) -> Answers:
        """Load what answers.

        Raises:
            ZooError: A model is not here, or is another one here; or an ontology cannot be had.
        """
        quiet_libraries()
        for place, digest in zip(self.places, self.digests, strict=True):
            if model_digest(place) != digest:
                raise ZooError("the model is another one on this node", where=place, fix="copy it there again")
        taggers = Tagger.load_all(self.places)
        if not self.links:
            return Answers(self.question, taggers)
        registry = load_registry(self.settings.registry)
        return Answers(self.question, taggers, open_linking(self.links, self.places, taggers, registry, self.settings))


def open_linking(
    links: Sequence[str],
    models: Sequence[str],
    taggers: Sequence[Tagger],
    registry: Registry,
    settings: Settings,
    *,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Linking:
    """What links the entities of loaded models; arguments and errors as of `linking.opening.open_linking`."""
    types = tuple(dict.fromkeys(name for tagger in taggers for name in predictable_types(tagger)))
    bases = [tagger.base for tagger in taggers]
    return opening.open_linking(links, models, bases, types, registry, settings, say=say, progress=progress)


def model_digest(model: str) -> str:
    """Sha256 of the weights of a model: of its base, and of its adapter.

    Args:
        model: Checkpoint folder, adapter, model folder or Hub id.

    Raises:
        ZooError: There is no such model.
    """
    source = locate(model)
    digest = hashlib.sha256()
    for folder in (source.base, *source.adapters):
        for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
            digest.update(file_sha256(path).encode())
    return digest.hexdigest()


def in_full(name: str) -> str:
    """A path that holds in other folders; a Hub id or an ontology's as it is."""
    return str(Path(name).absolute()) if Path(name).exists() else name


def links_in_full(links: Sequence[str]) -> tuple[str, ...]:
    """Values of `--link` that hold in other folders."""
    return tuple(f"{kind}={in_full(name)}" if kind else in_full(name) for kind, name in parse_links(links))


def settings_in_full(settings: Settings) -> Settings:
    """Settings that hold in other folders."""
    folders = {name: path.absolute() for name in FOLDERS if (path := getattr(settings, name))}
    return replace(settings, **folders)
