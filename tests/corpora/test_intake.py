"""A user's own data: checked, split by document, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.corpora.intake import Added, Request, add_corpus
from zoo.corpora.load import load_corpus
from zoo.errors import ZooError
from zoo.registry.loader import load_registry
from zoo.registry.schema import SPLITS

Add = Callable[..., Added]


def note(index: int) -> dict[str, Any]:
    text = f"Note {index}.\nPatient with asthma, given aspirin. 😀\n"
    start, drug = text.index("asthma"), text.index("aspirin")
    spans = [
        {"start": start, "end": start + 6, "type": "Disorder", "concept_ids": ["D001249"]},
        {"start": drug, "end": drug + 7, "type": "Drug"},
    ]
    return {"id": f"note-{index}", "text": text, "spans": spans}


def write_jsonl(path: Path, notes: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in notes))
    return path


def write_brat(folder: Path, notes: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    for item in notes:
        (folder / f"{item['id']}.txt").write_text(item["text"])
        lines = [
            f"T{i}\t{s['type']} {s['start']} {s['end']}\t{item['text'][s['start'] : s['end']]}\n"
            for i, s in enumerate(item["spans"], start=1)
        ]
        (folder / f"{item['id']}.ann").write_text("".join(lines))
    return folder


def sentences(number: int) -> str:
    return f"Report\tO\n{number}\tO\n\nNo\tO\nasthma\tB-Disorder\n{number}\tO\n\n"


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Add under tmp_path/registry; what is not said is a folder of 20 notes in JSON lines."""

    def run(**changes: Any) -> Added:
        request = Request(
            name="my-notes",
            path=tmp_path / "notes.jsonl",
            format="jsonl",
            types={"Disorder": "Disease", "Drug": "Chemical"},
            registry=tmp_path / "registry",
        )
        if not request.path.exists():
            write_jsonl(request.path, [note(i) for i in range(20)])
        return add_corpus(replace(request, **changes))

    return run


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def read_again(tmp_path: Path, name: str = "my-notes") -> dict[str, list[str]]:
    """Ids per split, read as a build reads them."""
    registry = load_registry(tmp_path / "registry")
    corpus = load_corpus(registry.corpus(name), registry_folder=registry.folders[f"corpora/{name}"])
    assert corpus.verified
    return {split: [document.id for document in documents] for split, documents in corpus.splits.items()}


def test_a_file_becomes_a_corpus(add: Add, tmp_path: Path) -> None:
    added = add()
    ids = read_again(tmp_path)
    assert [len(ids[split]) for split in SPLITS] == [14, 2, 4]
    assert sorted(name for names in ids.values() for name in names) == sorted(f"note-{i}" for i in range(20))
    entry = load_registry(tmp_path / "registry").corpus("my-notes")
    assert entry == added.corpus.entry
    assert entry.entity_types == ("Disease", "Chemical") and entry.unit == "document"
    assert [entry.splits[split].mentions for split in SPLITS] == [28, 4, 8]
    assert entry.license.spdx == "NOASSERTION" and not entry.license.publishable
    assert added.new_types == () and not (tmp_path / "registry" / "labels.yaml").exists()
    assert "seed 13" in entry.note and "notes.jsonl" in entry.note and str(tmp_path) not in entry.note
    document = added.corpus.splits["train"][0]
    assert [(document.text[s.start : s.end], s.type, s.concept_ids) for s in document.spans] == [
        ("asthma", "Disease", ("D001249",)),
        ("aspirin", "Chemical", ()),
    ]


def test_the_draw_is_seeded(add: Add, tmp_path: Path) -> None:
    first, again, other = add(name="a"), add(name="b"), add(name="c", seed=14)
    assert first.corpus.fingerprints == again.corpus.fingerprints
    assert first.corpus.fingerprints != other.corpus.fingerprints
    assert len(add(name="d", dev=0.2, test=0.3).corpus.splits["train"]) == 10


def test_the_users_files_stay_as_they_are_and_nothing_leaves_the_registry_folder(add: Add, tmp_path: Path) -> None:
    add(name="first")
    before = everything(tmp_path)
    add()
    after = everything(tmp_path)
    assert set(after) - set(before) == {
        "registry/corpora/my-notes.yaml",
        *(f"registry/splits/my-notes/{split}.jsonl" for split in SPLITS),
    }
    assert {name: after[name] for name in before} == before


def test_brat_folder(add: Add, tmp_path: Path) -> None:
    folder = write_brat(tmp_path / "brat", [note(i) for i in range(20)])
    added = add(format="brat", path=folder)
    assert [len(added.corpus.splits[split]) for split in SPLITS] == [14, 2, 4]
    assert added.corpus.splits["test"][0].text.endswith("😀\n")


