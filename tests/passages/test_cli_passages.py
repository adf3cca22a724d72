"""`zoo passages ...` as a user runs it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.in_process import Zoo
from tests.passages.homes import serve_homes
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
        "arxiv-abstracts": "to fetch",
        "clinicaltrials-gov": "to fetch",
        "mimic-iii-notes": "no source",
        "notes": "local copy",
        "open-clinical-notes": "to fetch",
        "pubmed-abstracts": "to fetch",
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
    assert "run zoo passages fetch pubmed-abstracts" in away
    assert "ZOO_PASSAGES/pubmed-abstracts/" in away and "https://pubmed.ncbi.nlm.nih.gov/download/" in away


def test_fetch(zoo: Zoo, registry: Path, tmp_path: Path) -> None:
    table = "ID,text\n" + "".join(f"{number},{prose(number)}\n" for number in range(40))
    with serve_homes() as homes:
        homes.notes["/notes.csv"] = table.encode()
        pin = hashlib.sha256(table.encode()).hexdigest()
        file = f"{{name: demo, url: {homes.url}/notes.csv, sha256: {pin}, text_column: text, id_column: ID, source: x}}"
        source = f"sources: [{{kind: notes-csv, files: [{file}]}}]\n"
        (registry / "passages" / "notes.yaml").write_text(PASSAGES + source)
        online = {"ZOO_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        failed = zoo("passages", "fetch", "notes", "--registry", registry, check=2, **online, ZOO_OFFLINE="1")
        assert "this is offline" in failed.stderr and not homes.asked
        done = json.loads(zoo("passages", "fetch", "notes", "--registry", registry, "--json", **online).stdout)
        day = datetime.now(timezone.utc).date().isoformat()
        row = {"passages": "notes", "records": 40, "parts": 1, "fetched": day, "source": "notes-csv"}
        assert done == [{**row, "status": "locked now"}]
        again = zoo("passages", "fetch", "notes", "--registry", registry, **online)
        assert "as locked" in again.stdout and len(homes.asked) == 1
    lock = (tmp_path / "zoo.lock.yaml").read_text()
    assert pin in lock and "records: 40" in lock
    listed = json.loads(zoo("passages", "list", "--registry", registry, "--json", **online).stdout)
    assert {row["files"] for row in listed if row["id"] == "notes"} == {"fetched"}
    checked = json.loads(zoo("passages", "check", "notes", "--registry", registry, "--json", **online).stdout)
    assert checked["counts"]["total"]["read"] == 40


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
        (("fetch", "mimic-iii-notes"), ("no home to fetch mimic-iii-notes from", "https://physionet.org/")),
        (("fetch",), ("name passages, or say --all",)),
        (("fetch", "pubmed-abstracts"), ("this is offline", "unset HF_HUB_OFFLINE")),
        (("check", "pubmed-abstracts"), ("run zoo passages fetch pubmed-abstracts",)),
        (("show", "nothing"), ("unknown passages",)),
        (("check", "sample-passages", "sample-passages"), ("named twice",)),
    ],
)
def test_bad_input_is_one_message(arguments: tuple[str, ...], words: tuple[str, ...], zoo: Zoo, tmp_path: Path) -> None:
    done = zoo("passages", *arguments, check=2, ZOO_CACHE=str(tmp_path / "cache"))
    assert "Traceback" not in done.stderr and done.stderr.count("error:") == 1
    assert all(word in done.stderr for word in words), done.stderr


def test_a_folder_that_is_not_there(zoo: Zoo) -> None:
    done = zoo("passages", "list", check=2, ZOO_PASSAGES="absent")
    assert "ZOO_PASSAGES" in done.stderr and "does not exist" in done.stderr


def test_the_leakage_check_reads_local_copies(zoo: Zoo, registry: Path, local: Path) -> None:
    arguments = ("corpora", "check", "mine", "--passages", "notes", "--registry", registry, "--json")
    (held,) = json.loads(zoo(*arguments, ZOO_PASSAGES=str(local)).stdout)["passages"]
    assert (held["passages"], held["passages_read"], held["passages_hit"]) == ("notes", 39, 1)
