"""What is no card of ours is refused with one clear message; figures must be those of the result."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.records import checkpoint, registry, result, result_data
from zoo.cards.check import check_card
from zoo.cards.render import render_base_card, render_card
from zoo.errors import ZooError


def card() -> str:
    entry = checkpoint()
    return render_card(result(), entry, registry(entry))


def with_metadata(change: Callable[[dict[str, Any]], object]) -> str:
    _, front, body = card().split("---\n", 2)
    data = yaml.safe_load(front)
    change(data)
    return f"---\n{yaml.safe_dump(data, sort_keys=False)}---\n{body}"


def refusal(text: str, **arguments: Any) -> str:
    with pytest.raises(ZooError) as caught:
        check_card(text, **arguments)
    assert caught.value.where == "README.md" and caught.value.fix
    return caught.value.what


def test_our_cards_pass() -> None:
    entry = checkpoint()
    assert check_card(card(), result()).base_model == "openmed/tiny-bert-ner"
    assert check_card(card()).license == "mit"
    assert check_card(render_base_card(result(), entry.backbone, registry(entry)), result()).pipeline_tag


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(license="my-own"), "the Hub does not know 'my-own'"),
        (lambda d: d.update(license="CC-BY-4.0"), "the Hub does not know 'CC-BY-4.0'"),
        (lambda d: d.update(license="other"), "license_name: needed"),
        (lambda d: d.update(license="other", license_name="Not Ours"), "license_name"),
        (lambda d: d.pop("license"), "license: Field required"),
        (lambda d: d.update(base_model="builds/bases/tiny/model"), "base_model: String should match"),
        (lambda d: d.update(base_model="../tiny"), "base_model"),
        (lambda d: d.update(base_model="tiny"), "base_model"),
        (lambda d: d.pop("base_model"), "an adapter names its base"),
        (lambda d: d.update(base_model_relation="finetune"), "an adapter names its base"),
        (lambda d: d.update(base_model_relation="cousin"), "base_model_relation"),
        (lambda d: d.update(pipeline_tag="text-generation"), "pipeline_tag"),
        (lambda d: d.update(surprise=1), "surprise: Extra inputs"),
        (lambda d: d.update(language="English"), "language"),
        (lambda d: d["co2_eq_emissions"].update(emissions="4.7 g"), "co2_eq_emissions.emissions"),
        (lambda d: d["co2_eq_emissions"].update(emissions=-1.0), "co2_eq_emissions.emissions"),
        (lambda d: d["co2_eq_emissions"].pop("source"), "co2_eq_emissions.source"),
        (lambda d: d["model-index"][0]["results"][0]["metrics"][0].update(value=80.0), "value"),
        (lambda d: d["model-index"][0]["results"][0]["dataset"].pop("name"), "name: Field required"),
        (lambda d: d["model-index"].append(d["model-index"][0]), "model-index"),
        (lambda d: d["widget"].append({"txt": "x"}), "widget"),
        (lambda d: d.update(datasets=["a b"]), "datasets"),
    ],
)
def test_metadata_that_the_hub_or_we_refuse(change: Callable[[dict[str, Any]], object], words: str) -> None:
    what = refusal(with_metadata(change))
    assert what.startswith("the card cannot be published: metadata: ") and words in what and "\n" not in what


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin with YAML"),
        ("# Title\n", "does not begin with YAML"),
        ("---\na: [\n---\nx", "not YAML"),
        ("---\n- a\n---\nx", "not a mapping"),
        ("---\nlicense: mit\n---\n \n", "it has no text"),
    ],
)
def test_what_is_no_card(text: str, words: str) -> None:
    assert words in refusal(text)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("made in /home/someone/builds", "a path of this machine: /home/someone/builds"),
        ("see file:///x", "a path of this machine"),
        ("hf_" + "a1B2" * 9, "looks like a token"),
        ("a \x00 b", "characters that are no text"),
    ],
)
def test_what_must_not_leave_the_machine(line: str, words: str) -> None:
    what = refusal(f"{card()}\n{line}\n")
    assert words in what and "a1B2" not in what


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("| **80.00** |", "| **80.01** |", "head: the figure 80.01"),
        ("| test | 80.00 |", "| test | 84.56 |", "Scores: the figure 84.56"),
        ("| 61.50 | 18.50 |", "| 61.50 | 18.05 |", "Scores: the figure 18.05"),
        ("value: 0.82\n", "value: 0.8201\n", "the score 0.8201"),
        ("emissions: 4.702", "emissions: 0.004702", "co2_eq_emissions"),
    ],
)
def test_a_figure_that_the_result_lacks(old: str, new: str, words: str) -> None:
    text = card()
    assert old in text
    changed = text.replace(old, new, 1)
    check_card(changed)  # without a result there is nothing to compare with
    assert words in refusal(changed, result=result()) and "not in result.json" in refusal(changed, result=result())


def test_an_adapter_names_the_base_it_was_measured_on() -> None:
    text = with_metadata(lambda data: data.update(base_model="openmed/other-ner"))
    check_card(text)
    assert "stands on openmed/tiny-bert-ner" in refusal(text, result=result())


def test_each_score_of_the_body_changes_with_the_result() -> None:
    """The figures of two results that share none: nothing but what both have by chance is on both cards."""
    entry = checkpoint()
    data = result_data()
    for split in ("dev", "test"):
        score = data["scores"][split]
        score |= {key: score[key] - 0.1234 for key in ("micro_f1", "precision", "recall")}
        score["ci95"] = [value - 0.1234 for value in score["ci95"]]
    other = render_card(type(result()).model_validate(data), entry, registry(entry))
    head = re.compile(r"\| \*\*(.*?)\*\* \| (.*?) to (.*?) \| (.*?) \| (.*?) \|")
    mine, theirs = (head.search(text) for text in (card(), other))
    assert mine and theirs and not set(mine.groups()) & set(theirs.groups())
