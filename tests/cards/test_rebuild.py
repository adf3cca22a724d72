"""The command in a card builds the same: it names every value that differs from the registry's recipe."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from tests.records import checkpoint, registry, result, result_data
from zoo.cards.rebuild import is_packaged, rebuild_command
from zoo.registry.loader import load_registry
from zoo.registry.names import Names
from zoo.registry.recipes import parse_settings


def built(settings: dict[str, Any], name: str = "minilm-l6/ncbi-disease", **changes: Any) -> dict[str, Any]:
    """A result as a build with these settings writes it: targets of the family filled in."""
    packaged = load_registry()
    entry = packaged.checkpoint(name, settings)
    recipe = entry.recipe.model_dump(mode="json")
    recipe["lora"]["targets"] = recipe["lora"]["targets"] or list(packaged.families[entry.backbone.family].lora_targets)
    backbone, corpus = name.split("/")
    return {"checkpoint_id": name, "backbone": backbone, "corpus": corpus, "recipe": recipe, "tune": None, **changes}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seed": 14},
        {"finetune.learning_rate": 1e-05, "finetune.precision": "float32"},
        {"dapt.passages": ["pubmed-abstracts", "arxiv-abstracts"], "lora.targets": ["query"]},
        {"tune.minutes": 2.5, "tune.trials": 3, "finetune.patience": 1},
    ],
)
def test_the_settings_of_the_command_give_the_recipe_back(settings: dict[str, Any]) -> None:
    packaged = load_registry()
    command = shlex.split(rebuild_command(result(**built(settings)), packaged))
    assert command[:3] == ["zoo", "build", "minilm-l6/ncbi-disease"]
    assert command[3::2] == ["--set"] * len(settings)
    found = packaged.checkpoint("minilm-l6/ncbi-disease", parse_settings(command[4::2])).recipe
    assert found == packaged.checkpoint("minilm-l6/ncbi-disease", settings).recipe


def test_what_the_search_found_is_not_set() -> None:
    data = built({"tune.trials": 20, "finetune.learning_rate": 0.003})
    data["tune"] = result_data()["tune"] | {"best_values": {"finetune.learning_rate": 0.003}}
    assert rebuild_command(result(**data), load_registry()) == ("zoo build minilm-l6/ncbi-disease --set tune.trials=20")


def test_a_recipe_of_an_older_build_lacks_sections() -> None:
    data = built({})
    data["recipe"] = {name: data["recipe"][name] for name in ("seed", "lora", "finetune")}
    assert rebuild_command(result(**data), load_registry()) == "zoo build minilm-l6/ncbi-disease"


def test_another_org_and_an_own_registry_are_said() -> None:
    packaged = load_registry()
    command = rebuild_command(result(**built({})).named(Names("my-lab")), packaged)
    assert command == "ZOO_ORG=my-lab zoo build minilm-l6/ncbi-disease"
    names = Names("my-lab", "ner-{corpus}-{backbone}", "{backbone}-base")
    assert rebuild_command(result(**built({})).named(names), packaged) == (
        "ZOO_ORG=my-lab ZOO_CHECKPOINT_NAME='ner-{corpus}-{backbone}' ZOO_BASE_NAME='{backbone}-base' "
        "zoo build minilm-l6/ncbi-disease"
    )
    own = registry(checkpoint())
    assert rebuild_command(result(), own).endswith("zoo build tiny-bert/notes --registry registry")
    assert not is_packaged(result(), own) and is_packaged(result(**built({})), packaged)


def test_values_cannot_leave_the_line() -> None:
    data = built({})
    data["recipe"]["lora"]["targets"] = ["a\n```\nrm -rf $HOME; 'x'"]
    command = rebuild_command(result(**data), load_registry())
    assert "\n" not in command
    assert len(shlex.split(command)) == 5
