"""What is done with answers on their way out: assertions of their entities, details hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from zoo.context.engine import assertions
from zoo.modeling.windows import Entity
from zoo.redaction import redact
from zoo.tagging.texts import Tagged


def assert_entities(text: str, entities: Sequence[Entity], language: str = "en") -> list[Entity]:
    """The same entities, each with its `assertion`, by rules (`zoo.context`).

    Args:
        text: The text that they were found in.
        entities: As a tagger or a linker gives them.
        language: Tag of the text's language.

    Raises:
        ZooError: There are no rules for the language.
    """
    found = assertions(text, [(entity.start, entity.end) for entity in entities], language)
    return [replace(entity, assertion=said) for entity, said in zip(entities, found, strict=True)]


def assert_document(tagged: Tagged, language: str) -> Tagged:
    """A document with the assertions of all its entities."""
    return replace(
        tagged, entities=tuple(assert_entities(tagged.text.text, found, language) for found in tagged.entities)
    )


def redact_document(tagged: Tagged, hidden: Counter[str]) -> Tagged:
    """A document whose text has details hidden (`zoo.redaction`); its entities and their offsets are as they were.

    Args:
        tagged: The document.
        hidden: What was hidden is counted here, by kind.
    """
    text, counts = redact(tagged.text.text)
    hidden.update(counts)
    return replace(tagged, text=replace(tagged.text, text=text, derived=True))
