"""What requests and answers look like; the OpenAPI page is made from this."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Message(BaseModel):
    """Base of all requests and answers: a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid")


class TagRequest(Message):
    """Texts to be tagged."""

    text: str | None = Field(default=None, description="one text, or")
    texts: list[str] | None = Field(default=None, min_length=1, description="several")
    models: list[str] | None = Field(
        default=None, min_length=1, description="names of `GET /v1/models`; may be left out where one model is loaded"
    )
    link: bool = Field(default=False, description="give concepts; the service must have been started with --link")
    assertion: bool = Field(default=False, description="say what the text says of each entity, and in which section")
    language: str = Field(default="en", max_length=20, description="of the texts, for assertion")
    min_score: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, description="leave out entities below it")

    @model_validator(mode="after")
    def _has_text(self) -> TagRequest:
        if (self.text is None) == (self.texts is None):
            raise ValueError("give either text or texts")
        for number, text in enumerate(self.all_texts):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                place = f"text {number}, character {error.start}"
                raise ValueError(f"{place}: half a character (a lone surrogate)") from None
        return self

    @property
    def all_texts(self) -> list[str]:
        """The texts, in their order."""
        return self.texts if self.texts is not None else [self.text or ""]


class Assertion(Message):
    """What the text says of a mention."""

    negation: Literal["affirmed", "negated", "possible"]
    temporality: Literal["recent", "historical", "hypothetical"]
    experiencer: Literal["patient", "other"]
    cues: list[str] = Field(description="the phrases that say it")


class FoundEntity(Message):
    """A mention."""

    start: int = Field(description="first character, counted from 0")
    end: int = Field(description="one past the last character")
    type: str
    text: str
    score: float
    model: str | None = Field(default=None, description="where the request named several")
    fragments: list[tuple[int, int]] | None = Field(default=None, description="of a discontinuous mention: its parts")
    concept_ids: list[str] | None = Field(default=None, description="of a linked one; empty: no concept is likely")
    concept: str | None = None
    link_score: float | None = None
    candidates: list[tuple[str, str, float, str]] | None = Field(
        default=None, description="id, name, score, and the step that found it"
    )
    assertion: Assertion | None = None
    section: str | None = Field(default=None, description="that it stands in; empty: under no known header")


class TaggedText(Message):
    """What was found in one text, in order of the start, by model."""

    entities: list[FoundEntity]


class TagResponse(Message):
    """Answers in the order of the texts."""

    models: list[str]
    results: list[TaggedText]


class ModelInfo(Message):
    """A model of the allow-list."""

    name: str
    loaded: bool
    types: list[str] | None = Field(default=None, description="entity types; of a loaded model")


class ModelList(Message):
    """All models that may be served."""

    models: list[ModelInfo]


class Problem(Message):
    """Why a request was refused."""

    error: str
    fix: str | None = None
