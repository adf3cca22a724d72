"""Official splits by the names of files and folders, and what is said of names that are not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpora.notes import Add, note, write_brat, write_jsonl
from zoo.errors import ZooError
from zoo.registry.schema import SPLITS

PUBTATOR = {"format": "pubtator", "types": {"Disease": "Disease"}}
SENTENCE = "No\tO\ngout\tB-Disease\n{}\tO\n\n"
CONLL = {"format": "conll", "types": {"Disease": "Disease"}}


def pubtator(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{i}|t|Gout {i}\n{i}|a|\n{i}\t0\t4\tGout\tDisease\tD1\n\n" for i in numbers))


def sentences(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(SENTENCE.format(i) for i in numbers))


@pytest.mark.parametrize(
    "names",
    [
        ("CDR_TrainingSet.PubTator.txt", "CDR_DevelopmentSet.PubTator.txt", "CDR_TestSet.PubTator.txt"),
        ("NCBItrainset_corpus.txt", "NCBIdevelopset_corpus.txt", "NCBItestset_corpus.txt"),
        ("Train.PubTator", "Dev.PubTator", "Test.PubTator"),
        ("my-train.txt", "my_valid.txt", "my test.txt"),
        ("Train/a.txt", "Dev/a.txt", "TEST/a.txt"),
    ],
)
def test_official_names_are_splits(add: Add, tmp_path: Path, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        pubtator(tmp_path / "given" / name, number)
    (tmp_path / "given" / "LATEST.txt.md").write_text("notes of a contest")
    added = add(path=tmp_path / "given", **PUBTATOR)
    assert [[d.id for d in added.corpus.splits[split]] for split in SPLITS] == [["0"], ["1"], ["2"]]
    assert added.notes == ("splits as given",)


def test_folders_of_folders_are_splits(add: Add, tmp_path: Path) -> None:
    """As the DDI corpus is shipped: Train and Test, each with a folder a source."""
    write_brat(tmp_path / "cap" / "Train" / "one", [note(i) for i in range(8)])
    write_brat(tmp_path / "cap" / "Train" / "two", [note(i) for i in range(8, 12)])
    write_brat(tmp_path / "cap" / "Test" / "one", [note(i) for i in range(12, 16)])
    added = add(path=tmp_path / "cap", format="brat")
    assert [len(added.corpus.splits[split]) for split in SPLITS] == [11, 1, 4]
    assert "warning: there is no dev split; it is drawn from train" in added.notes
    for split, numbers in (("Train", range(12)), ("Test", range(12, 16))):
        write_jsonl(tmp_path / "lines" / split / "a.jsonl", [note(i) for i in numbers if i % 2])
        write_jsonl(tmp_path / "lines" / split / "b" / "c.jsonl", [note(i) for i in numbers if not i % 2])
    again = add(name="lines", path=tmp_path / "lines")
    assert {d.id for d in again.corpus.splits["test"]} == {f"note-{i}" for i in range(12, 16)}


def test_train_and_dev_in_one_file_are_train(add: Add, tmp_path: Path) -> None:
    pubtator(tmp_path / "given" / "BioRED_TrainDev.PubTator", *range(12))
    pubtator(tmp_path / "given" / "BioRED_Test.PubTator", 20, 21)
    added = add(path=tmp_path / "given", **PUBTATOR)
    assert [len(added.corpus.splits[split]) for split in SPLITS] == [11, 1, 2]
    for name, number in (("Train", 30), ("Dev", 31)):
        pubtator(tmp_path / "given" / f"BioRED_{name}.PubTator", number)
    added = add(name="again", path=tmp_path / "given", **PUBTATOR)
    assert [len(added.corpus.splits[split]) for split in SPLITS] == [1, 1, 2]
    assert "BioRED_TrainDev.PubTator, whose name holds train, dev or test, is no split: left out" in added.notes


def test_names_that_are_no_splits_are_warned_of(add: Add, tmp_path: Path) -> None:
    pubtator(tmp_path / "given" / "asthma.txt", *range(10))
    pubtator(tmp_path / "given" / "blood-test.txt", *range(10, 20))
    added = add(path=tmp_path / "given", **PUBTATOR)
    assert sum(map(len, added.corpus.splits.values())) == 20
    assert added.notes[0].startswith("blood-test.txt, ") and "split anew" in added.notes[0]
    added = add(name="alone", path=tmp_path / "given" / "blood-test.txt", **PUBTATOR)
    assert "give the folder" in added.notes[0]
    assert not any("whose name" in n for n in add(name="c", path=tmp_path / "given" / "asthma.txt", **PUBTATOR).notes)


def test_dev_is_drawn_from_train_where_sentences_tell_no_document(add: Add, tmp_path: Path) -> None:
    """As E3C is shipped."""
    sentences(tmp_path / "given" / "train.tsv", *range(30))
    sentences(tmp_path / "given" / "test.tsv", 40, 41)
    added = add(path=tmp_path / "given", **CONLL)
    assert [len(added.corpus.splits[split]) for split in SPLITS] == [27, 3, 2]
    assert any("train and dev may share some" in text for text in added.notes)
    assert "train and dev may share some" in added.corpus.entry.note
    (tmp_path / "given" / "test.tsv").rename(tmp_path / "given" / "dev.tsv")
    with pytest.raises(ZooError, match="which sentences belong to one document"):
        add(name="no-test", path=tmp_path / "given", **CONLL)


def test_documents_beside_a_test_folder_are_not_lost(add: Add, tmp_path: Path) -> None:
    write_brat(tmp_path / "given", [note(i) for i in range(20)])
    write_brat(tmp_path / "given" / "test", [note(30)])
    with pytest.raises(ZooError, match="there is a test split, but no train split"):
        add(path=tmp_path / "given", format="brat")
