"""A user's own data becomes a corpus: checked, split by document, in their own registry folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpora.notes import Add, everything, note, write_brat, write_jsonl
from tests.in_process import Zoo
from zoo.corpora.document import fingerprints
from zoo.corpora.load import load_corpus
from zoo.corpora.overview import overview
from zoo.errors import ZooError
from zoo.evaluation.leakage import check_corpora
from zoo.modeling.windows import Entity
from zoo.registry.loader import load_registry
from zoo.registry.schema import SPLITS
from zoo.tagging.outputs.format import Run
from zoo.tagging.outputs.output import Output
from zoo.tagging.texts import Tagged, Text


def sentences(number: int) -> str:
    return f"Report\tO\n{number}\tO\n\nNo\tO\nasthma\tB-Disorder\n{number}\tO\n\n"


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
    assert add(path=folder).notes == (
        "warning: there is no dev split; it is drawn from train",
        "dev (10 %) drawn by document from 20, seed 13",
    )
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


@pytest.mark.parametrize(
    "labels", ["", "# mine\ntypes:\n  - {name: Old, description: x}\n", "capacity: 66\ntypes: []\n"]
)
def test_many_types_raise_the_capacity_of_ones_own_label_space(add: Add, tmp_path: Path, labels: str) -> None:
    """MACCROBAT has 41 types, and the packaged label space room for fewer beside its own."""
    folder, packaged = tmp_path / "registry", load_registry().labels
    names = [f"Kind{i}" for i in range(41)]
    if labels:
        folder.mkdir()
        (folder / "labels.yaml").write_text(labels)
    notes = [note(i) for i in range(41)]
    for name, item in zip(names, notes, strict=True):
        item["spans"][0]["type"] = name
        item["spans"] = item["spans"][:1]
    added = add(path=write_jsonl(tmp_path / "many.jsonl", notes), types={name: name for name in names})
    assert added.new_types == tuple(names) and "room for 128 types now" in added.notes[-1]
    found = load_registry(folder).labels
    assert found.capacity == 128 and len(found.types) > 64 and load_registry().labels == packaged
    assert not labels.startswith("#") or (folder / "labels.yaml").read_text().startswith("# mine\ncapacity: 128\n")
    again = add(name="again", types={"Disorder": "Disease", "Drug": "Drug"})
    assert "room for" not in " ".join(again.notes) and load_registry(folder).labels.capacity == 128


def test_a_corpus_may_be_publishable(add: Add, tmp_path: Path) -> None:
    add(license_spdx="CC-BY-4.0", publishable=True)
    entry = load_registry(tmp_path / "registry").corpus("my-notes")
    assert (entry.license.spdx, entry.license.publishable, entry.license.note) == ("CC-BY-4.0", True, "")


def test_types_that_are_ignored_are_left_out_and_counted(add: Add, tmp_path: Path) -> None:
    notes = [note(i) for i in range(20)]
    for item in notes:  # they overlap each other and a mention that stays
        start, (disorder, drug) = item["text"].index("Patient"), item["spans"]
        item["spans"].append({"start": start, "end": disorder["end"], "type": "Visit"})
        item["spans"].append({"start": start, "end": drug["end"], "type": "Section"})
    folder = write_brat(tmp_path / "brat", notes)
    types = {"Disorder": "Disease"}
    with pytest.raises(ZooError, match=r"does not name .*; the data has") as error:
        add(format="brat", path=folder, types=types)
    names = set(str(error.value).partition("--ignore-types ")[2].partition(" to leave")[0].split(","))
    assert names == {"Drug", "Visit", "Section"}
    added = add(format="brat", path=folder, types=types, ignored_types=tuple(sorted(names)))
    assert set(added.notes[1:]) == {f"mentions of the ignored type {name} left out: 20" for name in names}
    assert "ignored type Visit left out: 20" in added.corpus.entry.note
    assert added.corpus.entry.entity_types == ("Disease",)
    for documents in added.corpus.splits.values():
        assert [[d.text[s.start : s.end] for s in d.spans] for d in documents] == [["asthma"]] * len(documents)
    read_again(tmp_path)


def test_the_language_is_kept(add: Add, tmp_path: Path) -> None:
    add(language="de")
    assert load_registry(tmp_path / "registry").corpus("my-notes").language == "de"


def test_overlaps_are_dropped_by_policy_only_and_counted_at_every_reading(add: Add, tmp_path: Path) -> None:
    notes = [note(i) for i in range(20)]
    for item in notes:
        start = item["text"].index("Patient")
        item["spans"].append({"start": start, "end": item["spans"][0]["end"], "type": "Disorder"})
    write_jsonl(tmp_path / "nested.jsonl", notes)
    with pytest.raises(ZooError, match="shares characters") as error:
        add(path=tmp_path / "nested.jsonl", overlaps="error")
    assert "--overlaps longest" in str(error.value)
    added = add(path=tmp_path / "nested.jsonl", overlaps="longest")
    assert sum(added.corpus.repairs.values()) == 20
    assert added.corpus.entry.splits["train"].mentions == 28
    registry = load_registry(tmp_path / "registry")
    again = load_corpus(registry.corpus("my-notes"), registry_folder=tmp_path / "registry")
    assert again.repairs == added.corpus.repairs
    kept = add(name="kept", path=tmp_path / "nested.jsonl")
    assert kept.corpus.entry.overlaps == "keep" and kept.corpus.entry.splits["train"].mentions == 42
    assert "overlaps: keep; mentions inside another: 20" in kept.notes


def test_discontinuous_mentions_survive_the_writing(add: Add, tmp_path: Path) -> None:
    notes = [note(i) for i in range(20)]
    for item in notes:
        item["spans"] = [{"start": 0, "end": 7, "type": "Disorder", "fragments": [[0, 4], [5, 7]]}, *item["spans"]]
    path = write_jsonl(tmp_path / "broken.jsonl", notes)
    with pytest.raises(ZooError, match="discontinuous"):
        add(path=path, overlaps="error")
    added = add(path=path)
    assert added.corpus.entry.overlaps == "keep" and "discontinuous: 20" in " ".join(added.notes)
    assert added.corpus.splits["train"][0].spans[0].fragments == ((0, 4), (5, 7))


def test_what_was_tagged_nested_and_discontinuous_becomes_a_corpus_as_it_was(add: Add, tmp_path: Path) -> None:
    parts = ((0, 1), (8, 13))
    found = [Entity(0, 13, "Disorder", 0.9, None, parts), Entity(6, 7, "Drug", 0.9), Entity(6, 13, "Disorder", 0.9)]
    output = Output(tmp_path / "tagged", Run(["m"]), "x")
    with output.writing():
        for number in range(12):
            output.add(Tagged(Text(str(number), f"T and B cells of {number}"), (found,)))
    added = add(path=tmp_path / "tagged", format="brat", overlaps="keep")
    registry = load_registry(tmp_path / "registry")
    corpus = load_corpus(registry.corpus("my-notes"), registry_folder=tmp_path / "registry")
    expected = {replace(entity, type=added.types[entity.type]).key for entity in found}
    documents = [document for split in SPLITS for document in corpus.splits[split]]
    assert len(documents) == 12 and all({span.key for span in d.spans} == expected for d in documents)
    assert corpus.fingerprints == {split: fingerprints(corpus.splits[split])[1] for split in SPLITS}  # with fragments


def test_all_types_are_taken(add: Add) -> None:
    added = add(types={"Disorder": "Disease"}, all_types=True)
    assert dict(added.types) == {"Disorder": "Disease", "Drug": "Drug"} and added.new_types == ("Drug",)
    assert dict(added.found_types) == {"Disorder": 20, "Drug": 20}
    assert add(name="b", types={}, all_types=True, ignored_types=("Drug",)).corpus.entry.entity_types == ("Disorder",)


def test_a_test_split_alone_is_a_corpus_for_evaluation(add: Add, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "given" / "Test.jsonl", [note(1), note(2)])
    added = add(path=tmp_path / "given")
    entry = added.corpus.entry
    assert entry.for_evaluation_only and list(added.corpus.splits) == ["test"] and entry.splits["test"].documents == 2
    assert read_again(tmp_path) == {"test": ["note-1", "note-2"]}
    view = overview(added.corpus)
    assert view.splits["test"].seen_in_train is None and view.types["Disease"].examples[0].split == "test"
    registry = load_registry(tmp_path / "registry")
    with pytest.raises(ZooError, match="has a test split alone"):
        registry.checkpoint("minilm-l6/my-notes")
    within, across = check_corpora([added.corpus])
    assert within == across == ()


def test_corrections_become_a_corpus_and_later_ones_join_it(zoo: Zoo, tmp_path: Path) -> None:
    write_brat(tmp_path / "kept", [note(i) for i in range(20)])
    command = ("corpora", "add", "mine", "--corrections", tmp_path / "kept", "--registry", tmp_path / "registry")
    zoo(*command)
    before = read_again(tmp_path, "mine")
    write_brat(tmp_path / "more", [note(i) for i in range(20, 30)])
    for path in (tmp_path / "more").iterdir():
        path.rename(tmp_path / "kept" / path.name)
    (tmp_path / "kept" / "note-3.ann").write_text("")
    said = zoo(*command).stdout
    after = read_again(tmp_path, "mine")
    assert sum(map(len, after.values())) == 30 and "drawn by a hash" in said
    assert all(set(before[split]) <= set(after[split]) for split in SPLITS)
    assert {path.name for path in (tmp_path / "registry" / "splits").iterdir()} == {"mine"}
    (tmp_path / "kept" / "note-5.ann").write_text("T1\tDisorder 3 9\twrong\n")
    whole = everything(tmp_path / "registry")
    assert "note-5.ann:1" in zoo(*command, check=2).stderr
    assert everything(tmp_path / "registry") == whole


def test_corrections_take_no_place_of_other_corpora(zoo: Zoo, add: Add, tmp_path: Path) -> None:
    add()
    write_brat(tmp_path / "kept", [note(i) for i in range(20)])
    start = ("corpora", "add", "--registry", tmp_path / "registry", "--corrections", tmp_path / "kept")
    assert "'my-notes' is taken" in zoo(*start, "my-notes", check=2).stderr
    assert "either --path and --format, or --corrections" in zoo(*start, "new", "--path", "x", check=2).stderr
