"""Which pairs compare, what they are scored on, and what the matrix shows."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.adapters import save_adapter, save_base
from tests.evaluation.stubs import ListTagger, save_list_model
from zoo.corpora.document import Document, Span
from zoo.corpora.load import Corpus
from zoo.errors import ZooError
from zoo.evaluation.cross import Matrix, Model, cross, describe_model, heat_map, predictable_types, score_pair
from zoo.modeling.adapters import write_heads
from zoo.registry.schema import CorpusEntry
from zoo.tagging.models import Base, Member

TEXT = "asthma and aspirin and migraine"
GOLD = (Span(0, 6, "Disease"), Span(11, 18, "Chemical"), Span(23, 31, "Disease"))


def corpus(name: str = "mixed", types: tuple[str, ...] = ("Disease", "Chemical")) -> Corpus:
    entry = CorpusEntry.model_validate(
        {
            "id": name,
            "title": name,
            "description": "written here",
            "format": "jsonl",
            "unit": "document",
            "types": {t: t for t in types},
            "license": {"spdx": "CC0-1.0", "source": "made in the tests", "publishable": True},
        }
    )
    documents = (Document("a", TEXT, tuple(span for span in GOLD if span.type in types)), Document("b", "nothing", ()))
    return Corpus(entry, {"test": documents}, "tests", {})


def pair(words: dict[str, str], data: Corpus, **options: Any) -> Any:
    known = tuple(dict.fromkeys(words.values()))
    return score_pair(Model("m", "m"), known, ListTagger(words), data, samples=50, **options)  # type: ignore[arg-type]


def test_a_model_that_knows_all_types_is_comparable_and_its_other_types_are_dropped() -> None:
    cell = pair({"asthma": "Disease", "aspirin": "Chemical", "migraine": "Gene"}, corpus())
    assert (cell.status, cell.types, cell.note) == ("comparable", ("Disease", "Chemical"), "")
    assert (cell.score.gold_mentions, cell.score.predicted_mentions) == (3, 2)
    assert cell.score.micro_f1 == pytest.approx(4 / 5)


def test_a_model_that_knows_some_types_is_scored_on_these_and_says_so() -> None:
    cell = pair({"asthma": "Disease", "aspirin": "Disease"}, corpus())
    assert (cell.status, cell.types) == ("reduced", ("Disease",))
    assert cell.note == "over Disease alone: the model does not know Chemical"
    assert (cell.score.gold_mentions, cell.score.predicted_mentions) == (2, 2)
    assert cell.score.micro_f1 == pytest.approx(0.5)


def test_a_model_that_shares_no_type_is_not_scored() -> None:
    tagger = ListTagger({"asthma": "Gene"})
    cell = score_pair(Model("m", "m"), ("Gene",), tagger, corpus())  # type: ignore[arg-type]
    assert (cell.status, cell.score, tagger.tagged) == ("not comparable", None, [])
    assert cell.note == "not comparable: the corpus annotates Disease, Chemical, the model finds Gene"


def test_renamed_types_can_make_a_pair_comparable() -> None:
    words = {"asthma": "Illness", "migraine": "Illness"}
    cell = pair(words, corpus(types=("Disease",)), mapping={"Illness": "Disease"})
    assert (cell.status, cell.score.micro_f1) == ("comparable", 1.0)


def test_a_type_keeps_its_name_where_the_corpus_annotates_it() -> None:
    """One `--map` for a matrix of corpora that call the same thing Gene and Protein."""
    words = {"asthma": "Disease", "migraine": "Disease"}
    illness = corpus("illness", ("Disease",))
    assert pair(words, illness, mapping={"Disease": "Chemical"}).score.micro_f1 == 1.0
    other = pair(words, corpus("drugs", ("Chemical",)), mapping={"Disease": "Chemical"})
    assert (other.status, other.score.predicted_mentions) == ("comparable", 2)


def test_mentions_of_a_model_without_types_are_named_by_their_labels() -> None:
    cell = pair({"asthma": "entity", "migraine": "entity"}, corpus(types=("Disease",)), mapping={"B": "Disease"})
    assert (cell.status, cell.score.micro_f1) == ("comparable", 1.0)


def test_languages_stand_beside_names_where_there_are_several(tmp_path: Path) -> None:
    cell = SimpleNamespace(status="not comparable", score=None, note="", in_domain=False)
    cells: Any = {("m", "a"): cell, ("m", "b"): cell, ("org/x", "a"): cell, ("org/x", "b"): cell}
    spoken = {"a": ("en",), "b": ("es",)}
    matrix = Matrix(("m", "org/x"), ("a", "b"), cells, {"m": ("en", "es"), "org/x": ()}, spoken)
    assert (matrix.rows, matrix.columns) == (["m (en, es)", "org/x"], ["a (en)", "b (es)"])
    assert next(csv.reader(io.StringIO(matrix.to_csv()))) == ["model", "a (en)", "b (es)", "notes"]
    alone = Matrix(("m",), ("a",), cells, {"m": ("en",)}, {"a": ("en",)})
    assert (alone.rows, alone.columns) == (["m"], ["a"])


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    """A built checkpoint for diseases (with `result.json`) and another's model for diseases and chemicals."""
    checkpoint, other = tmp_path / "builds" / "mixed", tmp_path / "other-model"
    save_list_model(checkpoint, {"asthma": "Disease", "migraine": "Disease"}, disabled=("Chemical", "reserved_2"))
    (checkpoint / "result.json").write_text(
        json.dumps({"checkpoint_id": "tiny/diseases", "corpus": "diseases", "entity_types": ["Disease"], "more": 1})
    )
    save_list_model(other)
    return checkpoint, other


