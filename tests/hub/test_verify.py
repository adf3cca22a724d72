"""Verification: what it proves of our repositories, what it finds, and what it says of other people's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hub.test_push import BASE, FIRST, Publish
from tests.loopback_hub import LoopbackHub
from tests.publishing import Waits, run_zoo
from zoo.hub.access import fresh_environment
from zoo.hub.client import Hub
from zoo.hub.retry import RetryPolicy
from zoo.hub.verification import (
    CardFigure,
    Verification,
    align_types,
    check_figures,
    match_corpus,
    read_figures,
)
from zoo.hub.verify import VerifyRequest, rescore
from zoo.registry.loader import load_registry


@pytest.fixture
def look(client: Waits, publishing_registry: Path) -> Any:
    """What the fresh process does, in this one: as far as it needs no model."""

    def run(repo_id: str) -> Verification:
        return rescore(VerifyRequest(repo_id=repo_id, registry=publishing_registry), Hub(RetryPolicy(sleep=client)))

    return run


def _flip(hub: LoopbackHub, repo_id: str, path: str) -> None:
    data = bytearray(hub.files(repo_id)[path])
    data[len(data) // 2] ^= 4
    hub.put(repo_id, {path: bytes(data)})


@pytest.mark.parametrize(
    ("repo_id", "path"),
    [
        (FIRST, "adapter_model.safetensors"),
        (FIRST, "result.json"),
        (FIRST, "README.md"),
        (FIRST, "tokenizer.json"),
        (BASE, "model.safetensors"),
        (BASE, "config.json"),
    ],
)
def test_one_flipped_bit_on_the_hub_is_found(
    publish: Publish, hub: LoopbackHub, look: Any, repo_id: str, path: str
) -> None:
    publish("tiny-bert/tiny")
    _flip(hub, repo_id, path)
    found = look(FIRST)
    assert not found.passed
    prefix = f"base {BASE}: " if repo_id == BASE else ""
    assert found.problems == [f"{prefix}{path} is not the file of the manifest: its sha256 differs"]


def test_a_bit_flipped_on_the_way_is_found(publish: Publish, hub: LoopbackHub, look: Any) -> None:
    publish("tiny-bert/tiny")
    hub.fail(f"{FIRST}/resolve/.*/adapter_model", method="GET", flip=999)
    assert "adapter_model.safetensors" in look(FIRST).problems[0]


def test_files_that_do_not_belong_together_are_found(
    publish: Publish, hub: LoopbackHub, look: Any, publishing_registry: Path
) -> None:
    publish("tiny-bert/tiny")
    hub.put(FIRST, {"config.json": b"{}", "tokenizer.json": None})
    assert look(FIRST).problems == ["tokenizer.json is missing", "config.json is not in the manifest"]


def test_another_base_is_found(publish: Publish, hub: LoopbackHub, look: Any) -> None:
    publish("tiny-bert/tiny")
    files = hub.files(FIRST)
    hub.put(BASE, {"manifest.json": hub.files(BASE)["manifest.json"].replace(b'"content": "', b'"content": "0', 1)})
    assert files == hub.files(FIRST)
    with pytest.raises(Exception, match="not a manifest"):
        look(FIRST)
    del hub.repos[BASE]
    assert look(FIRST).problems == [f"its base {BASE} is not on the Hub"]


def test_no_such_repository(hub: LoopbackHub, look: Any) -> None:
    with pytest.raises(Exception, match="no such repository"):
        look("openmed/nothing")


def test_downloads_that_break_are_tried_again(publish: Publish, hub: LoopbackHub, look: Any) -> None:
    publish("tiny-bert/tiny")
    _flip(hub, FIRST, "adapter_model.safetensors")  # so that it ends before a model is needed
    hub.fail(f"{FIRST}/resolve/.*/adapter_model", method="GET", cut_response=5000, times=2)
    hub.fail(f"{FIRST}/resolve/.*/result", method="GET", status=503, times=2)
    hub.fail(f"{FIRST}/resolve/.*/README", method="HEAD", status=429, headers={"Retry-After": "3"}, times=2)
    assert "adapter_model.safetensors" in look(FIRST).problems[0]


def test_a_fresh_environment_has_nothing_of_ours(client: Waits, tmp_path: Path) -> None:
    env = {
        "PATH": "/bin",
        "HF_TOKEN": "hf_writer",
        "HF_HUB_OFFLINE": "1",
        "HF_ENDPOINT": "http://x",
        "HF_HUB_CACHE": "c",
    }
    clean = fresh_environment(env, tmp_path, private=False)
    assert clean["HF_HOME"] == str(tmp_path)
    assert clean["HF_ENDPOINT"] == "http://x"
    assert not {"HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE"} & set(clean)
    assert fresh_environment(env, tmp_path, private=True)["HF_TOKEN"] == "hf_writer"


def test_a_push_is_verified_and_says_so(
    publish: Publish, hub: LoopbackHub, out: Path, publishing_registry: Path, tmp_path: Path
) -> None:
    done = publish("tiny-bert/tiny", verify=True)[-1]
    assert (done.exit_code, done.message) == (0, None)
    folder = out / "checkpoints/tiny-bert/tiny"
    result = json.loads((folder / "result.json").read_text())
    found = done.verification
    assert found.passed and found.measured == found.expected
    test = result["scores"]["test"]
    assert found.measured.tp + found.measured.fn == test["gold_mentions"]
    assert found.pipeline_documents == 36 and found.pipeline_differs == 0
    assert {claim.status for claim in found.claims if claim.split == "test"} == {"reproduced"}
    files = hub.files(FIRST)
    assert b"**Verified**" in files["README.md"]
    assert files["verification.json"] == (folder / "verification.json").read_bytes()
    assert len(hub.history(FIRST)) == 3
    requests = [a for r, a in zip(hub.requests, hub.authorizations, strict=True) if f"GET /{FIRST}/resolve" in r]
    assert None in requests  # read as a stranger reads it

    again = publish("tiny-bert/tiny", verify=True)[-1]  # no commit, and no other verification
    assert (again.status, again.verification) == ("unchanged", found)
    assert len(hub.history(FIRST)) == 3

    board = run_zoo("board", "--out", out, "--json", cwd=tmp_path)
    assert [row["verified"] for row in json.loads(board.stdout)] == [True, None]


def test_a_result_that_says_more_than_the_model_does_is_not_verified(
    publish: Publish, hub: LoopbackHub, out: Path
) -> None:
    path = out / "checkpoints/tiny-bert/tiny/result.json"
    result = json.loads(path.read_text())
    test = result["scores"]["test"]
    test["recall"] -= 1 / test["gold_mentions"]
    path.write_text(json.dumps(result))
    done = publish("tiny-bert/tiny", verify=True)[-1]
    assert (done.status, done.exit_code) == ("created", 1)
    assert "test score differs" in done.message
    assert "recall on tiny test" in done.message
    assert "verification.json" not in hub.files(FIRST)
    assert b"**Verified**" not in hub.files(FIRST)["README.md"]


CARD = """---
pipeline_tag: token-classification
model-index:
- name: theirs
  results:
  - dataset: {type: lab/tiny2, name: Tiny two, split: test}
    metrics:
    - {type: f1, value: 0.0}
    - {type: precision, value: 91.5}
    - {type: accuracy, value: 0.99}
  - dataset: {type: conll2003, name: CoNLL, split: test}
    metrics: [{type: f1, value: 0.93}]
