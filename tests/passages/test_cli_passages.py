"""`zoo passages ...` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.in_process import Zoo
from tests.passages.test_mixture import prose

CORPUS = """
id: mine
title: Mine
description: Made in a test.
format: jsonl
unit: sentence
types: {Disease: Disease}
license: {spdx: CC0-1.0, source: a test, publishable: true}
sources: [{kind: bundled, path: splits}]
"""
PASSAGES = """
id: notes
title: Our notes
format: mimic-csv
license: {spdx: NOASSERTION, source: a test, publishable: false, note: Ours alone.}
weight: 0.5
"""


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    folder = tmp_path / "registry"
    for name in ("corpora", "passages", "splits"):
        (folder / name).mkdir(parents=True)
    (folder / "corpora" / "mine.yaml").write_text(CORPUS)
    (folder / "passages" / "notes.yaml").write_text(PASSAGES)
    for split in ("train", "dev", "test"):
        text = f"{prose(split, 20)} has asthma"
        (folder / "splits" / f"{split}.jsonl").write_text(json.dumps({"id": "a", "text": text, "spans": []}) + "\n")
    return folder


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """40 notes of 20 patients, one with a test sentence, one an error, one too short."""
    folder = tmp_path / "local"
    folder.mkdir()
    rows = ["ROW_ID,SUBJECT_ID,CATEGORY,ISERROR,TEXT"]
    for number in range(40):
        text = prose("short", 4) if number == 3 else prose(number)
        text += f" {prose('test', 20)} has asthma." if number == 5 else ""
        rows.append(f'{number},{number // 2},ECG,{int(number == 9)},"{text}"')
    (folder / "notes.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_list_says_where_passages_are(zoo: Zoo, registry: Path, local: Path) -> None:
    shown = zoo("passages", "list", "--registry", registry, "--json", ZOO_PASSAGES=str(local)).stdout
    rows: dict[str, dict[str, Any]] = {row["id"]: row for row in json.loads(shown)}
    assert {name: row["files"] for name, row in rows.items()} == {
        "arxiv-abstracts": "no source",
        "clinicaltrials-gov": "no source",
        "mimic-iii-notes": "no source",
        "notes": "local copy",
        "pubmed-abstracts": "no source",
        "sample-passages": "bundled",
    }
    assert rows["notes"]["weight"] == 0.5 and rows["notes"]["publishable"] is False
    table = zoo("passages", "list").stdout
    assert "pubmed-abstracts" in table and "NOASSERTION" in table


def test_show(zoo: Zoo, registry: Path, local: Path) -> None:
    found = {"ZOO_PASSAGES": str(local)}
    shown = zoo("passages", "show", "notes", "--registry", registry, **found).stdout
    for text in (
        "Our notes (mimic-csv)",
        "may not be published",
        "Ours alone.",
        "weight 0.5",
        "local copy",
        "mimic-0:",
    ):
        assert text in shown
    data = json.loads(zoo("passages", "show", "notes", "--registry", registry, "--json", **found).stdout)
    assert [item["id"] for item in data["examples"]] == ["mimic-0", "mimic-1", "mimic-2"]
    assert data["file_count"] == 1 and data["size_bytes"] == (local / "notes.csv").stat().st_size
    away = zoo("passages", "show", "pubmed-abstracts").stdout
    assert "ZOO_PASSAGES/pubmed-abstracts/" in away and "https://pubmed.ncbi.nlm.nih.gov/download/" in away


def test_check_counts_what_would_be_kept(zoo: Zoo, registry: Path, local: Path) -> None:
    arguments = ("passages", "check", "notes", "sample-passages", "--registry", registry)
    report = json.loads(zoo(*arguments, "--json", ZOO_PASSAGES=str(local)).stdout)
    notes = report["counts"]["entries"]["notes"]
    assert notes["skipped"] == {"note marked as an error": 1}
    assert (notes["read"], notes["too_short"], notes["test_overlap"]) == (39, 1, 1)
    assert notes["kept_train"] + notes["kept_heldout"] == 37
    total = report["counts"]["total"]
    assert total["read"] == 39 + 344 and total["kept_heldout"] == round(0.05 * (37 + 344))
    assert "mine" in report["test_sets"] and "corpora/fsu" in report["not_checked"]
    assert report["licenses"] == ["NOASSERTION", "CC0-1.0"] and report["publishable"] is False
    assert len(report["fingerprint"]) == 64
    shown = zoo(*arguments, ZOO_PASSAGES=str(local)).stdout
    for text in (
        "near duplicates",
        "notes: 1 not read: note marked as an error",
        "not to be published: passages notes",
    ):
        assert text in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "pubmed-abstract"), ("did you mean pubmed-abstracts",)),
        (("check", "mimic-iii-notes"), ("not on this machine", "https://physionet.org/", "ZOO_PASSAGES=DIR")),
        (("show", "nothing"), ("unknown passages",)),
        (("check", "sample-passages", "sample-passages"), ("named twice",)),
    ],
)
def test_bad_input_is_one_message(arguments: tuple[str, ...], words: tuple[str, ...], zoo: Zoo) -> None:
    done = zoo("passages", *arguments, check=2)
    assert "Traceback" not in done.stderr and done.stderr.count("error:") == 1
    assert all(word in done.stderr for word in words), done.stderr


def test_a_folder_that_is_not_there(zoo: Zoo) -> None:
    done = zoo("passages", "list", check=2, ZOO_PASSAGES="absent")
    assert "ZOO_PASSAGES" in done.stderr and "does not exist" in done.stderr


def test_the_leakage_check_reads_local_copies(zoo: Zoo, registry: Path, local: Path) -> None:
    arguments = ("corpora", "check", "mine", "--passages", "notes", "--registry", registry, "--json")
    (held,) = json.loads(zoo(*arguments, ZOO_PASSAGES=str(local)).stdout)["passages"]
    assert (held["passages"], held["passages_read"], held["passages_hit"]) == ("notes", 39, 1)
