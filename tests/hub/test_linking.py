"""A linker on the Hub: what of it is pushed, what never is, and that it links there as it did here."""

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

import numpy as np
import pytest

from tests.linked import CHEMICALS, CLOSED, ID, OPEN, add_linked_corpus
from tests.loopback_hub import LoopbackHub, loopback_hub
from tests.publishing import hub_environment, run_zoo
from tests.sharing import shared_folder
from zoo.hub.bundle import linker_files
from zoo.linking.index import Index
from zoo.linking.vectors import Vectors
from zoo.registry.loader import load_registry
from zoo.registry.schema import LicenseInfo

REPO = "openmed/tiny-bert-linked"


@pytest.fixture(scope="module")
def published(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LoopbackHub, Path, Any]]:
    """A Hub with a checkpoint that links to an open and to a closed ontology, its build, and what was told of it."""

    def make(folder: Path) -> None:
        shutil.copytree(tiny_registry, folder / "registry")
        add_linked_corpus(folder / "registry")
        args = ["--push", "--registry", folder / "registry", "--out", folder / "out", "--json"]
        with loopback_hub() as hub:
            told = run_zoo("build", ID, *args, cwd=folder, **hub_environment(hub, folder)).stdout
            (folder / "told.json").write_text(told)
            hub.save(folder / "hub")

    made = shared_folder(tmp_path_factory, "published-linker", make)
    with loopback_hub() as hub:
        hub.load(made / "hub")
        yield hub, made, json.loads((made / "told.json").read_text())


def test_a_linker_is_pushed_and_verified(published: tuple[LoopbackHub, Path, Any]) -> None:
    hub, folder, told = published
    files = hub.files(REPO)
    assert {"linker/linker.json", "linker/names.jsonl", f"linker/index/{OPEN}/index.json"} < set(files)
    config = json.loads(files["linker/adapter/adapter_config.json"])
    assert config["base_model_name_or_path"] == "openmed/tiny-bert-ner"
    assert [item["verified"] for item in told["published"] if item["subject"] == ID] == [True]
    verification = json.loads(files["verification.json"])
    assert verification["linking"]["status"] == "reproduced"
    linking = json.loads(files["result.json"])["linking"]
    assert verification["linking"]["accuracy"] == linking["gold"]["belb"]["accuracy_at_1"] > 0.9
    assert linking["end_to_end"]["f1"] > 0.9
    assert b"and linked with the same accuracy" in files["README.md"]
    assert set(linking["vocabularies"]) == {"Disease", "Chemical"}
    assert (folder / "out/checkpoints" / ID / "linker/vectors" / CLOSED).is_dir(), "here it is at hand"


def test_nothing_of_a_closed_vocabulary_is_in_the_repository(published: tuple[LoopbackHub, Path, Any]) -> None:
    """Neither its names, nor its list of ids, nor what an encoder makes of its names."""
    hub, folder, _ = published
    files = hub.files(REPO)
    artefacts = folder / "out" / "artefacts"
    (index,) = [
        path
        for path in (artefacts / "index").iterdir()
        if json.loads((path / "index/index.json").read_bytes())["ontology"] == CLOSED
    ]
    (linker,) = (artefacts / "linker").iterdir()
    vectors = Vectors.open(linker / "linker" / "vectors" / CLOSED)
    secret = [names[-1].encode() for names in CHEMICALS.values()]
    assert [text for _, text in Index.open(index / "index").all_names()][2::3] == [name.decode() for name in secret]
    secret += [np.ascontiguousarray(vectors.codes[0]).tobytes(), np.ascontiguousarray(vectors.scales).tobytes()]
    for path, content in files.items():
        assert f"/{CLOSED}/" not in path
        assert not any(part.lower() in content.lower() for part in secret), path
        assert sum(key.encode() in content for key in CHEMICALS) < len(CHEMICALS) or path == "linker/names.jsonl", path
    assert any(b"sugar disease" in content for content in files.values()), "the open one goes along"


def _verify(registry: Path, hub: LoopbackHub, folder: Path, check: int = 0) -> dict[str, Any]:
    env = {**hub_environment(hub, folder), "HF_HUB_OFFLINE": "0"}
    done = run_zoo("verify", REPO, "--registry", registry, "--json", cwd=folder, check=check, **env)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def test_without_the_vocabulary_the_rest_is_verified(published: tuple[LoopbackHub, Path, Any], tmp_path: Path) -> None:
    hub, folder, _ = published
    registry = tmp_path / "registry"
    shutil.copytree(folder / "registry", registry)
    (registry / "terms" / f"{CLOSED}.csv").unlink()
    found = _verify(registry, hub, tmp_path)
    assert found["passed"] and found["measured"] == found["expected"]
    assert found["linking"]["status"] == "not checked"
    assert f"for want of the vocabulary: the ontology {CLOSED} is not on this machine" in found["linking"]["why"]
    with (registry / "terms" / f"{CLOSED}.csv").open("w") as file:
        file.write("id,name\nT:C09,Caffeine\n")
    assert f"{CLOSED} is here in another version than 1" in _verify(registry, hub, tmp_path)["linking"]["why"]


