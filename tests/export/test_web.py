"""What `zoo export --web` writes: the graph with adapters as its inputs, licences, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests import records
from tests.adapters import save_adapter, save_base, save_heads
from tests.conftest import ROOT
from tests.export.conftest import stub_package
from tests.in_process import Zoo
from tests.tiny import save_tiny_backbone
from zoo.errors import ZooError
from zoo.export import web
from zoo.export.check import sample_texts
from zoo.export.graph import graph_tagger, open_graph
from zoo.export.runtime import find_runtime
from zoo.export.source import ExportSource
from zoo.export.web import GRAPH_FILE, WebRecord, export_web
from zoo.modeling.backbones import BackboneFiles, build_base
from zoo.modeling.heads import heads_of
from zoo.modeling.labels import LabelSpace
from zoo.registry.loader import Registry, load_registry
from zoo.tagging.tagger import Tagger


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def source(adapter: Path) -> ExportSource:
    return ExportSource(str(adapter), None, None, "")


def write(adapters: list[Path], registry: Registry, folder: Path) -> WebRecord:
    return export_web(
        [source(path) for path in adapters], registry, stub_package(folder.parent), folder, lambda _: None
    )


def test_one_graph_computes_what_each_adapter_does(adapters: list[Path], stub_page: Path) -> None:
    record = WebRecord.from_file(stub_page / "export.json", what="not a page")
    assert [model.name for model in record.models] == ["first", "second"]
    texts = sample_texts()[:10]
    for adapter, model in zip(adapters, record.models, strict=True):
        (agreement,) = model.agreement
        assert agreement.entities > 300 and agreement.share and agreement.share > 0.9
        assert 0 < agreement.max_logit_difference < 1
        original = Tagger.load(adapter)
        run = open_graph(stub_page / GRAPH_FILE, stub_page / model.file)
        alone = graph_tagger(original, run, model.heads)
        assert alone.tag(texts) == alone.tag(texts, batch_tokens=1)  # nothing hangs on what else is in a batch
        ours, theirs = ({e.key for found in tagger.tag(texts) for e in found} for tagger in (alone, original))
        assert len(ours & theirs) > 0.9 * len(ours | theirs) > 50
    names = {path.name for path in stub_page.iterdir()}
    assert {"index.html", "README.md", "page.js", "base.onnx", "tokenizer.json"} <= names
    assert str(adapters[0].parent) not in (stub_page / "export.json").read_text()


def test_weights_are_stored_in_one_byte(stub_page: Path, adapters: list[Path]) -> None:
    weights = (adapters[0].parent / "base" / "model.safetensors").stat().st_size
    assert (stub_page / GRAPH_FILE).stat().st_size < 0.7 * weights  # of so small a model, nodes are much


def test_several_heads_of_one_adapter(registry: Registry, tmp_path: Path) -> None:
    save_tiny_backbone("bert", tmp_path / "model")
    labels = LabelSpace.from_entry(registry.labels)
    files = BackboneFiles(tmp_path / "model", "here")
    build_base(files, registry.families["bert"], labels, 32, tmp_path / "base", 0)
    heads = heads_of("types", ("Disease", "Chemical"))
    adapter = save_heads(tmp_path / "adapter", tmp_path / "base", "bert", labels, heads)
    (model,) = write([adapter], registry, tmp_path / "page").models
    assert [head.labels for head in model.heads] == [["O", f"B-{t}", f"I-{t}"] for t in ("Disease", "Chemical")]
    run, original = open_graph(tmp_path / "page" / GRAPH_FILE, tmp_path / "page" / model.file), Tagger.load(adapter)
    found = [graph_tagger(original, run, model.heads).tag(sample_texts()[:12]), original.tag(sample_texts()[:12])]
    ours, theirs = ({(k, *e.key) for k, each in enumerate(side) for e in each} for side in found)
    assert len(ours & theirs) > 0.9 * len(ours | theirs) > 50


@pytest.mark.parametrize("license", ["Apache-2.0", "CC-BY-NC-4.0"])
def test_licences_of_base_and_adapters(license: str, adapters: list[Path], registry: Registry, tmp_path: Path) -> None:
    checkpoint = registry.checkpoint("minilm-l6/ncbi-disease")
    corpus = registry.corpora["ncbi-disease"]
    stated = corpus.license.model_copy(update={"spdx": license})
    corpora = {**registry.corpora, "ncbi-disease": corpus.model_copy(update={"license": stated})}
    changed = replace(registry, corpora=corpora)
    result = records.result(
        checkpoint_id=checkpoint.id, backbone="minilm-l6", corpus="ncbi-disease", repo_id="openmed/minilm-l6-ncbi"
    )
    result.save(tmp_path)
    part = web._part(ExportSource(str(adapters[0]), tmp_path / "result.json", None, ""), changed, name="it")
    assert bool(part["obstacle"]) == (license == "CC-BY-NC-4.0")
    assert any("ncbi" in note.lower() for note in part["notes"])


class TestRefusals:
    def test_adapters_of_different_bases(self, adapters: list[Path], registry: Registry, tmp_path: Path) -> None:
        other = save_adapter(tmp_path / "other", save_base(tmp_path / "base", seed=5), seed=3)
        with pytest.raises(ZooError, match="the models stand on different bases"):
            write([adapters[0], other], registry, tmp_path / "page")
        with pytest.raises(ZooError, match="two of the models are called first"):
            write([adapters[0], adapters[0]], registry, tmp_path / "page")
        assert not (tmp_path / "page").exists()

    def test_a_tokenizer_of_another_kind(self, registry: Registry, tmp_path: Path) -> None:
        adapter = save_adapter(tmp_path / "adapter", save_base(tmp_path / "base", family="modernbert"), seed=3)
        with pytest.raises(ZooError, match="tokenizers of BERT's kind only"):
            write([adapter], registry, tmp_path / "page")

    def test_an_adapter_of_another_kind(self, adapters: list[Path], registry: Registry, tmp_path: Path) -> None:
        shutil.copytree(adapters[0], tmp_path / "scaled")
        config = json.loads((tmp_path / "scaled" / "adapter_config.json").read_text())
        (tmp_path / "scaled" / "adapter_config.json").write_text(json.dumps({**config, "lora_bias": True}))
        with pytest.raises(ZooError, match="plain LoRA on linear layers only"):
            write([tmp_path / "scaled"], registry, tmp_path / "page")

    def test_what_computes_something_else(
        self, adapters: list[Path], registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pack = web.AdapterGraph.pack
        monkeypatch.setattr(web.AdapterGraph, "pack", lambda self, addition: pack(self, addition) * 1.01)
        with pytest.raises(ZooError, match=r"the page's form of .* differs from the original"):
            write([adapters[0]], registry, tmp_path / "page")
        assert not (tmp_path / "page").exists()

    def test_the_runtime(self, tmp_path: Path) -> None:
        from zoo.corpora.retry import FetchOptions

        options = FetchOptions(offline=True)
        with pytest.raises(ZooError, match="is not in the cache, and this is offline") as caught:
            find_runtime(None, tmp_path, options)
        assert "--runtime FILE" in str(caught.value.fix)
        with pytest.raises(ZooError, match="not the package of onnxruntime-web"):
            find_runtime(stub_package(tmp_path), tmp_path, options)
        with pytest.raises(ZooError, match="cannot read the runtime"):
            find_runtime(tmp_path / "nothing.tgz", tmp_path, options)


def test_the_documented_command(
    zoo: Zoo, adapters: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the stub in the place of the runtime, which is fetched."""
    monkeypatch.setattr("zoo.export.runtime.find_runtime", lambda *_: stub_package(tmp_path))
    page = (ROOT / "docs" / "browser.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"```sh\nzoo (.*)\n```", page)
    for name, adapter in zip(("sample-disease", "sample-chemical"), adapters, strict=True):
        shutil.copytree(adapter, tmp_path / "builds" / "checkpoints" / "minilm-l6" / name / "adapter")
    done = zoo(*command.split())
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["model", "sample-disease", "sample-chemical"]
    assert sum(line.startswith("do not pass the page on: ") for line in lines) == 3
    assert "python -m http.server --directory page " in lines[-1] and "python -m http.server --directory page/" in page
    assert (tmp_path / "page" / "adapters" / "1.bin").is_file()


def test_refused_commands(
    zoo_process: Callable[..., subprocess.CompletedProcess[str]], adapters: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for arguments, message in (
        (["--web", "page", "--merged", "merged"], "--web goes alone"),
        (["--merged", "merged"], "take one model"),
        (["--onnx", "page", "--runtime", "file"], "--runtime belongs to --web"),
        (["--web", "full"], "the folder is not empty"),
        (["--web", "page", "--runtime", "nothing.tgz"], "cannot read the runtime"),
    ):
        done = zoo_process("export", *adapters, *arguments, check=2)
        assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "page").exists()
