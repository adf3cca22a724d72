"""Exported models: merged ones load without PEFT, ONNX ones run in onnxruntime, both compute what the adapter does."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import records
from zoo.cards.check import check_card
from zoo.errors import ZooError
from zoo.export.check import Agreement, compare, sample_texts
from zoo.export.formats import FORMATS
from zoo.export.merged import ExportRecord, check_destination, export_merged
from zoo.export.onnx import export_int8, export_onnx, onnx_tagger
from zoo.export.source import MergedModel, find_source, open_model
from zoo.hub.privacy import check_private_text
from zoo.registry.loader import Registry, load_registry

FAMILIES = ("bert", "electra", "deberta-v2", "modernbert")
LABELS = ["O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical"]
BASE, ADAPTER = "openmed/tiny-{}-ner", "openmed/tiny-{}-tiny"
WITHOUT_PEFT = """
import json, sys

sys.modules["peft"] = None  # importing it raises
from transformers import pipeline

folders, texts = json.loads(sys.argv[1]), json.loads(sys.argv[2])
found = []
for folder, strategy in folders:
    ner = pipeline("token-classification", folder, aggregation_strategy=strategy, stride=8)
    found.append([[[int(e["start"]), int(e["end"]), e["entity_group"]] for e in one] for one in ner(texts)])
assert "zoo" not in sys.modules
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def registry(tiny_registry: Path) -> Registry:
    return load_registry(tiny_registry)


