"""Several heads exported: each a whole model, and together they find what the original finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.adapters import save_heads
from tests.tiny import save_tiny_backbone
from zoo.errors import ZooError
from zoo.export import source as opening
from zoo.export.check import sample_texts
from zoo.export.formats import FORMATS, write_all
from zoo.export.onnx import onnx_tagger
from zoo.export.source import ExportSource
from zoo.modeling.backbones import BackboneFiles, build_base
from zoo.modeling.heads import heads_of
from zoo.modeling.labels import LabelSpace
from zoo.modeling.windows import join_heads
from zoo.registry.loader import load_registry
from zoo.tagging.tagger import Tagger

TYPES = ("Disease", "Chemical")
HEADS = heads_of("types", TYPES)
PLACES = [".", "heads/Chemical"]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, registry = tmp_path_factory.mktemp("heads"), load_registry()
    save_tiny_backbone("bert", folder / "model")
    labels = LabelSpace.from_entry(registry.labels)
    files = BackboneFiles(folder / "model", "here")
    build_base(files, registry.families["bert"], labels, 32, folder / "base", 0)
    return save_heads(folder / "adapter", folder / "base", "bert", labels, HEADS)


def test_each_head_is_a_whole_model_and_together_they_are_the_original(adapter: Path, tmp_path: Path) -> None:
    merged, onnx = tmp_path / "merged", tmp_path / "onnx"
    wanted = [(FORMATS["merged"], merged), (FORMATS["onnx"], onnx)]
    done = write_all(ExportSource(str(adapter), None, None, ""), wanted, lambda text: None)
    assert [folder for folder, _ in done] == [folder / place for place in PLACES for folder in (merged, onnx)]
    assert all(file.agreement.max_logit_difference <= 1e-4 for _, record in done for file in record.files)
    for folder in (merged, onnx):
        described = json.loads((folder / "heads.json").read_text())["heads"]
        assert [head["folder"] for head in described] == PLACES
        own = [json.loads((folder / place / "config.json").read_text())["id2label"].values() for place in PLACES]
        assert list(own[0]) == ["O", "B-Disease", "I-Disease"] and len(own[1]) == 3

    texts = sample_texts()[:12]
    original = Tagger.load(adapter).tag(texts)
    assert sum(map(len, original)) > 50
    loaded = [Tagger.load(merged / place) for place in PLACES]
    run = [onnx_tagger(tagger, onnx / place / "model.onnx") for tagger, place in zip(loaded, PLACES, strict=True)]
    for heads in (loaded, run):
        per_head = [tagger.tag(texts) for tagger in heads]
        together = [join_heads(list(found)) for found in zip(*per_head, strict=True)]
        assert [[e.key for e in found] for found in together] == [[e.key for e in found] for found in original]


def test_of_a_head_that_cannot_be_written_nothing_is(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge, merged = opening._merge, []

    def refuse_the_second(*args: object) -> object:
        merged.append(args)
        if len(merged) > 1:
            raise ZooError("no")
        return merge(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "_merge", refuse_the_second)
    wanted = [(FORMATS["merged"], tmp_path / "merged"), (FORMATS["onnx"], tmp_path / "onnx")]
    with pytest.raises(ZooError, match="no"):
        write_all(ExportSource(str(adapter), None, None, ""), wanted, lambda text: None)
    assert list(tmp_path.iterdir()) == []