def test_splits_that_are_there_are_kept(add: Add, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    write_jsonl(folder / "train.jsonl", [note(i) for i in range(3)])
    write_jsonl(folder / "valid.jsonl", [note(7)])
    write_jsonl(folder / "test.jsonl", [note(9), note(8)])
    assert add(path=folder).notes == ("splits as given",)
    assert read_again(tmp_path) == {
        "train": ["note-0", "note-1", "note-2"],
        "dev": ["note-7"],
        "test": ["note-9", "note-8"],
    }


def test_brat_splits_that_are_there_are_kept(add: Add, tmp_path: Path) -> None:
    for split, numbers in (("train", range(3)), ("devel", [3]), ("test", [4, 5])):
        write_brat(tmp_path / "given" / split, [note(i) for i in numbers])
    add(path=tmp_path / "given", format="brat")
    assert read_again(tmp_path)["dev"] == ["note-3"]


def test_a_missing_dev_split_is_drawn_from_train_alone(add: Add, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    write_jsonl(folder / "train.jsonl", [note(i) for i in range(20)])
    write_jsonl(folder / "test.jsonl", [note(30)])
    assert add(path=folder).notes == ("dev (10 %) drawn by document from 20, seed 13",)
    ids = read_again(tmp_path)
    assert [len(ids[split]) for split in SPLITS] == [18, 2, 1] and ids["test"] == ["note-30"]


def test_sentences_of_a_report_stay_together(add: Add, tmp_path: Path) -> None:
    path = tmp_path / "reports.tsv"
    path.write_text("".join(f"-DOCSTART-\tO\n\n{sentences(i)}" for i in range(30)))
    added = add(path=path, format="conll", types={"Disorder": "Disease"}, unit="sentence")
    reports = {split: {d.text.split()[-1] for d in added.corpus.splits[split]} for split in SPLITS}
    assert {split: len(found) for split, found in reports.items()} == {"train": 21, "dev": 3, "test": 6}
    assert len(set.union(*reports.values())) == 30
    assert {split: len(added.corpus.splits[split]) for split in SPLITS} == {"train": 42, "dev": 6, "test": 12}
    whole = add(name="whole", path=path, format="conll", types={"Disorder": "Disease"})
    assert whole.corpus.entry.unit == "document" and len(whole.corpus.splits["train"]) == 21


def test_sentences_of_a_file_stay_together(add: Add, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    for number in range(10):
        (folder / f"r{number}.conll").write_text(sentences(number))
    added = add(path=folder, format="conll", types={"Disorder": "Disease"})
    assert added.corpus.entry.unit == "sentence"
    reports = [{d.text.split()[-1] for d in added.corpus.splits[split]} for split in SPLITS]
    assert [len(found) for found in reports] == [7, 1, 2] and len(set.union(*reports)) == 10


def test_sentences_of_unknown_documents_are_not_split(add: Add, tmp_path: Path) -> None:
    path = tmp_path / "reports.tsv"
    path.write_text("".join(map(sentences, range(30))))
    with pytest.raises(ZooError, match="which sentences belong to one document") as error:
        add(path=path, format="conll", types={"Disorder": "Disease"})
    assert "-DOCSTART-" in str(error.value)
    folder = tmp_path / "given"
    folder.mkdir()
    for split, numbers in (("train", range(9)), ("dev", [9]), ("test", [10])):
        (folder / f"{split}.tsv").write_text("".join(map(sentences, numbers)))
    assert add(path=folder, format="conll", types={"Disorder": "Disease"}).corpus.entry.unit == "sentence"


def test_bare_tags_take_the_one_type(add: Add, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    for split in SPLITS:
        (folder / f"{split}.tsv").write_text("No\tO\nasthma\tB\n\n")
    added = add(path=folder, format="conll", types={"Disorder": "Disease"})
    assert [s.type for s in added.corpus.splits["dev"][0].spans] == ["Disease"]


def test_copies_of_a_text_go_into_one_split(add: Add, tmp_path: Path) -> None:
    notes = [note(i) for i in range(20)] + [{**note(i), "id": f"copy-{i}"} for i in range(20)]
    added = add(path=write_jsonl(tmp_path / "copies.jsonl", notes))
    assert "documents with the same text kept in one split: 20" in added.notes
    for documents in added.corpus.splits.values():
        numbers = [document.id.split("-")[1] for document in documents]
        assert all(numbers.count(number) == 2 for number in numbers)


def test_new_types_are_appended_to_the_label_space(add: Add, tmp_path: Path) -> None:
    packaged = [item.name for item in load_registry().labels.types]
    assert add(types={"Disorder": "Disease", "Drug": "Drug"}).new_types == ("Drug",)
    labels = tmp_path / "registry" / "labels.yaml"
    labels.write_text("# our own types\n" + labels.read_text())
    assert add(name="more", types={"Disorder": "Finding", "Drug": "Drug"}).new_types == ("Finding",)
    assert [item.name for item in load_registry(tmp_path / "registry").labels.types] == [*packaged, "Drug", "Finding"]
    assert labels.read_text().startswith("# our own types\n")


@pytest.mark.parametrize(
    "labels",
    [
        "types:\n- {name: Old, description: x}\n",
        "types:\n    - name: Old\n      description: 'a - b'\n",
        "types: [{name: Old, description: x}]\n",
        "types:\n  - {name: Old, description: x}\ncapacity: 64\n",
        "types: []",
    ],
)
def test_labels_of_any_style_are_extended(add: Add, tmp_path: Path, labels: str) -> None:
    path = tmp_path / "registry" / "labels.yaml"
    path.parent.mkdir()
    path.write_text(labels)
    before = [item.name for item in load_registry(path.parent).labels.types]
    add(types={"Disorder": "Disease", "Drug": "Drug"})
    assert [item.name for item in load_registry(path.parent).labels.types] == [*before, "Drug"]


def test_overlaps_are_dropped_by_policy_only_and_counted_at_every_reading(add: Add, tmp_path: Path) -> None:
    notes = [note(i) for i in range(20)]
    for item in notes:
        start = item["text"].index("Patient")
        item["spans"].append({"start": start, "end": item["spans"][0]["end"], "type": "Disorder"})
    write_jsonl(tmp_path / "nested.jsonl", notes)
    with pytest.raises(ZooError, match="shares characters") as error:
        add(path=tmp_path / "nested.jsonl")
    assert "--overlaps longest" in str(error.value)
    added = add(path=tmp_path / "nested.jsonl", overlaps="longest")
    assert sum(added.corpus.repairs.values()) == 20
    assert added.corpus.entry.splits["train"].mentions == 28
    registry = load_registry(tmp_path / "registry")
    again = load_corpus(registry.corpus("my-notes"), registry_folder=tmp_path / "registry")
    assert again.repairs == added.corpus.repairs
    assert add(name="kept", path=tmp_path / "nested.jsonl", overlaps="keep").corpus.entry.splits["train"].mentions == 42


def test_discontinuous_mentions_survive_the_writing(add: Add, tmp_path: Path) -> None:
    notes = [note(i) for i in range(20)]
    for item in notes:
        item["spans"] = [{"start": 0, "end": 7, "type": "Disorder", "fragments": [[0, 4], [5, 7]]}, *item["spans"]]
    path = write_jsonl(tmp_path / "broken.jsonl", notes)
    with pytest.raises(ZooError, match="discontinuous"):
        add(path=path)
    added = add(path=path, overlaps="keep")
    assert added.corpus.splits["train"][0].spans[0].fragments == ((0, 4), (5, 7))


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "bad id": ({"name": "My Notes"}, "is not an id"),
    "path as id": ({"name": "../x"}, "is not an id"),
    "packaged id": ({"name": "cll"}, "'cll' is taken"),
    "no such file": ({"path": Path("nowhere.jsonl")}, "no such file or folder"),
    "no types": ({"types": {}}, "--types does not name Disorder, Drug; the data has Disorder"),
    "type not named": ({"types": {"Disorder": "Disease"}}, "--types does not name Drug"),
    "misspelt type": (
        {"types": {"Disorder": "Disease", "Drug": "Drug", "Dose": "Dose"}},
        "no mention has the type 'Dose'",
    ),
    "lower case type": ({"types": {"Disorder": "disease", "Drug": "Chemical"}}, "upper and lower case"),
    "bad type name": ({"types": {"Disorder": "a b", "Drug": "Chemical"}}, "types.Disorder"),
    "no share": ({"dev": 0.0}, "share of dev"),
    "too much held out": ({"test": 0.9}, "less than half"),
    "wrong format": ({"format": "pubtator"}, "notes.jsonl:1"),
    "folder expected": ({"format": "brat"}, "folder"),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("existing", [False, True])
def test_a_refusal_writes_nothing(add: Add, tmp_path: Path, case: str, existing: bool) -> None:
    changes, words = REFUSALS[case]
    if existing:
        add(name="first", types={"Disorder": "Disease", "Drug": "Drug"})
    else:
        write_jsonl(tmp_path / "notes.jsonl", [note(i) for i in range(20)])
    before = everything(tmp_path)
    with pytest.raises(ZooError) as error:
        add(**changes)
    assert words in str(error.value)
    assert everything(tmp_path) == before
    assert (tmp_path / "registry").exists() == existing


def broken_line(path: Path) -> str:
    with path.open("a") as file:
        file.write('{"id": "x", "text": "short", "spans": [{"start": 2, "end": 99, "type": "Drug"}]}\n')
    return "notes.jsonl:21"


def too_few(path: Path) -> str:
    write_jsonl(path, [note(i) for i in range(9)])
    return "9 documents are too few"


def repeated_id(path: Path) -> str:
    write_jsonl(path, [note(i) for i in [*range(20), 3]])
    return "'note-3'"


def no_mention(path: Path) -> str:
    write_jsonl(path, [{**note(i), "spans": []} for i in range(20)])
    return "holds no mention"


def one_mention(path: Path) -> str:
    write_jsonl(path, [{**note(i), "spans": note(i)["spans"] if i == 0 else []} for i in range(20)])
    return "split holds no mention"


def empty(path: Path) -> str:
    path.write_text("")
    return "no document"


@pytest.mark.parametrize("damage", [broken_line, too_few, repeated_id, no_mention, one_mention, empty])
def test_bad_data_writes_nothing(add: Add, tmp_path: Path, damage: Callable[[Path], str]) -> None:
    write_jsonl(tmp_path / "notes.jsonl", [note(i) for i in range(20)])
    words = damage(tmp_path / "notes.jsonl")
    with pytest.raises(ZooError) as error:
        add()
    assert words in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.jsonl"]


def test_one_id_in_two_files(add: Add, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_jsonl(tmp_path / "many" / f"{name}.jsonl", [note(i) for i in range(10)])
    with pytest.raises(ZooError, match=r"'note-0' stands in a\.jsonl too"):
        add(path=tmp_path / "many")


def test_dev_or_test_without_train(add: Add, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "given" / "test.jsonl", [note(1)])
    with pytest.raises(ZooError, match="there is a test split, but no train split"):
        add(path=tmp_path / "given")


def test_two_candidates_for_a_split(add: Add, tmp_path: Path) -> None:
    for name in ("train", "dev", "valid", "test"):
        write_jsonl(tmp_path / "given" / f"{name}.jsonl", [note(1)])
    with pytest.raises(ZooError, match=r"dev\.jsonl and valid\.jsonl"):
        add(path=tmp_path / "given")


def test_a_folder_without_such_files(add: Add, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ZooError, match="has no jsonl file"):
        add(path=tmp_path / "none")


def test_an_id_is_added_once(add: Add, tmp_path: Path) -> None:
    add()
    before = everything(tmp_path)
    with pytest.raises(ZooError, match="'my-notes' is taken"):
        add(seed=14)
    assert everything(tmp_path) == before


def test_splits_without_an_entry_are_not_overwritten(add: Add, tmp_path: Path) -> None:
    mine = write_jsonl(tmp_path / "registry" / "splits" / "my-notes" / "train.jsonl", [note(i) for i in range(20)])
    before = everything(tmp_path)
    with pytest.raises(ZooError, match="splits of that id"):
        add(path=mine)
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before and not list(tmp_path.rglob("*.yaml"))


def test_a_local_copy_that_would_be_read_instead_is_refused(add: Add, tmp_path: Path) -> None:
    (tmp_path / "corpora" / "my-notes").mkdir(parents=True)
    with pytest.raises(ZooError, match="would be read instead"):
        add(local=tmp_path / "corpora")


def test_the_label_space_is_full(add: Add, tmp_path: Path) -> None:
    labels = load_registry().labels
    room = (labels.capacity or 0) - len(labels.types)
    folder = tmp_path / "registry"
    folder.mkdir()
    (folder / "labels.yaml").write_text(
        "types:\n" + "".join(f"  - {{name: T{i}, description: x}}\n" for i in range(room))
    )
    with pytest.raises(ZooError, match="do not fit"):
        add(types={"Disorder": "Disease", "Drug": "Drug"})


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(add: Add, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir(mode=0o500)
    with pytest.raises(ZooError, match="cannot write"):
        add()


def test_a_file_where_the_registry_folder_should_be(add: Add, tmp_path: Path) -> None:
    (tmp_path / "registry").write_text("")
    with pytest.raises(ZooError, match="cannot write to the registry folder"):
        add()