def test_switched_off_rows_of_the_head_are_no_types(models: tuple[Path, Path]) -> None:
    from zoo.tagging.tagger import Tagger

    assert predictable_types(Tagger.load(models[0])) == ("Disease",)
    assert set(predictable_types(Tagger.load(models[1]))) == {"Disease", "Chemical"}


def test_a_model_of_several_heads_finds_the_types_of_all(tmp_path: Path) -> None:
    from zoo.tagging.tagger import Tagger

    base, adapter = save_base(tmp_path / "base"), tmp_path / "adapter"
    for folder, off in ((adapter, slice(3, 5)), (adapter / "heads" / "Chemical", slice(1, 3))):
        weights = save_adapter(folder, base, seed=1) / "adapter_model.safetensors"
        tensors = load_file(weights)
        (bias,) = (name for name in tensors if name.endswith("classifier.bias"))
        tensors[bias][off] = -1e4
        save_file(tensors, weights, {"format": "pt"})
    assert predictable_types(Tagger.load(adapter)) == ("Disease",)
    heads = [{"name": name, "types": [name], "level": 1} for name in ("Disease", "Chemical")]
    write_heads(adapter, heads)
    assert predictable_types(Tagger.load(adapter)) == ("Disease", "Chemical")


def test_types_of_other_heads_come_from_the_record_or_from_the_labels() -> None:
    model: Any = SimpleNamespace()
    base = Base(model, model)
    tagger: Any = SimpleNamespace(base=base, heads=[Member(base, None)], labels=["O", "B-Gene", "I-Gene", "Plain"])
    assert predictable_types(tagger, ["Disease"]) == ("Disease",)
    assert predictable_types(tagger) == ("Gene", "Plain")


def test_names_show_no_path(models: tuple[Path, Path]) -> None:
    assert describe_model(str(models[0])) == Model("tiny/diseases", str(models[0]), "diseases", ("Disease",))
    assert describe_model(str(models[1])).name == "other-model"
    assert describe_model("org/model") == Model("org/model", "org/model")
    (models[0] / "adapter").mkdir()
    assert describe_model(str(models[0] / "adapter")).name == "tiny/diseases"
    (models[0] / "result.json").write_text("{")
    with pytest.raises(ZooError, match="cannot read the result"):
        describe_model(str(models[0]))


def test_the_matrix_of_real_models(models: tuple[Path, Path]) -> None:
    corpora = [corpus(), corpus("diseases", ("Disease",)), corpus("genes", ("Gene",))]
    seen: list[tuple[str, str]] = []
    matrix = cross([str(m) for m in models], corpora, samples=50, progress=lambda m, c: seen.append((m, c)))
    assert len(seen) == 6
    status = {key: cell.status for key, cell in matrix.cells.items()}
    assert status == {
        ("tiny/diseases", "mixed"): "reduced",
        ("tiny/diseases", "diseases"): "comparable",
        ("tiny/diseases", "genes"): "not comparable",
        ("other-model", "mixed"): "comparable",
        ("other-model", "diseases"): "comparable",
        ("other-model", "genes"): "not comparable",
    }
    assert all(cell.score.micro_f1 == 1.0 for cell in matrix.cells.values() if cell.score)
    assert [key for key, cell in matrix.cells.items() if cell.in_domain] == [("tiny/diseases", "diseases")]
    check_csv(matrix)
    check_json(matrix)
    check_png(matrix)


def check_csv(matrix: Matrix) -> None:
    header, first, second = csv.reader(io.StringIO(matrix.to_csv()))
    assert header == ["model", "mixed", "diseases", "genes", "notes"]
    assert first[:4] == ["tiny/diseases", "1.000000", "1.000000", ""]
    assert first[4].startswith("mixed: over Disease alone: the model does not know Chemical; genes: not comparable")
    assert second[:4] == ["other-model", "1.000000", "1.000000", ""]


def check_json(matrix: Matrix) -> None:
    data = json.loads(json.dumps(matrix.to_json()))
    assert len(data["cells"]) == 6
    assert data["cells"][0]["score"]["gold_mentions"] == 2
    assert data["cells"][2]["score"] is None


def check_png(matrix: Matrix) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    picture = heat_map(matrix)
    assert picture == heat_map(matrix)  # the same matrix gives the same file
    pixels = imread(io.BytesIO(picture), format="png")
    assert pixels.shape[0] > 200
    assert pixels.shape[1] > 400
    assert len({tuple(pixel) for pixel in pixels.reshape(-1, pixels.shape[2])[::7]}) > 20


def test_two_models_of_one_name_are_refused(models: tuple[Path, Path]) -> None:
    with pytest.raises(ZooError, match="two models have the name 'other-model'"):
        cross([str(models[1]), str(models[1])], [corpus()])
