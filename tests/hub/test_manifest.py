"""The manifest: what it finds in a downloaded folder, and what counts as the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.hub.manifest import BaseRecord, Manifest, content_digest, file_record, folder_problems, read_manifest
from zoo.hub.privacy import check_private_text

FILES = {"adapter_model.safetensors": b"weights", "README.md": b"card", ".eval_results/x.yaml": b"- {}"}


def _manifest(files: dict[str, bytes], base: BaseRecord | None = None) -> Manifest:
    records = {path: file_record(content) for path, content in files.items()}
    return Manifest(
        kind="checkpoint",
        subject="a/b",
        repo_id="openmed/a-b",
        content=content_digest(records, base),
        base=base,
        fingerprints={},
        seeds=[13],
        versions={},
        commit=None,
        files=records,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / ".gitattributes").write_text("* text")
    (tmp_path / "manifest.json").write_text(_manifest(FILES).to_json())
    return tmp_path


def test_a_whole_folder_has_no_problems(folder: Path) -> None:
    assert folder_problems(folder, read_manifest((folder / "manifest.json").read_bytes(), "here")) == []


@pytest.mark.parametrize("bit", [0, 7, 30, 55])
def test_one_flipped_bit_is_found(folder: Path, bit: int) -> None:
    data = bytearray(FILES["adapter_model.safetensors"])
    data[bit // 8] ^= 1 << bit % 8
    (folder / "adapter_model.safetensors").write_bytes(data)
    assert folder_problems(folder, _manifest(FILES)) == [
        "adapter_model.safetensors is not the file of the manifest: its sha256 differs"
    ]


def test_missing_more_and_shorter_files_are_found(folder: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "config.json").write_text("{}")
    (folder / ".eval_results/x.yaml").write_text("-")
    assert folder_problems(folder, _manifest(FILES)) == [
        "README.md is missing",
        "config.json is not in the manifest",
        ".eval_results/x.yaml is not the file of the manifest: 1 bytes instead of 4",
    ]


def test_a_manifest_that_contradicts_itself_is_found(folder: Path) -> None:
    wrong = _manifest(FILES).model_copy(update={"content": "0" * 64})
    assert "contradicts itself" in folder_problems(folder, wrong)[0]


def test_the_content_is_the_model_not_the_words_about_it() -> None:
    base = BaseRecord(repo_id="openmed/a-ner", content="1" * 64)
    same = _manifest({**FILES, "README.md": b"other words", "verification.json": b"{}"}).content
    assert same == _manifest(FILES).content
    assert _manifest({**FILES, "adapter_model.safetensors": b"other"}).content != same
    assert _manifest(FILES, base).content != same


def test_another_commit_of_the_project_makes_no_other_manifest() -> None:
    manifest = _manifest(FILES)
    assert manifest.is_like(manifest.model_copy(update={"commit": "a" * 40, "commit_modified": True}))
    assert not manifest.is_like(manifest.model_copy(update={"seeds": [14]}))


@pytest.mark.parametrize("text", [b"", b"[]", b'{"schema_version": 2}', b'{"kind": "x"}', b"\xff"])
def test_what_is_no_manifest_is_said(text: bytes) -> None:
    with pytest.raises(ZooError, match="not a manifest of zoo"):
        read_manifest(text, "openmed/x")


def test_paths_of_this_machine_are_found_in_vocabularies_too(tmp_path: Path) -> None:
    check_private_text("r", {"tokenizer.json": b'"/home/x"', "a.md": b"and/or, 3/4, https://x.org/home/y"}, [tmp_path])
    for name in ("tokenizer.json", "README.md"):
        with pytest.raises(ZooError, match="names a place on this machine"):
            check_private_text("r", {name: f"see {tmp_path}/x".encode()}, [tmp_path])
    with pytest.raises(ZooError, match="names a place on this machine"):
        check_private_text("r", {"README.md": b"in /home/somebody/x"}, [])
