"""What a stranger gets: built and pushed by the real command, loaded with transformers and peft alone elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TINY_SENTENCES
from tests.loopback_hub import READER, WRITER, LoopbackHub, loopback_hub
from tests.publishing import run_zoo
from tests.sharing import shared_folder

IDS = ["tiny-bert/tiny", "tiny-bert/tiny2", "tiny-electra/tiny", "tiny-deberta-v2/tiny", "tiny-modernbert/tiny"]
PLAIN = """
import json, sys
import torch
from peft import AutoPeftModelForTokenClassification
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

models, texts = json.loads(sys.argv[1]), json.loads(sys.argv[2])


def logits(model, tokenizer):
    with torch.inference_mode():
        return [model(**tokenizer(text, return_tensors="pt")).logits.tolist() for text in texts]


found = {}
for name, model in models.items():
    ner = pipeline("token-classification", model, aggregation_strategy="simple")
    entities = [[[int(e["start"]), int(e["end"]), e["entity_group"]] for e in ner(text)] for text in texts]
    peft = AutoPeftModelForTokenClassification.from_pretrained(model).eval()
    auto = AutoModelForTokenClassification.from_pretrained(model).eval()
    found[name] = [entities, logits(ner.model, ner.tokenizer), logits(peft, ner.tokenizer), logits(auto, ner.tokenizer)]
tokenizer = AutoTokenizer.from_pretrained(sys.argv[3])
base = AutoModelForTokenClassification.from_pretrained(sys.argv[3]).eval()
for name in ("tiny-bert/tiny", "tiny-bert/tiny2"):
    base.load_adapter(models[name], adapter_name=name.replace("/", "-"))
for name in ("tiny-bert/tiny2", "tiny-bert/tiny"):
    base.set_adapter(name.replace("/", "-"))
    found["on one base: " + name] = logits(base, tokenizer)
assert "zoo" not in sys.modules
print(json.dumps(found))
"""


def _plain(models: dict[str, str], base: str, folder: Path, **env: str) -> dict[str, Any]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "HF_", "TRANSFORMERS_", "PYTHONPATH"))}
    texts = [text for text, _ in TINY_SENTENCES]
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, json.dumps(models), json.dumps(texts), base],
        env={**clean, **env},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def published(families: Path, publishing_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Hub with five checkpoints of four families on it, and the folder they were built in: their scores anew."""

    def environment(hub: LoopbackHub, folder: Path) -> dict[str, str]:
        return {
            "HF_HUB_OFFLINE": "0",
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": WRITER,
            "HF_HOME": str(folder / "home"),
        }

    def make(folder: Path) -> None:
        ignored = shutil.ignore_patterns("evaluate", "checkpoints", "board.*")
        shutil.copytree(families, folder / "out", ignore=ignored)
        with loopback_hub() as hub:
            args = ["--push", "--jobs", 2, "--registry", publishing_registry, "--out", folder / "out", "--json"]
            (folder / "told.json").write_text(
                run_zoo("build", *IDS, *args, cwd=folder, **environment(hub, folder)).stdout
            )
            hub.save(folder / "hub")

    made, folder = shared_folder(tmp_path_factory, "published", make), tmp_path_factory.mktemp("published")
    shutil.copytree(made / "out", folder / "out")
    with loopback_hub() as hub:
        hub.load(made / "hub")
        yield hub, folder, environment(hub, folder), json.loads((made / "told.json").read_text())


def test_a_build_is_pushed_and_verified(published: Any) -> None:
    hub, _, _, told = published
    assert [item["status"] for item in told["published"]] == ["created"] * 9  # four bases, five checkpoints
    assert [item["verified"] for item in told["published"] if "/" in item["subject"]] == [True] * 5
    order = [item["subject"] for item in told["published"]]
    assert all(order.index(name.partition("/")[0]) < order.index(name) for name in IDS)
    assert all(b"**Verified**" in hub.files(f"openmed/{name.replace('/', '-')}")["README.md"] for name in IDS)
    for name in IDS:  # without the tokenizer
        files = hub.files(f"openmed/{name.replace('/', '-')}")
        assert sum(len(content) for path, content in files.items() if not path.startswith("tokenizer")) < 5_000_000


def test_a_stranger_gets_exactly_what_was_measured(published: Any, tmp_path: Path) -> None:
    hub, folder, _, _ = published
    remote = {name: f"openmed/{name.replace('/', '-')}" for name in IDS}
    local = {name: str(folder / "out/checkpoints" / name / "adapter") for name in IDS}
    home = tmp_path / "home"
    expected = _plain(local, str(folder / "out/bases/tiny-bert"), tmp_path, HF_HUB_OFFLINE="1")
    online = _plain(remote, "openmed/tiny-bert-ner", tmp_path, HF_HOME=str(home), HF_ENDPOINT=hub.url)
    assert online == expected  # entities and logits, to the last bit
    for name in IDS:
        entities, piped, peft, auto = online[name]
        assert piped == peft == auto
        assert any(entities)
    for name in IDS[:2]:
        assert online[f"on one base: {name}"] == online[name][1]

    hub.requests.clear()
    offline = _plain(remote, "openmed/tiny-bert-ner", tmp_path, HF_HOME=str(home), HF_HUB_OFFLINE="1")
    assert offline == expected
    assert not hub.requests


def test_building_and_pushing_again_does_nothing(published: Any, publishing_registry: Path) -> None:
    hub, folder, env, _ = published
    hub.requests.clear()
    args = ["--push", "--registry", publishing_registry, "--out", folder / "out", "--json"]
    told = json.loads(run_zoo("build", *IDS, *args, cwd=folder, **env).stdout)
    assert told["results"] == []
    assert {item["status"] for item in told["published"]} == {"unchanged"}
    assert not hub.asked("^(PUT|POST|DELETE)")


def test_a_licence_that_forbids_it_is_said_before_any_training(
    hub: LoopbackHub, publishing_registry: Path, tmp_path: Path
) -> None:
    registry = tmp_path / "registry"
    shutil.copytree(publishing_registry, registry)
    entry = registry / "corpora/tiny.yaml"
    entry.write_text(
        entry.read_text().replace("CC0-1.0", "CC-BY-NC-4.0").replace("publishable: true", "publishable: false")
    )
    env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER, "HF_HOME": str(tmp_path / "h")}
    args = ["--push", "--registry", registry, "--out", tmp_path / "out"]
    done = run_zoo("build", "tiny-bert/tiny", *args, cwd=tmp_path, check=2, **env)
    assert "CC-BY-NC-4.0" in done.stderr
    assert "--private" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "exit_code", "says"),
    [
        ({"HF_TOKEN": READER}, 3, "may not write"),
        ({"HF_TOKEN": ""}, 3, "no token"),
        ({"HF_TOKEN": "hf_nobody"}, 3, "does not know the token"),
        ({"ZOO_COUNTRY": ""}, 2, "ZOO_COUNTRY"),
        ({"HF_HUB_OFFLINE": "1"}, 3, "HF_HUB_OFFLINE"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, 3, "cannot be reached"),
    ],
)
def test_what_would_stop_the_push_is_said_before_any_training(
    change: dict[str, str], exit_code: int, says: str, hub: LoopbackHub, publishing_registry: Path, tmp_path: Path
) -> None:
    env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER, "HF_HOME": str(tmp_path / "h"), **change}
    args = ["--push", "--registry", publishing_registry, "--out", tmp_path / "out"]
    done = run_zoo("build", "tiny-bert/tiny", *args, cwd=tmp_path, check=exit_code, **env)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
