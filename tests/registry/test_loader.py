"""Reading a registry: overlays, references between entries, and messages that name file, field and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.registry.loader import PACKAGED, Checkpoint, load_registry
from zoo.registry.names import Names

BACKBONE = (
    "id: mine\ntitle: Mine\nfamily: bert\nhub_id: me/mine\nparameters_million: 1.5\n"
    "license: {spdx: MIT, source: this test, publishable: true}\n"
)
CORPUS = (
    "id: notes\ntitle: Notes\ndescription: Made in this test.\nformat: conll\nunit: sentence\n"
    "types: {Disease: Disease}\nlicense: {spdx: CC0-1.0, source: this test, publishable: true}\n"
)


def overlay(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def message(folder: Path, files: Mapping[str, str]) -> str:
    with pytest.raises(ZooError) as caught:
        load_registry(overlay(folder, files))
    return str(caught.value)


def test_an_overlay_adds_and_the_packaged_entries_stay(tmp_path: Path) -> None:
    packaged = load_registry()
    found = load_registry(overlay(tmp_path, {"backbones/mine.yaml": BACKBONE, "corpora/notes.yaml": CORPUS}))
    assert set(found.backbones) == {*packaged.backbones, "mine"}
    assert set(found.corpora) == {*packaged.corpora, "notes"}
    assert found.labels == packaged.labels and found.suites == packaged.suites
    assert found.folders["corpora/notes"] == tmp_path
    assert found.folders["corpora/ncbi-disease"] == PACKAGED
    assert "notes" not in load_registry().corpora


def test_an_overlay_replaces_an_entry_of_the_same_id(tmp_path: Path) -> None:
    files = {"corpora/ncbi-disease.yaml": CORPUS.replace("id: notes", "id: ncbi-disease")}
    found = load_registry(overlay(tmp_path, files))
    assert found.corpus("ncbi-disease").title == "Notes"
    assert found.folders["corpora/ncbi-disease"] == tmp_path


def test_an_overlay_appends_types_to_the_label_space(tmp_path: Path) -> None:
    files = {
        "labels.yaml": "types:\n  - {name: Device, description: devices}\n  - {name: Disease, description: again}\n",
        "corpora/notes.yaml": CORPUS.replace("Disease: Disease", "Disease: Disease, dev: Device"),
    }
    found, packaged = load_registry(overlay(tmp_path, files)), load_registry()
    assert found.labels.types[:-1] == packaged.labels.types
    assert found.labels.types[-1].name == "Device" and found.labels.capacity == packaged.labels.capacity
    assert found.corpus("notes").entity_types == ("Disease", "Device")


def test_two_types_of_the_files_may_be_one_of_the_label_space() -> None:
    assert load_registry().corpus("fsu").entity_types == ("Gene",)
    assert load_registry().corpus("jnlpba").entity_types.count("Protein") == 1


def test_the_label_space_cannot_overflow(tmp_path: Path) -> None:
    types = "".join(f"  - {{name: T{index}, description: x}}\n" for index in range(64))
    assert "do not fit into a label space of 64" in message(tmp_path, {"labels.yaml": "types:\n" + types})


def test_an_overlay_may_raise_the_capacity_of_its_label_space_and_not_lower_it(tmp_path: Path) -> None:
    types = "".join(f"  - {{name: T{index}, description: x}}\n" for index in range(64))
    found = load_registry(overlay(tmp_path, {"labels.yaml": "capacity: 128\ntypes:\n" + types}))
    assert found.labels.capacity == 128 and len(found.labels.types) > 64
    assert load_registry().labels.capacity == 64
    text = message(tmp_path, {"labels.yaml": "capacity: 32\ntypes: []\n"})
    assert "32" in text and "64" in text and "labels.yaml: capacity" in text


def test_a_backbone_names_its_languages(tmp_path: Path) -> None:
    assert load_registry().backbone("minilm-l6").languages == ("en",)
    text = message(tmp_path, {"backbones/mine.yaml": BACKBONE.replace("license:", "languages: [English]\nlicense:")})
    assert "languages" in text and "English" in text


def test_a_type_stands_once_in_the_label_space(tmp_path: Path) -> None:
    twice = "types:\n  - {name: Device, description: a}\n  - {name: Device, description: b}\n"
    assert "'Device' stands twice" in message(tmp_path, {"labels.yaml": twice})


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("backbones/mine.yaml", BACKBONE.replace("bert", "brt"), ("unknown family 'brt'", "mine.yaml: family", "bert")),
        ("backbones/mine.yaml", BACKBONE.replace("hub_id: me/mine\n", ""), ("hub_id, package, path",)),
        ("backbones/mine.yaml", BACKBONE + "revision: main\n", ("revision", "'main'", "40")),
        ("backbones/mine.yaml", BACKBONE + "window_tokens: 64\nstride_tokens: 32\n", ("stride_tokens", "half")),
        ("backbones/mine.yaml", BACKBONE.replace("spdx: MIT, ", ""), ("'license.spdx' is missing",)),
        ("backbones/mine.yaml", BACKBONE.replace("spdx", "spxd"), ("license.spxd", "did you mean spdx")),
        ("backbones/other.yaml", BACKBONE, ("'mine' differs from the file name", "other.yaml: id")),
        ("corpora/notes.yaml", CORPUS.replace("conll", "conl"), ("format", "'conll'", "'conl'")),
        ("corpora/notes.yaml", CORPUS.replace("Disease: D", "Disease: d"), ("'disease'", "did you mean Disease")),
        (
            "corpora/notes.yaml",
            CORPUS + "sources: [{kind: url, files: {test: {url: 'https://x.org/t'}}}]\n",
            ("sources.0.url.files.test", "sha256, git_blob_sha1, md5 or git_trees"),
        ),
        ("corpora/notes.yaml", "id: notes\n  title: x\n", ("not valid YAML", "notes.yaml:2")),
        ("corpora/notes.yaml", "", ("notes.yaml",)),
        ("suites.yaml", "mine: {description: x, backbones: [minilm], corpora: [cll]}\n", ("'minilm'", "minilm-l6")),
        ("suites.yaml", "mine: {description: x, backbones: [minilm-l6], corpora: [cl]}\n", ("corpus 'cl'", "cll")),
        ("suites.yaml", "mine: {description: x, backbones: [], corpora: [cll]}\n", ("mine.backbones", "at least 1")),
        (
            "recipes.yaml",
            'overrides: [{match: "*/notes", set: {finetune.epoch: 3}}]\n',
            ("finetune.epoch", "recipes.yaml: overrides: */notes", "did you mean finetune.epochs"),
        ),
    ],
)
def test_a_wrong_entry_is_named_with_file_field_and_remedy(
    name: str, text: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    found = message(tmp_path, {name: text})
    for word in words:
        assert word in found, f"{word!r} not in:\n{found}"


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "notes.yaml").write_bytes("title: Ödem".encode("latin-1"))
    assert "notes.yaml" in message(tmp_path, {})


def test_an_overlay_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="does not exist") as caught:
        load_registry(tmp_path / "absent")
    assert "ZOO_REGISTRY" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("minilm-l6/bc5cdr-diseas", "minilm-l6/bc5cdr-disease"),
        ("minilm-l/sample-gene", "minilm-l6/sample-gene"),
        ("minilm-l6", "zoo list"),
        ("minilm-l6/", "zoo list"),
        ("a/b/c", "zoo list"),
    ],
)
def test_an_unknown_checkpoint_is_answered_with_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(ZooError) as caught:
        load_registry().checkpoint(wrong)
    assert wrong in str(caught.value) and near in str(caught.value)


def test_unknown_backbone_corpus_and_suite() -> None:
    found = load_registry()
    for look_up, wrong, near in (
        (found.backbone, "pubmedbert", "pubmedbert-base"),
        (found.corpus, "linneaus", "linnaeus"),
        (found.suite, "openmd", "openmed"),
    ):
        with pytest.raises(ZooError, match=wrong) as caught:
            look_up(wrong)
        assert near in str(caught.value)


def test_names_of_a_checkpoint() -> None:
    checkpoint = load_registry().checkpoint("pubmedbert-base/bc5cdr-disease", {"seed": 7})
    assert isinstance(checkpoint, Checkpoint) and checkpoint.id == "pubmedbert-base/bc5cdr-disease"
    assert checkpoint.repo_id(Names()) == "openmed/pubmedbert-base-bc5cdr-disease"
    assert checkpoint.recipe.seed == 7


def test_all_suites_together_hold_no_checkpoint_twice(tmp_path: Path) -> None:
    files = {"suites.yaml": "mine: {description: x, backbones: [minilm-l6], corpora: [sample-gene, cll]}\n"}
    found = load_registry(overlay(tmp_path, files))
    ids = [checkpoint.id for checkpoint in found.suite_checkpoints(None)]
    assert len(ids) == len(set(ids))
    assert ids.count("minilm-l6/sample-gene") == 1 and "minilm-l6/cll" in ids


def test_the_packaged_registry_is_read_once() -> None:
    assert load_registry() is load_registry()
