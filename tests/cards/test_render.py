"""The model card: a whole one against a golden file, its metadata as the Hub reads them, and hostile text.

`ZOO_REWRITE_GOLDEN=1 pytest tests/cards/test_render.py` writes the golden files anew; read the difference.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.records import checkpoint, linking_data, nesting_data, passages, registry, result, result_data, split_score
from zoo.cards.markdown import escape_markdown, hide_local_paths, web_link
from zoo.cards.metadata import hub_license
from zoo.cards.render import render_base_card, render_card
from zoo.evaluation.result import Result
from zoo.language.examples import example_sentence
from zoo.language.names import language_name
from zoo.registry.loader import Checkpoint
from zoo.registry.schema import LicenseInfo, ReportedScore, Suite

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "<script>alert(1)</script> | pipe [link](javascript:x) `code` *bold* _low_\n# heading\n---\n![i](y)"


def card(card_result: Result, entry: Checkpoint | None = None) -> str:
    entry = entry or checkpoint()
    return render_card(card_result, entry, registry(entry))


def unpublishable() -> str:
    """The card of a model that may not be published, of an older build: little measured, nothing quoted or repaired."""
    card_checkpoint = checkpoint(
        publishable=False, types={"Disease": "Disease"}, homepage="", citation="", note="", reported=[]
    )
    record = result_data()["corpus_record"] | {
        "license": "NOASSERTION",
        "examples": {},
        "repairs": {},
        "dropped_mentions": {},
    }
    scores = {name: split_score(0.8) for name in ("dev", "test")}
    for score in scores.values():
        score["per_type"].pop("Chemical")
    energy = result_data()["energy"] | {"country": "world average"}
    card_result = result(
        entity_types=["Disease"],
        license="NOASSERTION",
        publishable=False,
        raw_text=None,
        robustness=None,
        errors=None,
        linking=None,
        dapt=None,
        tune=None,
        energy_stages={},
        energy_base_share=None,
        notes=[],
        scores=scores,
        energy=energy,
        corpus_record=record,
    )
    return card(card_result, card_checkpoint)


def published() -> str:
    return card(result())


def base() -> str:
    entry = checkpoint()
    return render_base_card(result(), entry.backbone, registry(entry))


def credentialed_base() -> str:
    """The card of a base that was pre-trained on text that may not leave the machine."""
    dapt = result_data()["dapt"] | {
        "passages": ["notes"],
        "licenses": ["LicenseRef-PhysioNet-Credentialed-1.5.0"],
        "sources": [passages("notes", "LicenseRef-PhysioNet-Credentialed-1.5.0", publishable=False)],
        "publishable": False,
        "reasons": ["passages notes"],
        "head_trained": False,
    }
    entry = checkpoint()
    return render_base_card(result(dapt=dapt, publishable=False), entry.backbone, registry(entry))


def parts(card: str) -> tuple[dict[str, Any], str]:
    """Front matter and body, split where the Hub splits them."""
    found = re.match(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL)
    assert found
    return dict(yaml.safe_load(found[1])), found[2]


def metadata(card: str) -> dict[str, Any]:
    return parts(card)[0]


def test_nested_mentions_have_a_table_where_there_are_some() -> None:
    scores = {"dev": split_score(0.825), "test": split_score(0.8, nesting=nesting_data())}
    shown = card(result(scores=scores))
    assert "| inside another | 54.30 | 56.60 | 52.10 | 15 | 13 |" in shown
    assert (
        "| discontinuous | 27.80 | 30.10 | 25.60 | 7 | 5 |" in shown
        and "No head can find 9 of the annotated mentions" in shown
    )
    assert "inside two or more" not in shown and "Nested and discontinuous" not in card(result())


@pytest.mark.parametrize(
    ("name", "render"),
    [
        ("checkpoint", published),
        ("unpublishable", unpublishable),
        ("base", base),
        ("credentialed_base", credentialed_base),
    ],
)
def test_the_whole_card_is_the_golden_one(name: str, render: Any) -> None:
    path, rendered = GOLDEN / f"{name}.md", render()
    if os.environ.get("ZOO_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(rendered, encoding="utf-8")
    assert rendered == path.read_text(encoding="utf-8")


def test_the_metadata_are_what_the_hub_asks_for() -> None:
    data = metadata(published())
    assert data["license"] == "mit"
    assert data["base_model"] == "openmed/tiny-bert-ner"
    assert data["pipeline_tag"] == "token-classification"
    assert data["library_name"] == "peft"
    assert data["language"] == "en"
    assert {"lora", "disease", "chemical"} <= set(data["tags"])


def test_the_language_is_that_of_the_corpus_in_text_and_metadata() -> None:
    text = card(result(), checkpoint(language="de-AT"))
    data = metadata(text)
    assert data["language"] == "de-AT" and data["widget"][0]["text"] == example_sentence("Disease", "de")
    assert example_sentence("Disease", "de") in text
    assert metadata(card(result(), checkpoint(language="it")))["widget"][0]["text"] == "asthma, migraine"
    assert "in German biomedical text" in text and "- German only." in text


def test_a_backbone_of_another_language_than_the_corpus_is_said() -> None:
    entry = checkpoint(language="es")

    def limits(*languages: str) -> str:
        backbone = entry.backbone.model_copy(update={"languages": languages})
        return card(result(), replace(entry, backbone=backbone)).split("## Limits")[1]

    assert "pre-trained on text in English, not in Spanish" in limits("en")
    assert "pre-trained on text in German, French, not in Spanish" in limits("de", "fr")
    for languages in (("es-ES",), ("en", "es"), ("mul",)):
        assert "pre-trained on text in" not in limits(*languages)


@pytest.mark.parametrize("description", ["Diseases in case reports.", "Sustancias en casos clínicos."])
def test_that_clinical_notes_score_lower_is_not_said_of_clinical_corpora(description: str) -> None:
    def limits(**corpus: Any) -> str:
        return card(result(), checkpoint(**corpus)).split("## Limits")[1]

    assert "other genres score lower" in limits(title="X", description=description)
    assert "above all clinical notes" in limits(title="X", description="Diseases in PubMed abstracts.")


def test_a_model_that_finds_nothing_says_so() -> None:
    nothing = dict.fromkeys(("precision", "recall", "macro_f1", "span_only_f1"), 0.0)
    score = split_score(0.0, **nothing, ci95=[0.0, 0.0], per_type={}, predicted_mentions=0)
    text = card(result(scores={"dev": score, "test": score}))
    said = "**It finds nothing**: not one of the 100 mentions of the test split was found, and none was marked."
    assert said in text.split("## What it finds")[0]
    assert "It finds nothing" not in published()


def test_the_example_of_many_adapters_names_one_that_may_be_published() -> None:
    entry = checkpoint()
    own = registry(entry)
    closed, open_ = (
        entry.corpus.model_copy(
            update={"id": name, "license": entry.corpus.license.model_copy(update={"publishable": name == "open"})}
        )
        for name in ("closed", "open")
    )
    suite = Suite(description="x", backbones=("tiny-bert",), corpora=("closed", "open"))
    known = replace(own, corpora={**own.corpora, "closed": closed, "open": open_}, suites={"s": suite})
    text = render_card(result(), entry, known)
    assert 'load_adapter("openmed/tiny-bert-open"' in text and "tiny-bert-closed" not in text


def test_what_the_overlap_policy_left_out_stands_beside_the_score() -> None:
    text = card(result(), checkpoint(overlaps="longest"))
    assert "20.00 % of its annotated mentions are not scored" in text.split("## What it finds")[0]
    assert "the overlap policy `longest` left 25 of 125 out" in text
    for dropped in ({}, {"test": 0}):
        record = result_data()["corpus_record"] | {"dropped_mentions": dropped}
        assert "not scored" not in card(result(corpus_record=record))


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
        "source": "codecarbon, CPU estimated (cpu_load)",
        "training_type": "fine-tuning",
        "geographical_location": "DEU",
        "hardware_used": "2 x Some CPU",
    }


@pytest.mark.parametrize(
    ("ratio", "said"), [(4.0, "0.0005 (of LoRA's B 4 times as much: [LoRA+]"), (1.0, "0.0005, "), (None, "0.0005, ")]
)
def test_loraplus_is_said_where_a_recipe_has_it(ratio: float | None, said: str) -> None:
    """Results of older builds know nothing of it."""
    recipe = result_data()["recipe"]
    recipe["finetune"].pop("loraplus_lr_ratio")
    if ratio is not None:
        recipe["finetune"]["loraplus_lr_ratio"] = ratio
    assert f"AdamW, learning rate {said}" in card(result(recipe=recipe))


def test_the_model_index_holds_the_test_scores() -> None:
    (model,) = metadata(published())["model-index"]
    assert model["name"] == "tiny-bert-notes"
    found = {
        (entry["dataset"]["split"], entry["dataset"].get("config"), metric["type"]): metric["value"]
        for entry in model["results"]
        for metric in entry["metrics"]
    }
    expected = {
        ("test", None): (0.8, 0.82, 0.78),
        ("test", "Chemical"): (0.9, 0.91, 0.89),
        ("test", "Disease"): (0.7, 0.71, 0.69),
        ("test", "raw text"): (0.75, 0.77, 0.73),
        ("validation", None): (0.825, 0.845, 0.805),
    }
    kinds = ("f1", "precision", "recall")
    assert found == {(*key, kind): value for key, v in expected.items() for kind, value in zip(kinds, v, strict=True)}
    assert {entry["task"]["type"] for entry in model["results"]} == {"token-classification"}
    assert {entry["dataset"]["type"] for entry in model["results"]} == {"notes"}


def test_the_metadata_survive_the_hubs_own_reader() -> None:
    from huggingface_hub import ModelCard

    data = ModelCard(published()).data
    assert data.base_model == "openmed/tiny-bert-ner" and data.base_model_relation == "adapter"
    assert len(data.eval_results or []) == 15


def test_what_may_not_be_published_says_so_and_why() -> None:
    text = unpublishable()
    assert metadata(text)["license"] == "other" and metadata(text)["license_name"] == "no-public-licence"
    assert "**Not for publication.** It may lie in a private repository, because:" in text
    assert "- corpus notes: NOASSERTION (its README): no licence is known" in text
    assert "not quoted: licence" in text and "asthma" not in text
    assert "(no country was set)" in text and "Repaired" not in text


def test_a_base_says_that_its_passages_may_not_leave_and_so_do_the_checkpoints_on_it() -> None:
    text = credentialed_base()
    assert "not be uploaded at all, not even into a private repository" in text
    assert metadata(text)["license_name"] == "no-public-licence"
    dapt = result_data()["dapt"] | {"sources": [passages("x", "LicenseRef-PhysioNet-Credentialed-1.5.0")]}
    assert "not even into a private repository" in card(result(dapt=dapt))


def test_passages_whose_licence_was_not_recorded_are_not_taken_for_free() -> None:
    dapt = result_data()["dapt"]
    dapt.pop("sources")
    text = card(result(dapt=dapt))
    assert "**Not for publication.**" in text and "passages some-abstracts: NOASSERTION (not recorded" in text.replace(
        "\\", ""
    )


def test_licence_and_quotes_are_those_of_the_registry_as_it_stands() -> None:
    assert "**Not for publication.**" not in card(result(publishable=False, license="NOASSERTION"))
    assert "severe asthma" in card(result()) and "migraine" in card(result())
    tightened = card(result(), checkpoint(publishable=False))
    assert "severe asthma" not in tightened and "migraine" not in tightened
    assert "No text is shown: the licence of the corpus does not clearly allow it." in tightened


@pytest.mark.parametrize("section", ["### Robustness", "### Raw text", "## What it gets wrong"])
def test_what_was_not_measured_is_said(section: str) -> None:
    after = unpublishable().split(f"{section}\n\n")[1]
    assert after.startswith("Not measured")


def test_figures_of_two_rules_share_no_table() -> None:
    section = published().split("## Linking\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    by_belb, by_biosyn = "85.30 | 82.00 to 88.70", "89.60 | 86.30 to 93.00"
    assert sum(by_belb in table for table in tables) == sum(by_biosyn in table for table in tables) == 1
    assert not any(by_belb in table and by_biosyn in table for table in tables)
    assert "No linking to an ontology" in unpublishable() and "No linking to an ontology" not in published()


def test_a_linker_of_one_type_has_no_line_of_all_and_says_when_nothing_is_answered() -> None:
    scores = linking_data()
    scores["per_type"].pop("Chemical")
    scores["abstention"] |= {"threshold": None, "answered_share": 0.0, "precision": 0.0}
    text = card(result(linking={**scores, "end_to_end": None, "nil": None, "train_names": "none"}))
    assert "| Disease | 82.70 |" in text and "| all | 85.30 |" not in text
    assert "no score on dev gives 95 % precision" in text and "**End to end**" not in text
    assert "No names of the corpus itself are used." in text


def test_every_section_of_the_issue_is_there() -> None:
    headings = re.findall(r"^##+ (.*)$", published(), re.MULTILINE)
    assert headings == [
        "What it finds",
        "How to use it",
        "Intended use",
        "Scores",
        "By type",
        "How much is memory",
        "Raw text",
        "Robustness",
        "Linking",
        "What it gets wrong",
        "Reported by others",
        "Training data",
        "Training",
        "1. Domain-adaptive pre-training",
        "2. Search of hyper-parameters",
        "3. Fine-tuning",
        "Energy",
        "Limits",
        "Facts for the EU AI Act",
        "Licence",
        "Rebuild and verify",
        "Citation",
    ]


def test_links_inside_a_card_lead_to_its_headings() -> None:
    for text in (published(), unpublishable(), base(), credentialed_base()):
        headings = {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^##+ (.*)$", text, re.MULTILINE)
        }
        assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings


def test_all_results_on_a_base_give_one_card_of_it() -> None:
    entry = checkpoint()
    other = result(checkpoint_id="tiny-bert/else", corpus="else", scores={n: split_score(0.5) for n in ("dev", "test")})
    assert render_base_card(other, entry.backbone, registry(entry)) == base()


def test_the_snippet_of_linking_is_there_where_an_encoder_and_an_open_vocabulary_are() -> None:
    """MEDIC, which the diseases are linked to, may not be published: its names are in no repository to compare with."""
    trained = {**result().fingerprints, "linker_adapter": "a" * 64}
    text = card(result(fingerprints=trained))
    (snippet,) = [part for part in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "sqlite3" in part]
    compile(snippet, "card", "exec")
    assert 'allow_patterns=["linker/*"]' in snippet and "index/mesh/concepts.sqlite" in snippet
    assert "medic" not in snippet
    assert "--link Chemical=mesh --link Disease=medic" in text and "your own copy is read" in text
    assert "sqlite3" not in card(result()), "without an encoder"
    closed = {**linking_data()["vocabularies"], "Chemical": linking_data()["vocabularies"]["Disease"]}
    assert "sqlite3" not in card(result(fingerprints=trained, linking=linking_data(vocabularies=closed)))
    assert "linker/" not in card(result(linking=None))


def test_what_was_verified_is_a_line_of_the_card() -> None:
    entry = checkpoint()
    text = render_card(result(), entry, registry(entry), verified="all 15 scores, 2026-11-23")
    assert "\n**Verified**: all 15 scores, 2026-11-23\n" in text and "**Verified**" not in published()


@pytest.mark.parametrize(
    ("spdx", "fields"),
    [
        ("MIT", {"license": "mit"}),
        ("CC-BY-SA-3.0", {"license": "cc-by-sa-3.0"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("NOASSERTION", {"license": "other", "license_name": "no-public-licence"}),
        (
            "Python-2.0",
            {
                "license": "other",
                "license_name": "python-2.0",
                "license_link": "https://spdx.org/licenses/Python-2.0.html",
            },
        ),
        ("MIT OR Apache-2.0", {"license": "other", "license_name": "mit-or-apache-2.0"}),
        ("LicenseRef-Ours", {"license": "other", "license_name": "licenseref-ours"}),
    ],
)
def test_licences_as_the_hub_names_them(spdx: str, fields: dict[str, str]) -> None:
    assert hub_license(spdx) == fields


@pytest.mark.parametrize("strategy", ["simple", "max"])
def test_the_snippets_compile_and_take_the_decoding_of_the_result(strategy: str) -> None:
    decoding = {"aggregation_strategy": strategy, "window_tokens": 64, "stride_tokens": 16}
    snippets = re.findall(r"```python\n(.*?)```", card(result(decoding=decoding)), re.DOTALL)
    assert len(snippets) == 4
    for snippet in snippets:
        compile(snippet, "card", "exec")
    for snippet in snippets[:2]:
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
        reported=[ReportedScore(model=HOSTILE, micro_f1=0.5, source="javascript:alert(1)", protocol=HOSTILE)],
    )
    mistake = {"kind": "boundary", "gold": HOSTILE, "predicted": HOSTILE}
    mistake |= dict.fromkeys(("before", "text", "after"), HOSTILE)
    source = passages("x", "CC0-1.0", source=HOSTILE, note=HOSTILE) | {"title": HOSTILE, "homepage": HOSTILE}
    card_result = result(
        corpus_record=record,
        notes=[HOSTILE],
        protocol=HOSTILE,
        backbone_origin=HOSTILE,
        license="MIT",
        errors={"classes": {}, "examples": [mistake]},
        dapt=result_data()["dapt"] | {"sources": [source], "passages": [HOSTILE]},
        energy=result_data()["energy"] | {"hardware": HOSTILE, "method": HOSTILE},
        energy_stages={HOSTILE: result_data()["energy"]},
        robustness={HOSTILE: {"micro_f1": 0.5, "loss": 0.3, "documents": 1, "changed_documents": 1}},
    )
    return card(card_result, card_checkpoint)


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
    assert len(tables) >= 12
    for begin, end in zip(tables, [*(index - 1 for index in tables[1:]), len(lines)], strict=True):
        assert {cells(line) for line in lines[begin - 1 : end]} == {cells(lines[begin])}, lines[begin - 1 : end]


def test_paths_of_this_machine_do_not_reach_a_card() -> None:
    record = result_data()["corpus_record"] | {"source": "files of /home/someone/notes"}
    text = card(result(notes=["not scored: no file /tmp/x/originals"], corpus_record=record))
    assert "/home" not in text and "/tmp" not in text and "files of (local path)" in text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("read /home/a/b.tsv, then", "read (local path), then"),
        ("C:\\Users\\a\\b", "(local path)"),
        ("file:///x/y", "(local path)"),
        ("~/notes", "(local path)"),
        ("https://x.org/home/a and 5 mg/kg and and/or", "https://x.org/home/a and 5 mg/kg and and/or"),
    ],
)
def test_hide_local_paths(text: str, hidden: str) -> None:
    assert hide_local_paths(text) == hidden


def html(text: str) -> str:
    """The body as the Hub's kind of Markdown renders it."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(parts(text)[1]))


@pytest.mark.parametrize("render", [published, unpublishable, base, credentialed_base])
def test_a_card_reads_as_html(render: Any) -> None:
    page = html(render())
    rows = [len(re.findall(r"<t[hd]>", row)) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
    assert page.count("<table>") >= 4 and 0 not in rows
    assert not re.search(r"<p>[^<]*\|", page), "a table that is none"
    assert not re.search(r"\{\{|\{%|None|Undefined", re.sub(r"<h3>.*?</h3>|None: ", "", page)), "what the template left"


def test_hostile_text_is_no_html_and_no_link() -> None:
    page = html(hostile())
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= set(re.findall(r"<([a-z0-9]+)", html(published())))
    assert all(link.startswith(("https://", "#")) for link in re.findall(r'href="(.*?)"', page))
    assert len(re.findall(r"<h1>", page)) == 1


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
