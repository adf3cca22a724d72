"""How an input is cut, and the folder of shards, without a cluster."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.scale import shards
from zoo.scale.answers import Question, Remote
from zoo.scale.shards import Cutting, Folder, Shard, grouped, packed, unpacked
from zoo.settings import Settings
from zoo.tagging.inputs import Fields, InputFile, input_files
from zoo.tagging.texts import Text


def test_small_files_go_together_and_large_ones_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_GROUP_BYTES", 100)
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text("x" * 40)
    (tmp_path / "large.jsonl").write_text('{"text": "a text"}\n' * 25)
    groups, digest = grouped(input_files(tmp_path))
    assert [[file.name for file in group] for group in groups] == [
        ["0.txt", "1.txt"], ["2.txt", "3.txt"], ["4.txt", "5.txt"], ["large.jsonl"],
    ]  # fmt: skip
    cutting, skipped = Cutting(Fields(), 10), Counter[str]()
    found = [(s.name, len(s.texts)) for n, group in enumerate(groups) for s in cutting.shards(n, group, skipped)]
    assert [size for _, size in found] == [2, 2, 2, 10, 10, 5]
    assert [name for name, _ in found] == sorted({name for name, _ in found})
    (tmp_path / "0.txt").write_text("y" * 41)
    assert grouped(input_files(tmp_path))[1] != digest
    with pytest.raises(ZooError, match="cannot read it"):
        grouped([InputFile(str(tmp_path / "gone"))])


def test_a_shard_travels_as_it_is() -> None:
    shard = Shard("part-1", [Text("a", "naïve \u2028 text", derived=True), Text("b", "")])
    assert unpacked(packed(shard)) == shard


def test_a_shard_is_a_whole_file_of_its_format(models: list[str], tmp_path: Path) -> None:
    remote = Remote.of(Question((models[1],)), Settings())
    folder = Folder.of(str(tmp_path / "found.csv"))
    folder.begin({"model": "x"})
    folder.tag(Shard("part-000000-000000", [Text("1", "Patients with asthma took aspirin daily .")]), remote.open())
    assert (
        (tmp_path / "found.csv" / "part-000000-000000.csv").read_text().startswith("id,start,end,type,text,score\n1,")
    )
    assert folder.names() == {"part-000000-000000"} and len(list((tmp_path / "found.csv").iterdir())) == 2
    manifest = folder.begin({"model": "x"})
    with pytest.raises(ZooError, match="1 shards were written where this machine does not see them"):
        folder.end(manifest, 2, {"part-000000-000000", "part-000000-000001"}, Counter())
    with pytest.raises(ZooError, match='with model "x"; now it is "y"'):
        folder.begin({"model": "y"})
    folder.end(manifest, 1, {"part-000000-000000"}, Counter())
    assert json.loads((tmp_path / "found.csv" / "manifest.json").read_text())["documents"] == 1
    (tmp_path / "found.csv" / "manifest.json").write_text("{")
    with pytest.raises(ZooError, match="no manifest"):
        folder.begin({"model": "x"})


def test_a_node_with_other_weights_is_refused(models: list[str]) -> None:
    remote = Remote.of(Question((models[0],)), Settings())
    other = Remote(remote.question, (models[1],), remote.digests, (), Settings())
    with pytest.raises(ZooError, match="another one on this node"):
        other.open()
