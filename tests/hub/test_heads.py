"""Several heads on the Hub: ordinary adapters in one repository, verified together, and found by plain libraries."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.loopback_hub import LoopbackHub, loopback_hub
from tests.publishing import hub_environment, run_zoo
from tests.sharing import shared_folder
from tests.training.test_coordination import with_gaps
from tests.training.test_heads import overlapping
from zoo.errors import ZooError
from zoo.evaluation.result import load_result
from zoo.hub.bundle import checkpoint_bundle
from zoo.registry.loader import load_registry

FAMILIES = ("bert", "deberta-v2", "electra", "modernbert")
REPO = "openmed/tiny-bert-nested"


def add_nested_corpus(registry: Path) -> None:
    """Add the corpus `nested` to a registry with the tiny backbones."""
    (registry / "data-nested").mkdir()
    lines = [
        json.dumps(
            {
                "id": document.id,
                "text": document.text,
                "spans": [
                    {
                        "start": s.start,
                        "end": s.end,
                        "type": s.type,
                        **({"fragments": s.fragments} if s.fragments else {}),
                    }
                    for s in document.spans
                ],
            }
        )
        for document in with_gaps(overlapping(6))
    ]
    for split in ("train", "dev", "test"):
        (registry / "data-nested" / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (registry / "corpora" / "nested.yaml").write_text(
        "id: nested\ntitle: Nested\ndescription: Six sentences.\nformat: jsonl\nunit: sentence\noverlaps: keep\n"
        "types: {Disease: Disease, Chemical: Chemical}\n"
        "license: {spdx: CC0-1.0, source: made in the tests, publishable: true}\n"
        "sources: [{kind: bundled, path: data-nested}]\n"
    )


@pytest.fixture(scope="module")
def published(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LoopbackHub, Path, Any]]:
    """A Hub with models of several heads, their builds, and what was told of them."""

    def make(folder: Path) -> None:
        shutil.copytree(tiny_registry, folder / "registry")
        add_nested_corpus(folder / "registry")
        ids = [f"tiny-{family}/nested" for family in FAMILIES]
        args = ["--push", "--registry", folder / "registry", "--out", folder / "out", "--json"]
        with loopback_hub() as hub:
            told = run_zoo("build", *ids, *args, cwd=folder, **hub_environment(hub, folder)).stdout
            (folder / "told.json").write_text(told)
            hub.save(folder / "hub")

    made = shared_folder(tmp_path_factory, "published-heads", make)
    with loopback_hub() as hub:
        hub.load(made / "hub")
        yield hub, made, json.loads((made / "told.json").read_text())


def test_all_heads_are_pushed_and_verified_in_every_architecture(published: tuple[LoopbackHub, Path, Any]) -> None:
    """That plain transformers computes each head exactly is checked by the build itself: it would have failed."""
    hub, folder, told = published
    verified = {item["subject"]: item["verified"] for item in told["published"] if "/" in item["subject"]}
    assert verified == {f"tiny-{family}/nested": True for family in FAMILIES}
    for family in FAMILIES:
        files = hub.files(f"openmed/tiny-{family}-nested")
        heads = json.loads(files["heads.json"])["heads"]
        assert len(heads) > 1
        for head in heads:
            place = "" if head["folder"] == "." else f"{head['folder']}/"
            config = json.loads(files[f"{place}adapter_config.json"])
            assert config["base_model_name_or_path"] == f"openmed/tiny-{family}-ner"
            assert f"{place}adapter_model.safetensors" in files and f"{place}config.json" not in files
        result = json.loads(files["result.json"])
        assert [head["name"] for head in result["heads"]] == [head["name"] for head in heads]
        assert sum(name.startswith("adapter/heads/") for name in result["fingerprints"]) == len(heads) - 1
        assert (
            result["discontinuous"]["Disease"]["kept"] and "Disease" in json.loads(files["discontinuous.json"])["types"]
        )
        assert result["scores"]["test"]["nesting"]["discontinuous"]["recall"] > 0.8
        assert "names of training that stand in two pieces" in files["README.md"].decode()
    assert json.loads(hub.files(REPO)["result.json"])["scores"]["test"]["nesting"]["inner"]["recall"] > 0.9
    assert (folder / "out/checkpoints/tiny-bert/nested/adapter/heads.json").is_file()


def test_a_head_that_was_changed_on_the_hub_is_not_verified(
    published: tuple[LoopbackHub, Path, Any], tmp_path: Path
) -> None:
    hub, folder, _ = published
    heads = json.loads(hub.files(REPO)["heads.json"])["heads"]
    for changed in (f"{heads[1]['folder']}/adapter_model.safetensors", "discontinuous.json"):
        whole = hub.files(REPO)[changed]
        hub.put(REPO, {changed: whole[:-2] + b"\x11\x22"})
        try:
            args = ("verify", REPO, "--registry", folder / "registry")
            done = run_zoo(*args, cwd=folder, check=None, **hub_environment(hub, tmp_path))
            assert done.returncode == 1 and changed in done.stdout + done.stderr
        finally:
            hub.put(REPO, {changed: whole})


def test_names_of_a_corpus_that_not_everybody_may_share_stay_at_home(
    published: tuple[LoopbackHub, Path, Any],
) -> None:
    _, folder, _ = published
    built, registry = folder / "out/checkpoints/tiny-bert/nested", load_registry(folder / "registry")
    checkpoint = registry.checkpoint("tiny-bert/nested")
    license_info = checkpoint.corpus.license.model_copy(update={"spdx": "CC-BY-NC-4.0"})
    corpus = checkpoint.corpus.model_copy(update={"license": license_info})
    given: Any = (load_result(built / "result.json"), replace(checkpoint, corpus=corpus), registry, None, ())
    with pytest.raises(ZooError, match="holds names of the corpus") as caught:
        checkpoint_bundle(built, built, *given)
    assert "heads.discontinuous=false" in str(caught.value.fix)


def test_heads_of_an_earlier_push_go_in_the_same_commit(
    published: tuple[LoopbackHub, Path, Any], tmp_path: Path
) -> None:
    hub, folder, _ = published
    whole = set(hub.files(REPO))
    hub.put(REPO, {"heads/old/adapter_config.json": b"{}", "heads/old/adapter_model.safetensors": b"old"})
    commits = len(hub.history(REPO))
    args = ("--registry", folder / "registry", "--out", folder / "out", "--no-verify")
    run_zoo("push", "tiny-bert/nested", *args, cwd=folder, **hub_environment(hub, tmp_path))
    assert set(hub.files(REPO)) == whole and len(hub.history(REPO)) == commits + 1


def test_the_snippet_of_the_card_finds_what_the_toolkit_finds(
    published: tuple[LoopbackHub, Path, Any], tmp_path: Path
) -> None:
    hub, _, _ = published
    card = hub.files(REPO)["README.md"].decode()
    (snippet,) = [text for text in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "heads.json" in text]
    texts = [document.text for document in overlapping(1)]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "HF_", "TRANSFORMERS_"))}
    env = {**clean, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    plain = (
        f"{snippet}\nimport sys\nassert 'zoo' not in sys.modules\n"
        "print(json.dumps([sorted({(e['start'], e['end'], e['entity_group']) for e in find(text)}) for text in "
        f"{texts!r}]))\n"
    )
    ours = (
        "import json\nfrom zoo.tagging.tagger import Tagger\n"
        f"found = Tagger.load({REPO!r}).tag({texts!r})\n"
        "print(json.dumps([sorted(entity.key for entity in each if not entity.fragments) for each in found]))\n"
        "assert any(entity.fragments for each in found for entity in each)\n"
    )
    answers = []
    for code in (plain, ours):
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout.strip().splitlines()[-1]))
    assert answers[0] == answers[1] and any(
        one[0] <= two[0] and two[1] <= one[1] and one != two for found in answers[0] for one in found for two in found
    )