---
"""


def test_the_cards_of_others(
    client: Waits, hub: LoopbackHub, out: Path, publishing_registry: Path, tmp_path: Path
) -> None:
    """A whole model of somebody else; this one finds nothing, and its card says so in one figure of four."""
    base = out / "bases/tiny-bert"
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    hub.put("lab/theirs", {"README.md": CARD.encode(), **{name: (base / name).read_bytes() for name in names}})
    env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url}
    done = run_zoo("verify", "lab/theirs", "--registry", publishing_registry, "--json", cwd=tmp_path, check=1, **env)
    found = json.loads(done.stdout)[0]
    assert found["kind"] == "other"
    assert [(claim["status"], claim["claimed"], claim["measured"]) for claim in found["claims"]] == [
        ("not checked", 0.93, None),
        ("reproduced", 0.0, 0.0),
        ("differs", 0.915, 0.0),
        ("not checked", 0.99, None),
    ]
    assert len(found["problems"]) == 1


def test_bare_labels_of_others_are_scored_like_named_ones(hub: LoopbackHub, look: Any, out: Path) -> None:
    """With a corpus of one type, the card is checked as if they were `B-Disease` and `I-Disease`."""
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    base = out / "bases" / "tiny-bert"
    measured = []
    for repo_id, suffix in (("lab/bare", ""), ("lab/named", "-Disease")):
        names = ("O", f"B{suffix}", f"I{suffix}")
        config = AutoConfig.from_pretrained(base, num_labels=3)
        config.id2label, config.label2id = dict(enumerate(names)), {name: index for index, name in enumerate(names)}
        torch.manual_seed(0)
        model = AutoModelForTokenClassification.from_config(config)
        torch.nn.init.constant_(model.classifier.bias, 0.0)
        folder = out / repo_id
        model.save_pretrained(folder)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        files |= {name: (base / name).read_bytes() for name in ("tokenizer.json", "tokenizer_config.json")}
        hub.put(repo_id, {"README.md": CARD.encode(), **files})
        measured.append({claim.metric: claim.measured for claim in look(repo_id).claims if claim.measured is not None})
    assert measured[0] == measured[1] and len(measured[0]) == 2 and all(measured[0].values())


def test_figures_are_read_leniently(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    for text in (
        "",
        "no metadata",
        "---\nmodel-index: 3\n---\n",
        "---\nmodel-index: [{results: [1, {metrics: {}}]}]\n---\n",
    ):
        card.write_text(text)
        assert read_figures(card) == []
    card.write_text(CARD)
    assert [figure.kind for figure in read_figures(card)] == ["f1", "precision", None, "f1"]


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("f1", "f1"),
        ("F1 (seqeval)", "f1"),
        ("ner_f_score NER F Score", "f1"),
        ("eval_f1-score", "f1"),
        ("precision", "precision"),
        ("Recall", "recall"),
        ("macro f1", None),
        ("accuracy", None),
        ("loss", None),
        ("span-only F1", None),
    ],
)
def test_names_of_metrics(metric: str, kind: str | None) -> None:
    assert CardFigure(("x",), "", "test", metric, 0.5).kind == kind


def test_names_of_datasets_and_types() -> None:
    registry = load_registry()

    def corpus(*names: str) -> str | None:
        found = match_corpus(CardFigure(names, "", "test", "f1", 0.5), registry)
        return found.id if found else None

    assert corpus("ncbi/ncbi_disease") == "ncbi-disease"
    assert corpus("NCBI Disease") == "ncbi-disease"
    assert corpus("bigbio/jnlpba") == "jnlpba"
    assert corpus("conll2003") is None
    assert align_types(["DISEASE", "Other"], ("Disease", "Chemical")) == {"DISEASE": "Disease"}
    assert align_types(["DISO"], ("Disease",)) == {"DISO": "Disease"}
    assert align_types(["DISO", "X"], ("Disease",)) == {}


def test_what_was_not_scored_is_not_claimed() -> None:
    entry = load_registry().corpus("sample-disease")
    claims = check_figures(
        [CardFigure(("x",), "", "train", "f1", 0.5), CardFigure(("x",), "", "test", "f1", None)], entry, {}, own=False
    )
    assert [claim.status for claim in claims] == ["not checked", "not checked"]
