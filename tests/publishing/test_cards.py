"""The model card: a whole one against a golden file, its metadata as the Hub reads them, and hostile text.

`ZOO_REWRITE_GOLDEN=1 pytest tests/publishing/test_cards.py` writes the golden files anew; read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.publishing.records import checkpoint, result, result_data, split_score
from zoo.publishing.cards import escape_markdown, language_name, render_card, web_link
from zoo.registry.schema import LicenseInfo

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "<script>alert(1)</script> | pipe [link](javascript:x) `code` *bold* _low_\n# heading\n---\n![i](y)"


def unpublishable() -> str:
    """The card of a model that may not be published: one type, nothing quoted, no raw-text score, nothing repaired."""
    card_checkpoint = checkpoint(publishable=False, types={"Disease": "Disease"}, homepage="", citation="", note="")
    record = result_data()["corpus_record"] | {"license": "NOASSERTION", "examples": {}, "repairs": {}}
    scores = {name: split_score(0.8) for name in ("dev", "test")}
    for score in scores.values():
        score["per_type"].pop("Chemical")
    energy = result_data()["energy"] | {"country": "world average"}
    card_result = result(
        entity_types=["Disease"],
        license="NOASSERTION",
        publishable=False,
        raw_text=None,
        notes=[],
        scores=scores,
        energy=energy,
        corpus_record=record,
    )
    return render_card(card_result, card_checkpoint)


def published() -> str:
    return render_card(result(), checkpoint())


def parts(card: str) -> tuple[dict[str, Any], str]:
    """Front matter and body, split where the Hub splits them."""
    found = re.match(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL)
    assert found
    return dict(yaml.safe_load(found[1])), found[2]


def metadata(card: str) -> dict[str, Any]:
    return parts(card)[0]


@pytest.mark.parametrize(("name", "render"), [("checkpoint", published), ("unpublishable", unpublishable)])
def test_the_whole_card_is_the_golden_one(name: str, render: Any) -> None:
    path, card = GOLDEN / f"{name}.md", render()
    if os.environ.get("ZOO_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(card, encoding="utf-8")
    assert card == path.read_text(encoding="utf-8")


def test_the_metadata_are_what_the_hub_asks_for() -> None:
    data = metadata(published())
    assert data["license"] == "mit"
    assert data["base_model"] == "openmed/tiny-bert-ner"
    assert data["pipeline_tag"] == "token-classification"
    assert data["library_name"] == "peft"
    assert data["language"] == "en"
    assert {"lora", "disease", "chemical"} <= set(data["tags"])


def test_the_language_is_that_of_the_corpus_in_text_and_metadata() -> None:
    card = render_card(result(), checkpoint(language="de-AT"))
    assert metadata(card)["language"] == "de-AT"
    assert "in German biomedical text" in card and "- German only." in card and "English" not in card


@pytest.mark.parametrize(
    ("tag", "name"),
    [("en", "English"), ("pt-BR", "Portuguese"), ("el", "Modern Greek"), ("yue", "Yue Chinese"), ("xq", "xq")],
)
def test_language_name(tag: str, name: str) -> None:
    assert language_name(tag) == name


@pytest.mark.parametrize("tag", ["German", "de_AT", "", "e", "EN"])
def test_a_language_is_a_tag(tag: str) -> None:
    with pytest.raises(ValidationError, match="language"):
        checkpoint(language=tag)


def test_emissions_are_in_grams() -> None:
    emissions = metadata(published())["co2_eq_emissions"]
    assert emissions == {
        "emissions": 4.702,
        "source": "codecarbon",
        "training_type": "fine-tuning",
        "geographical_location": "DEU",
        "hardware_used": "2 x Some CPU",
    }


def test_the_model_index_holds_the_test_scores() -> None:
    (model,) = metadata(published())["model-index"]
    assert model["name"] == "tiny-bert-notes"
    found = {
        (entry["dataset"].get("config"), metric["type"]): metric["value"]
        for entry in model["results"]
        for metric in entry["metrics"]
    }
    assert found == {
        (None, "f1"): 0.8,
        (None, "precision"): 0.82,
        (None, "recall"): 0.78,
        ("Chemical", "f1"): 0.9,
        ("Disease", "f1"): 0.7,
    }
    for entry in model["results"]:
        assert entry["task"]["type"] == "token-classification"
        assert (entry["dataset"]["type"], entry["dataset"]["split"]) == ("notes", "test")


def test_the_metadata_survive_the_hubs_own_reader() -> None:
    from huggingface_hub import ModelCard

    data = ModelCard(published()).data
    assert data.base_model == "openmed/tiny-bert-ner"
    assert len(data.eval_results or []) == 5


def test_what_may_not_be_published_says_so_and_why() -> None:
    card = unpublishable()
    assert metadata(card)["license"] == "other"
    assert "**Not for publication.** corpus notes: NOASSERTION (its README)." in card
    assert "not quoted: licence" in card and "asthma" not in card
    assert "(no country was set)" in card
    assert "raw text" not in card.lower() and "Repaired" not in card


@pytest.mark.parametrize("strategy", ["simple", "max"])
def test_the_snippets_compile_and_take_the_decoding_of_the_result(strategy: str) -> None:
    decoding = {"aggregation_strategy": strategy, "window_tokens": 64, "stride_tokens": 16}
    card = render_card(result(decoding=decoding), checkpoint())
    snippets = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(snippets) == 2
    for snippet in snippets:
        compile(snippet, "card", "exec")
        assert f'"openmed/tiny-bert-notes", aggregation_strategy="{strategy}"' in snippet
    assert "stride=16" in snippets[1]


def hostile() -> str:
    record = result_data()["corpus_record"] | {
        "title": HOSTILE,
        "examples": {"Disease": [HOSTILE, "asthma"], "Chemical": ["a|b"]},
        "source": HOSTILE,
        "repairs": {HOSTILE: 1},
    }
    card_checkpoint = checkpoint(
        title=HOSTILE,
        description=HOSTILE,
        citation=HOSTILE,
        note=HOSTILE,
        homepage="https://x.org/><script>",
        license=LicenseInfo(spdx="<b>|", source=HOSTILE, publishable=True),
    )
    card_result = result(
        corpus_record=record, notes=[HOSTILE], protocol=HOSTILE, backbone_origin=HOSTILE, license="MIT"
    )
    return render_card(card_result, card_checkpoint)


def test_hostile_text_stays_text() -> None:
    body = parts(hostile())[1]
    assert "<script" not in body and "</script" not in body and "<b>" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\| pipe \\[link\\](javascript:x)" in body
    assert not re.search(r"(?<!\\)\[link", body) and not re.search(r"(?<!\\)!\\?\[", body)
    assert "\n# heading" not in body and "\n---\n" not in body


def test_hostile_text_breaks_no_table() -> None:
    """Every row has as many cells as its header; a cell's own bars are escaped."""

    def cells(line: str) -> int:
        return len(re.findall(r"(?<!\\)\|", line))

    lines = [line for line in parts(hostile())[1].splitlines() if line.startswith("|")]
    tables = [index for index, line in enumerate(lines) if set(line) <= {"|", "-"}]
    assert len(tables) >= 6
    for begin, end in zip(tables, [*(index - 1 for index in tables[1:]), len(lines)], strict=True):
        assert {cells(line) for line in lines[begin - 1 : end]} == {cells(lines[begin])}, lines[begin - 1 : end]


def test_hostile_text_breaks_no_metadata() -> None:
    (model,) = metadata(hostile())["model-index"]
    assert {entry["dataset"]["name"] for entry in model["results"]} == {HOSTILE}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain text, 5-HT (1.2%)", "plain text, 5-HT (1.2%)"),
        ("a|b", r"a\|b"),
        ("<script>", "&lt;script&gt;"),
        ("a < b > c", "a &lt; b &gt; c"),
        ("[x](y)", r"\[x\](y)"),
        ("two\nlines\r\n\there", "two lines here"),
        ("`*_{}#!\\", "\\`\\*\\_\\{\\}\\#\\!\\\\"),
        ("\\<b", "\\\\&lt;b"),
        ("", ""),
    ],
)
def test_escape_markdown(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://example.org/a_b?c=d&e#f", "<https://example.org/a_b?c=d&e#f>"),
        ("http://x.org/%20", "<http://x.org/%20>"),
        ("https://x.org/><script>", "<https://x.org/%3E%3Cscript%3E>"),
        ("https://x.org/ a\nb|c", "<https://x.org/%20a%0Ab%7Cc>"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("[x](y)", r"\[x\](y)"),
    ],
)
def test_web_link(url: str, link: str) -> None:
    assert web_link(url) == link