def test_a_linker_that_links_otherwise_is_not_verified(
    published: tuple[LoopbackHub, Path, Any], tmp_path: Path
) -> None:
    """Its result says more than its files do: with a manifest that fits them, so that only linking again tells."""
    from zoo.hub.manifest import content_digest, file_record, read_manifest

    _, folder, _ = published
    with loopback_hub() as other:
        other.load(folder / "hub")
        files = other.files(REPO)
        linker = json.loads(files["linker/linker.json"])
        for ranking in linker["rankings"].values():
            ranking |= {"none": 1000.0, "threshold": 0.5}  # it would always abstain
        changed = json.dumps(linker).encode()
        manifest = read_manifest(files["manifest.json"], REPO)
        records = {**manifest.files, "linker/linker.json": file_record(changed)}
        manifest = manifest.model_copy(update={"files": records, "content": content_digest(records, manifest.base)})
        other.put(REPO, {"linker/linker.json": changed, "manifest.json": manifest.to_json().encode()})
        found = _verify(folder / "registry", other, tmp_path, check=1)
    assert found["linking"]["status"] == "differs"
    assert found["problems"] == [problem for problem in found["problems"] if problem.startswith("linking differs")]


def test_the_snippet_of_the_card_finds_concepts_without_the_toolkit(
    published: tuple[LoopbackHub, Path, Any], tmp_path: Path
) -> None:
    hub, _, _ = published
    card = hub.files(REPO)["README.md"].decode()
    (snippet,) = [text for text in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "sqlite3" in text]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "HF_", "TRANSFORMERS_", "PYTHONPATH"))}
    env = {**clean, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    code = snippet + "\nimport sys\nassert 'zoo' not in sys.modules\n"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 5 and all(line.startswith("T:D0") for line in lines)
    mention = json.loads(re.findall(r"tokenizer\((\".*?\"),", snippet)[0])
    assert mention.lower() in lines[0].lower() and float(lines[0].split()[-1]) > 0.99


def test_a_published_linker_is_found_by_the_id_of_its_model(
    published: tuple[LoopbackHub, Path, Any], tmp_path: Path
) -> None:
    hub, _, _ = published
    code = (
        "from zoo.linking.beside import find_indexes, find_linker\n"
        "from zoo.linking.linker import read_linker\n"
        f"linker = find_linker('{REPO}')\n"
        "print(sorted(read_linker(linker).ontologies.values()), sorted(find_indexes(linker, None)))\n"
        "print(find_linker('openmed/tiny-bert-ner'))\n"
    )
    env = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{sorted([OPEN, CLOSED])} ['{OPEN}']", "None"]


@pytest.mark.parametrize("name", ["umls", "medic", "nobody-knows-it"])
def test_a_vocabulary_that_is_never_published_stays_whatever_its_entry_says(tmp_path: Path, name: str) -> None:
    """Also where somebody's own entry calls it free; what it is linked with is files of the folder like any other."""
    registry = load_registry()
    free = LicenseInfo(spdx="CC0-1.0", source="somebody says so", publishable=True)
    ontologies = {key: entry.model_copy(update={"license": free}) for key, entry in registry.ontologies.items()}
    registry = replace(registry, ontologies=ontologies)
    for place in (f"index/{name}", f"vectors/{name}", "index/doid", "vectors/doid"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "content.npy").write_bytes(b"content")
    for file in ("linker.json", "names.jsonl", "trained_vectors.npy"):
        (tmp_path / file).write_bytes(b"{}")
    corpus = registry.corpus("ncbi-disease-abstracts")
    files = linker_files(tmp_path, "openmed/base", corpus, registry)
    own = {"linker/linker.json", "linker/names.jsonl", "linker/trained_vectors.npy"}
    assert set(files) == own | {"linker/index/doid/content.npy", "linker/vectors/doid/content.npy"}
    closed = corpus.model_copy(update={"license": free.model_copy(update={"publishable": False})})
    files = linker_files(tmp_path, "openmed/base", closed, registry)
    assert files["linker/names.jsonl"] == b"" and "linker/trained_vectors.npy" not in files


def test_tagging_by_the_id_of_a_model_takes_the_published_index(
    published: tuple[LoopbackHub, Path, Any], tmp_path: Path
) -> None:
    hub, folder, _ = published
    registry = tmp_path / "registry"
    shutil.copytree(folder / "registry", registry)
    (registry / "terms" / f"{OPEN}.csv").unlink()
    links = ["--link", f"Disease={OPEN}", "--link", f"Chemical={CLOSED}"]
    env = {**hub_environment(hub, tmp_path), "ZOO_CACHE": str(tmp_path / "cache")}
    text = "Patients with asthma took aspirin daily ."
    done = run_zoo("tag", "--model", REPO, *links, "--registry", registry, "--json", text, cwd=tmp_path, **env)
    assert [entity["concept_ids"] for entity in json.loads(done.stdout)] == [["T:D01"], ["T:C01"]]
    assert "linking with the trained linker" in done.stderr and "names alone" not in done.stderr
    assert done.stderr.count("encoding the") == 1 and f"names of {CLOSED}, once" in done.stderr
    done = run_zoo("tag", "--model", REPO, *links[:2], "--registry", registry, "--json", text, cwd=tmp_path, **env)
    assert [entity.get("concept_ids") for entity in json.loads(done.stdout)] == [["T:D01"], None]
    assert "linking with the trained linker" in done.stderr and "encoding" not in done.stderr
