"""A folder of builds that was moved or copied still loads, here and with plain transformers; nothing is guessed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.adapters import save_adapter, save_base
from zoo.doctor.project import check_builds
from zoo.errors import ZooError
from zoo.modeling.adapters import find_base, head_folders, named_base, point_at_base, write_heads

MARK = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """An output folder with a base, another base of the same backbone, and a checkpoint; moved after it was made."""
    old = tmp_path / "builds"
    base = save_base(old / "artefacts" / "base" / MARK[:32] / "model", fingerprint=MARK)
    save_base(old / "bases" / "tiny", fingerprint=OTHER, seed=1)
    adapter = save_adapter(old / "checkpoints" / "tiny" / "corpus" / "adapter", base, seed=0)
    (adapter.parent / "result.json").write_text(json.dumps({"fingerprints": {"base": MARK}}))
    old.rename(tmp_path / "elsewhere")
    return tmp_path / "elsewhere"


def test_the_base_is_found_beside_and_plain_transformers_loads_the_adapter_then(moved: Path) -> None:
    from transformers import pipeline

    adapter = moved / "checkpoints" / "tiny" / "corpus" / "adapter"
    base = moved / "artefacts" / "base" / MARK[:32] / "model"
    before = (adapter / "adapter_config.json").read_bytes()
    assert find_base(adapter, repair=False) == str(base)
    assert (adapter / "adapter_config.json").read_bytes() == before
    assert find_base(adapter) == named_base(adapter) == str(base)
    assert pipeline("token-classification", str(adapter))("Patients with asthma took aspirin daily .")


def test_without_its_artefacts_the_base_that_people_see_is_taken_if_it_is_the_same(moved: Path) -> None:
    adapter = moved / "checkpoints" / "tiny" / "corpus" / "adapter"
    shutil.rmtree(moved / "artefacts")
    with pytest.raises(ZooError, match="the base of this adapter is gone"):  # bases/tiny is another one
        find_base(adapter)
    (moved / "bases" / "tiny" / "zoo_base.json").write_text(json.dumps({"fingerprint": MARK}))
    assert find_base(adapter) == str(moved / "bases" / "tiny")


def test_all_heads_of_an_adapter_find_the_base(moved: Path) -> None:
    from transformers import pipeline

    adapter = moved / "checkpoints" / "tiny" / "corpus" / "adapter"
    base = str(moved / "artefacts" / "base" / MARK[:32] / "model")
    shutil.copytree(adapter, adapter / "heads" / "level-2")
    write_heads(adapter, [{"name": "level-1"}, {"name": "level-2"}])
    first, second = head_folders(adapter)
    assert [check.state for check in check_builds(moved)] == ["warning"]
    for asked in (first, second):  # whichever is loaded first, both are repaired
        point_at_base(adapter, str(moved.parent / "builds" / "artefacts" / "base" / MARK[:32] / "model"))
        assert find_base(asked) == named_base(first) == named_base(second) == base
    assert [check.state for check in check_builds(moved)] == ["ok"]
    assert pipeline("token-classification", str(second))("Patients with asthma took aspirin daily .")


def test_an_artefact_is_known_by_the_name_of_its_folder(moved: Path) -> None:
    adapter = moved / "artefacts" / "train" / "ef" / "adapter"
    shutil.copytree(moved / "checkpoints" / "tiny" / "corpus" / "adapter", adapter)
    assert Path(find_base(adapter)).parent.name == MARK[:32]


def test_a_copy_that_cannot_be_written_loads_too(moved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr("zoo.modeling.adapters.write_whole", refuse)
    adapter = moved / "checkpoints" / "tiny" / "corpus" / "adapter"
    assert Path(find_base(adapter)).is_dir() and not Path(named_base(adapter)).is_dir()


def test_a_hub_id_stays_and_what_names_no_base_is_said(tmp_path: Path) -> None:
    config = tmp_path / "adapter_config.json"
    config.write_text('{"base_model_name_or_path": "openmed/minilm-l6-ner"}')
    assert find_base(tmp_path) == "openmed/minilm-l6-ner"
    config.write_text('{"base_model_name_or_path": null}')
    with pytest.raises(ZooError, match="names no base"):
        find_base(tmp_path)
    config.write_text(json.dumps({"base_model_name_or_path": str(tmp_path / "gone")}))
    with pytest.raises(ZooError, match="is gone"):
        find_base(tmp_path)
