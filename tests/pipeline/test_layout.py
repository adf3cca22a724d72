"""A folder of a build is there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.files import new_folder
from zoo.pipeline.layout import Layout


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_where_things_lie(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.base("minilm-l6") == tmp_path / "bases" / "minilm-l6"
    assert layout.checkpoint("minilm-l6", "cll") == tmp_path / "checkpoints" / "minilm-l6" / "cll"
    assert layout.failures == tmp_path / "failures.json"


def test_the_folder_appears_when_the_block_is_done(tmp_path: Path) -> None:
    destination = tmp_path / "a" / "b" / "c"
    with new_folder(destination) as folder:
        (folder / "file").write_text("new")
        assert not destination.exists()
        assert folder.parent == destination.parent and folder.name.startswith(".")
    assert content(tmp_path) == {"a/b/c/file": "new"}
    assert names(destination.parent) == ["c"]
    assert stat.S_IMODE(destination.stat().st_mode) == 0o755


def test_it_replaces_the_old_folder_whole(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "old").write_text("old")
    with new_folder(tmp_path / "c") as folder:
        (folder / "file").write_text("new")
        assert content(tmp_path / "c") == {"old": "old"}
    assert content(tmp_path) == {"c/file": "new"}
    assert names(tmp_path) == ["c"]


@pytest.mark.parametrize("error", [ZooError("refused"), OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_everything_as_it_was(error: BaseException, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "old").write_text("old")
    with pytest.raises(type(error)), new_folder(tmp_path / "c") as folder:
        (folder / "file").write_text("half")
        raise error
    assert content(tmp_path) == {"c/old": "old"}
    assert names(tmp_path) == ["c"]


def test_the_old_folder_comes_back_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "old").write_text("old")
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if target == tmp_path / "c" and "old" not in path.name:
            raise OSError("no")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="no"), new_folder(tmp_path / "c") as folder:
        (folder / "file").write_text("new")
    assert content(tmp_path) == {"c/old": "old"}


def test_an_output_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    Layout(tmp_path / "a" / "out").check_writable()
    assert list((tmp_path / "a" / "out").iterdir()) == []


def test_an_output_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ZooError, match="cannot write") as caught:
        Layout(tmp_path / "file" / "out").check_writable()
    assert "--out" in str(caught.value) and str(tmp_path / "file" / "out") in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ZooError, match="cannot write"):
            Layout(tmp_path / "out").check_writable()
    finally:
        tmp_path.chmod(0o700)
