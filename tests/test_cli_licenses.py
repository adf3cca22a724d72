"""`zoo licenses` and `zoo cards`, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.records import result, result_data
from zoo.cli import app
from zoo.errors import ZooError
from zoo.registry.loader import load_registry


def output(*arguments: str) -> str:
    found = CliRunner().invoke(app, arguments, catch_exceptions=True)
    if isinstance(found.exception, ZooError):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.stdout


def test_one_checkpoint() -> None:
    text = output("licenses", "pubmedbert-base/jnlpba")
    assert text.startswith("pubmedbert-base/jnlpba: may be published publicly, under MIT\n")
    assert "name: JNLPBA, Kim et al. (2004)" in text
    private = output("licenses", "pubmedbert-base/gellus")
    assert "may be published privately only\n  why not publicly: corpus gellus" in private
    assert "--private" in private


def test_a_recipe_with_credentialed_text() -> None:
    text = output("licenses", "pubmedbert-base/jnlpba", "--set", "dapt.passages=[mimic-iii-notes]")
    assert "may be published not at all" in text and "--private" not in text


def test_json_of_one_and_of_a_suite() -> None:
    one = json.loads(output("licenses", "pubmedbert-base/jnlpba", "--json"))
    assert one["publishable"] == "public" and one["license"] == "MIT"
    rows = json.loads(output("licenses", "--suite", "openmed", "--json"))
    assert len(rows) == 36 and {row["publishable"] for row in rows} == {"public", "private"}


def test_a_suite_as_a_table_and_as_markdown() -> None:
    assert "36 checkpoints, 30 publicly" in output("licenses", "--suite", "openmed")
    assert output("licenses", "--suite", "openmed", "--markdown").startswith("# Licences of suite `openmed`\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no/such"], "unknown checkpoint"),
        (["minilm-l6/gellus", "--suite", "openmed"], "not both"),
        (["--markdown"], "the table of a suite"),
        (["--suite", "openmed", "--markdown", "--json"], "the table of a suite"),
        (["--suite", "none"], "unknown suite"),
    ],
)
def test_bad_calls(arguments: list[str], words: str) -> None:
    with pytest.raises(ZooError, match=words):
        output("licenses", *arguments)


def build(folder: Path) -> None:
    """A result of a packaged checkpoint, as a build leaves it."""
    target = folder / "checkpoints" / "minilm-l6" / "sample-disease"
    target.mkdir(parents=True)
    recipe = load_registry().checkpoint("minilm-l6/sample-disease").recipe.model_dump(mode="json")
    recipe["lora"]["targets"] = ["query", "value"]
    data = result_data(
        checkpoint_id="minilm-l6/sample-disease",
        repo_id="openmed/minilm-l6-sample-disease",
        base_repo_id="openmed/minilm-l6-ner",
        backbone="minilm-l6",
        corpus="sample-disease",
        recipe=recipe,
    )
    result(**data).save(target)


def test_cards_of_a_build(tmp_path: Path) -> None:
    build(tmp_path / "builds")
    written = json.loads(output("cards", "--out", str(tmp_path / "builds"), "--to", str(tmp_path / "to"), "--json"))
    assert [Path(path).name for path in written] == ["minilm-l6-ner.md", "minilm-l6-sample-disease.md"]
    texts = [Path(path).read_text() for path in written]
    assert "**Alone it finds nothing**" in texts[0] and "zoo build minilm-l6/sample-disease" in texts[1]
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == [Path(path).name for path in written]


def test_cards_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="nothing was built"):
        output("cards", "--out", str(tmp_path), "--to", str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()


def test_cards_that_cannot_be_written(tmp_path: Path) -> None:
    build(tmp_path / "builds")
    (tmp_path / "to").write_text("in the way")
    with pytest.raises(ZooError, match="cannot write the cards"):
        output("cards", "--out", str(tmp_path / "builds"), "--to", str(tmp_path / "to"))
