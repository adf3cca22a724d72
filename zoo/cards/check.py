"""What a card must be before it is written or uploaded: the Hub's rules for its metadata, checked offline, and ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import Field, StrictFloat, StrictInt, ValidationError, model_validator

from zoo.cards.markdown import LOCAL_PATH
from zoo.cards.metadata import HUB_LICENSES
from zoo.errors import ZooError
from zoo.records import Record, first_problem
from zoo.registry.schema import Language

if TYPE_CHECKING:
    from zoo.evaluation.result import Result

FIGURE_SECTIONS = frozenset({"", "Scores", "Linking", "Pre-training", "Energy"})
"""Sections whose tables hold measured figures only; the first is what stands before all headings."""
BASE_STAGES = ("dapt", "base")
"""Stages whose energy is that of a base."""
_FRONT = re.compile(r"---\r?\n(.*?)\r?\n---\r?\n(.*)", re.DOTALL)
_FIGURE = re.compile(r"(?<![\w.,])\d+\.\d{2}(?![\w.])")
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,}")
_SCORE_TOLERANCE = 0.5e-4 + 1e-9
_Number = Annotated[StrictFloat | StrictInt, Field(ge=0)]
_HubId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
_Text = Annotated[str, Field(min_length=1)]


class _Task(Record):
    type: _Text
    name: str | None = None


class _Dataset(Record):
    type: _Text
    name: _Text
    config: str | None = None
    split: str | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None


class _Metric(Record):
    type: _Text
    value: Annotated[_Number, Field(le=1)]
    name: str | None = None


class _Evaluation(Record):
    task: _Task
    dataset: _Dataset
    metrics: tuple[_Metric, ...] = Field(min_length=1)


class _Model(Record):
    name: _Text
    results: tuple[_Evaluation, ...] = Field(min_length=1)


class _Emissions(Record):
    emissions: _Number = Field(description="grams of CO2 equivalent")
    source: _Text
    training_type: _Text
    geographical_location: _Text
    hardware_used: _Text


class _Widget(Record):
    text: _Text
    example_title: str | None = None


class CardMetadata(Record):
    """The YAML of a card of this toolkit; another field, or one misspelt, is an error."""

    license: _Text
    license_name: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")] | None = None
    license_link: Annotated[str, Field(pattern=r"^(https://|LICENSE)")] | None = None
    language: Language | tuple[Language, ...] | None = None
    library_name: Literal["peft", "transformers"]
    pipeline_tag: Literal["token-classification"]
    base_model: _HubId | None = None
    base_model_relation: Literal["adapter", "finetune", "merge", "quantized"] | None = None
    datasets: tuple[Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")], ...] = ()
    metrics: tuple[_Text, ...] = ()
    tags: tuple[_Text, ...] = Field(min_length=1)
    widget: tuple[_Widget, ...] = ()
    inference: bool | None = None
    model_index: tuple[_Model, ...] = Field(default=(), alias="model-index", max_length=1)
    co2_eq_emissions: _Emissions | None = None

    @model_validator(mode="after")
    def _agrees(self) -> CardMetadata:
        if self.license not in HUB_LICENSES:
            raise ValueError(f"license: the Hub does not know {self.license!r}; give `other` and license_name")
        if self.license == "other" and not self.license_name:
            raise ValueError("license_name: needed where license is `other`")
        if self.library_name == "peft" and not (self.base_model and self.base_model_relation == "adapter"):
            raise ValueError("base_model: an adapter names its base, with base_model_relation adapter")
        return self


def check_card(text: str, result: Result | None = None) -> CardMetadata:
    """Check a whole card.

    Args:
        text: The README.md.
        result: The record it was rendered from. With it, every score of the metadata and every figure with two decimals
            in the tables of `FIGURE_SECTIONS` must be one of the record's, or of the sum of its stages dapt and base.

    Returns:
        The metadata.

    Raises:
        ZooError: The Hub would refuse it, it is not as our cards are, it shows a figure of no record, or it holds a
            path of this machine or a token.
    """
    metadata, body = _parts(text)
    if "\ufffd" in text or "\x00" in text:
        raise _refused("it holds characters that are no text")
    if _TOKEN.search(text):
        raise _refused("it holds what looks like a token of the Hub")
    if path := LOCAL_PATH.search(text):
        raise _refused(f"it holds a path of this machine: {path[0]}")
    try:
        checked = CardMetadata.model_validate(metadata)
    except ValidationError as error:
        raise _refused(f"metadata: {first_problem(error)}") from None
    if result is not None:
        if checked.library_name == "peft" and checked.base_model != result.base_repo_id:
            named = checked.base_model
            raise _refused(f"metadata: base_model: {named}, but the adapter stands on {result.base_repo_id}")
        _check_figures(checked, body, result)
    return checked


def _parts(text: str) -> tuple[dict[str, Any], str]:
    found = _FRONT.match(text)
    if not found:
        raise _refused("it does not begin with YAML between lines of ---")
    try:
        metadata = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise _refused(f"metadata: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(metadata, dict):
        raise _refused("metadata: not a mapping")
    if not found[2].strip():
        raise _refused("it has no text")
    return metadata, found[2]


def _check_figures(metadata: CardMetadata, body: str, result: Result) -> None:
    numbers = list(_numbers(result.model_dump(mode="json")))
    numbers.append(sum(energy.emissions_g for name, energy in result.energy_stages.items() if name in BASE_STAGES))
    for model in metadata.model_index:
        for value in (metric.value for entry in model.results for metric in entry.metrics):
            if not any(abs(value - number) <= _SCORE_TOLERANCE for number in numbers):
                raise _refused(f"metadata: model-index: the score {value} is not in result.json")
    grams = metadata.co2_eq_emissions
    if grams and not any(abs(grams.emissions - number) <= _SCORE_TOLERANCE for number in numbers):
        raise _refused(f"metadata: co2_eq_emissions: {grams.emissions} g is not in result.json")
    known = {f"{abs(number):.2f}" for number in numbers} | {f"{abs(100 * number):.2f}" for number in numbers}
    for section in re.split(r"^## ", "\n" + body, flags=re.MULTILINE):
        heading, _, content = section.partition("\n")
        if heading.strip() not in FIGURE_SECTIONS:
            continue
        for line in content.splitlines():
            for figure in _FIGURE.findall(line) if line.startswith("|") else ():
                if figure not in known:
                    raise _refused(f"{heading.strip() or 'head'}: the figure {figure} is not in result.json")


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def _refused(what: str) -> ZooError:
    return ZooError(f"the card cannot be published: {what}", where="README.md", fix="render it again with zoo cards")
