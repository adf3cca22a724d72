"""Reading raw passages: JSON lines and paragraphs, plain and gzip, and what is wrong with a file."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import ZooError
from zoo.passages.load import load_passages, passages_path, read_passage_files, read_passages
from zoo.passages.passage import Passage
from zoo.registry.loader import load_registry
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.schema import BundledSource, FolderSource, LicenseInfo

LINES = [{"id": "a", "text": "Fever and cough.", "source": "made"}, {"id": "b", "text": "Δ-9 🧬 tetrahydro…"}]
PASSAGES = [Passage("a", "Fever and cough.", "made"), Passage("b", "Δ-9 🧬 tetrahydro…")]


def write(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
            file.write(text)
    else:
        path.write_text(text, encoding="utf-8", newline="")
    return path


def as_lines(items: list[Any]) -> str:
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def entry(*sources: BundledSource | FolderSource, passages: int | None = None, **fields: Any) -> PassageEntry:
    license_ = LicenseInfo(spdx="CC0-1.0", source="tests", publishable=True)
    return PassageEntry(id="mine", title="Mine", license=license_, sources=sources, passages=passages, **fields)


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    assert list(read_passages(write(tmp_path / name, as_lines(LINES).replace("\n", "\r\n\r\n")))) == PASSAGES


@pytest.mark.parametrize("name", ["my.notes.txt", "my.notes.txt.gz"])
def test_plain_text_is_cut_at_blank_lines(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "\ufeff\n\nFirst line,\nsecond line.\r\n \t\r\n\n\nAnother.\n\nLast")
    expected = [("my.notes-1", "First line,\nsecond line."), ("my.notes-2", "Another."), ("my.notes-3", "Last")]
    assert [(p.id, p.text) for p in read_passages(path)] == expected


def test_reading_streams(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", as_lines(LINES) + "not json\n")
    stream = read_passages(path)
    assert [next(stream), next(stream)] == PASSAGES
    with pytest.raises(ZooError):
        next(stream)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not valid JSON"),
        ("[1]", "no text field"),
        ('{"id": 1, "text": "x"}', "no text field"),
        ('{"id": "c", "text": " \\n"}', "is empty"),
        ('{"id": "c", "text": "x", "source": 3}', "'source' is not a text"),
        ('{"id": "c", "text": "x", "document": null}', "'document' is not a text"),
        ('{"id": "a", "text": "x"}', "'a' stands in line 1 already"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, what: str) -> None:
    path = write(tmp_path / "x.jsonl", as_lines(LINES) + "\n" + line + "\n")
    with pytest.raises(ZooError, match=what) as caught:
        list(read_passages(path))
    assert caught.value.where == f"{path}:4" and caught.value.fix


def test_damaged_files_are_errors(tmp_path: Path) -> None:
    whole = write(tmp_path / "x.jsonl.gz", as_lines(LINES * 1)).read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-12])
    (tmp_path / "latin.txt").write_bytes(b"fine\n\nna\xefve\n")
    with pytest.raises(ZooError, match="gzip data is damaged"):
        list(read_passages(tmp_path / "cut.jsonl.gz"))
    with pytest.raises(ZooError, match="not UTF-8") as caught:
        list(read_passages(tmp_path / "latin.txt"))
    assert caught.value.where == f"{tmp_path / 'latin.txt'}:3"
    with pytest.raises(ZooError, match="cannot read"):
        list(read_passages(tmp_path / "none.jsonl"))


def test_a_folder_is_read_in_order_of_names_without_other_files(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", as_lines(LINES[1:]))
    write(tmp_path / "a.jsonl.gz", as_lines(LINES[:1]))
    write(tmp_path / "README.md", "Not a passage")
    assert list(read_passage_files(tmp_path)) == PASSAGES
    assert list(read_passage_files(tmp_path / "b.jsonl")) == PASSAGES[1:]


def test_a_folder_without_passages_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "README.md", "Not a passage")
    with pytest.raises(ZooError, match="holds no passages") as caught:
        list(read_passage_files(tmp_path))
    assert caught.value.where == str(tmp_path)
    with pytest.raises(ZooError, match="file holds no passages"):
        list(read_passage_files(write(tmp_path / "empty.jsonl.gz", "\n\n")))


def test_an_entry_is_read_from_the_first_source_that_is_here(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "x.jsonl", as_lines(LINES))
    missing, here = FolderSource(kind="folder", path="absent"), FolderSource(kind="folder", path="data")
    assert list(load_passages(entry(missing, here, passages=2), registry_folder=tmp_path)) == PASSAGES
    absolute = FolderSource(kind="folder", path=str(tmp_path / "data"))
    assert passages_path(entry(absolute), Path("elsewhere")) == tmp_path / "data"
    file = BundledSource(kind="bundled", path="data/x.jsonl")
    assert list(load_passages(entry(file), registry_folder=tmp_path)) == PASSAGES


def test_an_entry_without_a_source_here_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="passages mine are not on this machine"):
        list(load_passages(entry(FolderSource(kind="folder", path="absent")), registry_folder=tmp_path))


def test_another_number_of_passages_than_registered_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", as_lines(LINES))
    source = BundledSource(kind="bundled", path=".")
    with pytest.raises(ZooError, match="2 passages here, its registry entry says 3"):
        list(load_passages(entry(source, passages=3), registry_folder=tmp_path))


def test_local_copies_come_first(tmp_path: Path) -> None:
    write(tmp_path / "bundled.jsonl", as_lines(LINES))
    item = entry(BundledSource(kind="bundled", path="bundled.jsonl"))
    local = tmp_path / "local"
    (local / "other").mkdir(parents=True)
    assert passages_path(item, tmp_path, local) == tmp_path / "bundled.jsonl"
    for name in ("mine.jsonl.gz", "mine.jsonl"):
        path = write(local / name, as_lines(LINES[:1]))
        assert passages_path(item, tmp_path, local) == path
        assert list(load_passages(item, registry_folder=tmp_path, local=local)) == PASSAGES[:1]
    (local / "mine").mkdir()
    write(local / "mine" / "x.jsonl", as_lines(LINES[1:]))
    assert list(load_passages(item, registry_folder=tmp_path, local=local)) == PASSAGES[1:]


def test_a_folder_for_local_copies_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"passages folder .* does not exist") as caught:
        passages_path(entry(), tmp_path, tmp_path / "absent")
    assert caught.value.where == "ZOO_PASSAGES"


@pytest.mark.parametrize(
    ("format", "suffix", "home"),
    [("pubmed-xml", ".xml", ""), ("mimic-csv", ".csv", "https://physionet.org/x"), ("text", ".txt", "")],
)
def test_missing_files_are_asked_for(format: Any, suffix: str, home: str, tmp_path: Path) -> None:
    item = entry(format=format, homepage=home)
    for local, place in ((None, "DIR/mine/"), (tmp_path, f"{tmp_path}/mine/")):
        with pytest.raises(ZooError, match="passages mine are not on this machine") as caught:
            passages_path(item, tmp_path, local)
        fix = caught.value.fix or ""
        assert place in fix and f"*{suffix}[.gz]" in fix and home in fix and ("ZOO_PASSAGES" in fix) == (local is None)


def test_the_format_says_which_files_of_a_folder_count(tmp_path: Path) -> None:
    (tmp_path / "mine" / "b").mkdir(parents=True)
    write(tmp_path / "mine" / "z.txt", "One.\n\nTwo.")
    write(tmp_path / "mine" / "b" / "a.txt.gz", "Three.")
    write(tmp_path / "mine" / "x.jsonl", as_lines(LINES))
    found = load_passages(entry(format="text"), registry_folder=tmp_path, local=tmp_path)
    assert [p.text for p in found] == ["One.", "Two.", "Three."]
    with pytest.raises(ZooError, match="folder holds no passages") as caught:
        list(load_passages(entry(format="mimic-csv"), registry_folder=tmp_path, local=tmp_path))
    assert "*.csv[.gz]" in (caught.value.fix or "")


def test_passages_of_one_document() -> None:
    assert Passage("PMC1#p0", "x").document_id == Passage("PMC1#p1#2", "x").document_id == "PMC1"
    assert Passage("n-4", "x", document="patient-1").document_id == "patient-1"


@pytest.mark.parametrize("name", ["pubmed-abstracts", "clinicaltrials-gov", "arxiv-abstracts", "mimic-iii-notes"])
def test_entries_without_a_source_say_where_to_get_the_files(name: str) -> None:
    registry = load_registry()
    with pytest.raises(ZooError, match=name) as caught:
        passages_path(registry.passage(name), registry.folders[f"passages/{name}"])
    assert registry.passage(name).homepage.startswith("https://")
    assert registry.passage(name).homepage in (caught.value.fix or "")
    assert registry.passage(name).license.publishable is (name != "mimic-iii-notes")


def test_the_bundled_passages_are_those_of_their_entry() -> None:
    registry = load_registry()
    found = list(
        load_passages(
            registry.passages["sample-passages"], registry_folder=registry.folders["passages/sample-passages"]
        )
    )
    assert len({p.id for p in found}) == registry.passages["sample-passages"].passages
    assert all(len(p.text.split()) >= 40 for p in found)


def test_real_passages_are_as_their_source_says(shared_data: Path) -> None:
    found = list(read_passage_files(shared_data / "passages"))
    assert len({p.id for p in found}) == len(found) == 8000 + 4468 + 1018 + 1327
    assert all(p.source and len(p.text.split()) >= 40 for p in found)


def test_a_record_without_a_text_is_skipped_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", '{"id": "a", "text": null}\n{"id": "b", "text": "x"}\n')
    skipped: Counter[str] = Counter()
    assert [passage.id for passage in read_passages(path, skipped=skipped)] == ["b"]
    assert skipped == {"record without a text": 1}