@pytest.fixture(scope="module")
def out(registry: Registry, tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder as a build leaves it: base and adapter of every family, of random weights that find much."""
    import torch

    from zoo.cards.render import render_card
    from zoo.files import file_sha256
    from zoo.modeling.backbones import build_base, locate_backbone
    from zoo.modeling.classifier import classifier
    from zoo.modeling.heads import heads_of
    from zoo.modeling.labels import LabelSpace
    from zoo.modeling.lora import attach_lora, save_adapter

    out = tmp_path_factory.mktemp("built")
    labels, types = LabelSpace.from_entry(registry.labels), ("Disease", "Chemical")
    for name in FAMILIES:
        checkpoint = registry.checkpoint(f"tiny-{name}/tiny")
        backbone, family = checkpoint.backbone, registry.families[name]
        base, folder = out / "bases" / backbone.id, out / "checkpoints" / backbone.id / "tiny"
        build_base(locate_backbone(backbone, tiny_registry), family, labels, 32, base, 0)
        model = attach_lora(base, family, checkpoint.recipe.lora, labels, heads_of("flat", types), 0)
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                if "lora_B" in parameter_name:
                    parameter.normal_(0, 0.1)
            head = classifier(model.get_base_model())
            head.weight[labels.own_ids(types)] = torch.randn(5, head.in_features) * 0.3
        save_adapter(model, folder / "adapter", str(base))
        fingerprints = {**records.FINGERPRINTS, "adapter": file_sha256(folder / "adapter/adapter_model.safetensors")}
        result = records.result(
            checkpoint_id=checkpoint.id,
            backbone=backbone.id,
            corpus="tiny",
            repo_id=ADAPTER.format(name),
            base_repo_id=BASE.format(name),
            fingerprints=fingerprints,
        )
        result.save(folder)
        (folder / "README.md").write_text(render_card(result, checkpoint, registry))
    return out


@pytest.fixture(scope="module")
def opened(out: Path, registry: Registry) -> Callable[[str], MergedModel]:
    models: dict[str, MergedModel] = {}

    def get(family: str) -> MergedModel:
        if family not in models:
            models[family] = open_model(find_source(f"tiny-{family}/tiny", out, registry))
        return models[family]

    return get


@pytest.fixture(scope="module")
def merged(opened: Callable[[str], MergedModel], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("merged")
    for family in FAMILIES:
        export_merged(opened(family), folder / family)
    return {family: folder / family for family in FAMILIES}


def record_of(folder: Path) -> ExportRecord:
    return ExportRecord.model_validate_json((folder / "export.json").read_bytes())


class TestMerged:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_is_whole_small_and_equal(
        self, family: str, merged: dict[str, Path], out: Path, opened: Callable[[str], MergedModel]
    ) -> None:
        folder, checkpoint = merged[family], out / "checkpoints" / f"tiny-{family}" / "tiny"
        config = json.loads((folder / "config.json").read_text())
        assert [config["id2label"][str(k)] for k in range(5)] == LABELS and len(config["id2label"]) == 5
        assert config["label2id"] == {name: k for k, name in enumerate(LABELS)}
        assert not (folder / "adapter_config.json").exists()
        assert len({path.stat().st_mode for path in folder.iterdir()}) == 1
        assert (folder / "result.json").read_bytes() == (checkpoint / "result.json").read_bytes()
        (file,) = record_of(folder).files
        assert file.agreement.max_logit_difference <= 1e-5
        assert file.agreement.entities == file.agreement.other_entities == file.agreement.equal_entities > 100
        assert opened(family).own == (0, *(opened(family).original.labels.index(name) for name in LABELS[1:]))
        texts = {path.name: path for path in folder.iterdir() if path.suffix != ".safetensors"}
        check_private_text("exported", texts, [out, *merged.values()])

    def test_loads_in_a_pipeline_without_peft(
        self, merged: dict[str, Path], opened: Callable[[str], MergedModel]
    ) -> None:
        texts = sample_texts()[:8]
        asked = [[str(merged[name]), record_of(merged[name]).decoding.aggregation_strategy] for name in FAMILIES]
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_PEFT, json.dumps(asked), json.dumps(texts)],
            env={k: v for k, v in os.environ.items() if not k.startswith("ZOO_")} | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        for family, found in zip(FAMILIES, json.loads(done.stdout.splitlines()[-1]), strict=True):
            ours = opened(family).original.tag(texts)
            trimmed = [
                [
                    (end - len(text[start:end].lstrip()), start + len(text[start:end].rstrip()), name)
                    for start, end, name in one
                    if text[start:end].strip()
                ]
                for text, one in zip(texts, found, strict=True)
            ]
            assert trimmed == [[entity.key for entity in one] for one in ours], family
            assert sum(map(len, ours)) > 20

    def test_card_says_that_it_is_merged(self, merged: dict[str, Path], out: Path) -> None:
        text = (merged["bert"] / "README.md").read_text()
        metadata = check_card(text)
        assert (metadata.library_name, metadata.base_model_relation) == ("transformers", "merge")
        assert metadata.base_model == "openmed/tiny-bert-ner" and "lora" not in metadata.tags
        original = (out / "checkpoints/tiny-bert/tiny/README.md").read_text()
        assert metadata.model_index == check_card(original).model_index != ()
        body = text.split("\n---\n")[1]
        assert body.strip().splitlines()[2].startswith("> **Merged.** The LoRA adapter [openmed/tiny-bert-tiny]")
        assert original.split("\n---\n")[1].strip().splitlines()[2:] == body.strip().splitlines()[4:]

    @pytest.mark.parametrize("of_result", [True, False])
    def test_no_card_where_the_licence_forbids_it(
        self, of_result: bool, out: Path, tiny_registry: Path, registry: Registry, tmp_path: Path
    ) -> None:
        folder = tmp_path / "checkpoints" / "tiny-bert" / "tiny"
        shutil.copytree(out / "checkpoints" / "tiny-bert" / "tiny", folder)
        if of_result:
            record = json.loads((folder / "result.json").read_text())
            (folder / "result.json").write_text(json.dumps({**record, "publishable": False}))
        else:  # the registry says so now
            shutil.copytree(tiny_registry, tmp_path / "registry")
            entry = tmp_path / "registry" / "corpora" / "tiny.yaml"
            entry.write_text(entry.read_text().replace("CC0-1.0", "CC-BY-NC-4.0"))
            registry = load_registry(tmp_path / "registry")
        source = find_source("tiny-bert/tiny", tmp_path, registry)
        assert source.card is None
        assert ("result.json says" if of_result else "non-commercial") in source.no_card
        export_merged(open_model(source), tmp_path / "merged")
        assert (tmp_path / "merged" / "result.json").is_file() and not (tmp_path / "merged" / "README.md").exists()

    def test_a_merged_model_can_be_exported_again(
        self, merged: dict[str, Path], registry: Registry, tmp_path: Path
    ) -> None:
        again = open_model(find_source(str(merged["bert"]), tmp_path, registry))
        assert again.own == (0, 1, 2, 3, 4) and again.merged.labels == LABELS
        (file,) = export_merged(again, tmp_path / "again").files
        assert file.agreement.max_logit_difference == 0.0
        assert file.sha256 == record_of(merged["bert"]).files[0].sha256

    def test_another_computation_is_refused_and_leaves_nothing(
        self, out: Path, registry: Registry, tmp_path: Path
    ) -> None:
        import torch

        model = open_model(find_source("tiny-bert/tiny", out, registry))
        with torch.no_grad():
            model.merged.model.classifier.bias[1] += 2e-4
        for write in (export_merged, export_onnx):
            with pytest.raises(ZooError, match=r"differs from the original by 0\.0002\d* in its logits"):
                write(model, tmp_path / "exported")
        with torch.no_grad():
            model.merged.model.classifier.bias[1] = float("nan")
        with pytest.raises(ZooError, match="differs from the original by nan"):
            export_merged(model, tmp_path / "exported")
        assert list(tmp_path.iterdir()) == []


class TestOnnx:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_float32_computes_the_same_at_any_size(
        self, family: str, opened: Callable[[str], MergedModel], tmp_path: Path
    ) -> None:
        import numpy as np
        import onnxruntime
        import torch
        from transformers import AutoConfig, AutoTokenizer

        folder = tmp_path / "onnx"
        folder.mkdir()  # an empty folder is as good as none
        (file,) = export_onnx(opened(family), folder).files
        assert (file.name, file.precision) == ("model.onnx", "float32")
        assert file.agreement.max_logit_difference <= 1e-4 and file.entity_share == 1.0

        # as someone without zoo would
        tokenizer, config = AutoTokenizer.from_pretrained(folder), AutoConfig.from_pretrained(folder)
        assert [config.id2label[k] for k in range(5)] == LABELS
        session = onnxruntime.InferenceSession(folder / "model.onnx")
        assert [(item.name, item.shape) for item in session.get_inputs()] == [
            (name, ["batch", "length"]) for name in ("input_ids", "attention_mask")
        ]
        original = opened(family).original
        for texts in (["asthma"], sample_texts()[3:10], [sample_texts()[0]]):
            batch = tokenizer(texts, padding=True, truncation=True, max_length=32, return_tensors="np")
            feed = {name: batch[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
            (logits,) = session.run(["logits"], feed)
            with torch.inference_mode():
                expected = original.model(**{name: torch.from_numpy(value) for name, value in feed.items()}).logits
            difference = np.abs(logits - expected.numpy()[..., opened(family).own])[feed["attention_mask"] == 1]
            assert logits.shape == (*batch["input_ids"].shape, 5) and difference.max() <= 1e-4

    @pytest.mark.parametrize("family", ["bert", "deberta-v2"])
    def test_int8_is_smaller_and_its_share_is_measured(
        self, family: str, opened: Callable[[str], MergedModel], tmp_path: Path
    ) -> None:
        model = opened(family)
        export_int8(model, tmp_path / "onnx")
        float32, int8 = record_of(tmp_path / "onnx").files
        assert (int8.name, int8.precision) == ("model_quantized.onnx", "int8")
        path = tmp_path / "onnx" / "model_quantized.onnx"
        assert path.stat().st_size == int8.size_bytes < float32.size_bytes
        assert 0 < int8.agreement.max_logit_difference < 2
        texts = sample_texts()
        again = compare(model.original, onnx_tagger(model.merged, path), texts, model.own, batch_tokens=1)
        assert again == int8.agreement
        ours, theirs = (
            {(k, *entity.key) for k, found in enumerate(tagger.tag(texts, batch_tokens=1)) for entity in found}
            for tagger in (model.original, onnx_tagger(model.merged, path))
        )
        # int8 scales with what else is in the batch, so that an entity or two may differ from call to call.
        assert int8.entity_share == pytest.approx(len(ours & theirs) / len(ours | theirs), abs=0.01)
        assert int8.entity_share > 0.5

    def test_without_onnxruntime(
        self, opened: Callable[[str], MergedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import importlib.util

        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
        with pytest.raises(ZooError, match="onnxruntime is not installed") as caught:
            FORMATS["onnx"].write(opened("bert"), tmp_path / "onnx")
        assert caught.value.fix == "pip install 'biomedical-ner-zoo[onnx]'" and not (tmp_path / "onnx").exists()

    def test_an_operation_without_a_counterpart(
        self, opened: Callable[[str], MergedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import torch

        def forward(*args: Any, **kwargs: Any) -> Any:
            ids = kwargs["input_ids"].float()
            return SimpleNamespace(logits=torch.linalg.eigvals(ids @ ids.T).real)

        monkeypatch.setattr(opened("bert").merged.model, "forward", forward)
        with pytest.raises(ZooError, match="BertForTokenClassification cannot be exported to ONNX"):
            export_onnx(opened("bert"), tmp_path / "onnx")
        assert list(tmp_path.iterdir()) == []


class TestRefusals:
    def test_destinations(self, opened: Callable[[str], MergedModel], tmp_path: Path) -> None:
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine.txt").write_text("mine")
        (tmp_path / "file").write_text("mine")
        for name, message in (("full", "the folder is not empty"), ("file", "there is a file of this name")):
            with pytest.raises(ZooError, match=message):
                check_destination(tmp_path / name)
            with pytest.raises(ZooError, match=message):
                export_merged(opened("bert"), tmp_path / name)
        with pytest.raises(ZooError, match="cannot write the model"):
            export_merged(opened("bert"), tmp_path / "file" / "below")
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "mine.txt"]

    def test_what_is_not_there(self, out: Path, registry: Registry, tmp_path: Path) -> None:
        with pytest.raises(ZooError, match="the checkpoint tiny-bert/tiny is not built") as caught:
            find_source("tiny-bert/tiny", tmp_path, registry)
        assert "zoo build tiny-bert/tiny" in str(caught.value.fix)
        with pytest.raises(ZooError, match="there is no model folder"):
            find_source(str(tmp_path / "nothing"), out, registry)

    def test_a_base_predicts_nothing(self, out: Path, registry: Registry) -> None:
        with pytest.raises(ZooError, match="it is a base"):
            open_model(find_source(str(out / "bases" / "tiny-bert"), out, registry))

    def test_an_adapter_that_its_result_does_not_tell_of(self, out: Path, registry: Registry, tmp_path: Path) -> None:
        folder = tmp_path / "checkpoint"
        shutil.copytree(out / "checkpoints" / "tiny-bert" / "tiny", folder)
        record = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps({**record, "entity_types": ["Disease", "Gene"]}))
        with pytest.raises(ZooError, match=r"the head predicts Chemical, Disease, but result\.json says Disease, Gene"):
            open_model(find_source(str(folder), tmp_path, registry))
        (folder / "result.json").write_text(
            json.dumps({**record, "fingerprints": {**record["fingerprints"], "adapter": "0" * 64}})
        )
        with pytest.raises(ZooError, match="not the one that was measured"):
            open_model(find_source(str(folder / "adapter"), tmp_path, registry))

    def test_options(self, tmp_path: Path) -> None:
        from zoo.cli.export import export

        for options, message in (
            ({}, "nothing to write"),
            ({"merged": tmp_path, "int8": True}, "--int8 belongs to --onnx"),
            ({"merged": tmp_path / "a", "onnx": tmp_path / "a"}, "folders apart"),
            ({"merged": tmp_path / "a" / "b", "onnx": tmp_path / "a"}, "folders apart"),
        ):
            with pytest.raises(ZooError, match=message):
                export(["tiny-bert/tiny"], **options)


def test_share_of_nothing() -> None:
    numbers = {"texts": 1, "tokens": 3, "max_logit_difference": 0.0}
    assert Agreement(**numbers, entities=0, other_entities=0, equal_entities=0).share is None
    assert Agreement(**numbers, entities=3, other_entities=2, equal_entities=1).share == 0.25


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written_by_what_is_registered(name: str) -> None:
    FORMATS[name].check_libraries()
    module, _, function = FORMATS[name].writer.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_command_takes_a_hub_id(
    zoo_process: Callable[..., subprocess.CompletedProcess[str]], out: Path, tiny_registry: Path, tmp_path: Path
) -> None:
    """Adapter and base as the Hub's client keeps them after a download; the network stays off."""
    folder = out / "checkpoints" / "tiny-bert" / "tiny"
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    for repo_id, sources in ((BASE, [out / "bases" / "tiny-bert"]), (ADAPTER, [folder, folder / "adapter"])):
        cached = tmp_path / "cache" / f"models--{repo_id.format('bert').replace('/', '--')}"
        (cached / "refs").mkdir(parents=True)
        (cached / "refs" / "main").write_text("0" * 40)
        for source in sources:
            ignored = shutil.ignore_patterns("adapter")
            shutil.copytree(source, cached / "snapshots" / ("0" * 40), ignore=ignored, dirs_exist_ok=True)
    config["base_model_name_or_path"] = BASE.format("bert")
    (cached / "snapshots" / ("0" * 40) / "adapter_config.json").write_text(json.dumps(config))

    arguments = ("--merged", "merged", "--onnx", "onnx", "--int8", "--json", "--registry", tiny_registry)
    done = zoo_process("export", "openmed/tiny-bert-tiny", *arguments, HF_HUB_CACHE=str(tmp_path / "cache"))
    merged, onnx = json.loads(done.stdout)
    assert [merged["folder"], onnx["folder"]] == ["merged", "onnx"]
    assert merged["source"] == onnx["source"] == "openmed/tiny-bert-tiny" and merged["labels"] == LABELS
    assert [file["precision"] for file in onnx["files"]] == ["float32", "int8"]
    assert (tmp_path / "merged" / "README.md").is_file()
    assert not [line for line in done.stderr.splitlines() if "Warning" in line or "WARNING" in line]
    again = zoo_process(
        "export", "openmed/tiny-bert-tiny", "--onnx", "onnx", check=2, HF_HUB_CACHE=str(tmp_path / "cache")
    )
    assert again.stderr.startswith("error: the folder is not empty") and "Traceback" not in again.stderr
