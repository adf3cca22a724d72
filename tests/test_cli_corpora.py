"""`zoo corpora ...` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import write_tiny_corpus
from tests.in_process import Zoo
from tests.loopback_files import FileServer, Reply, serve_files

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files() as files:
        yield files


def write_entry(registry: Path, server: FileServer, name: str = "demo", *replies: Reply) -> Path:
    """An overlay entry whose files lie on the server."""
    files = {}
    for split in ("train", "dev", "test"):
        content = f"Aspirin\tB-Chemical\nin\tO\n{name}-{split}\tO\n".encode()
        file = server.put(f"/{name}/{COMMIT}/{split}.tsv", content, *replies)
        files[split] = {"url": file.url, "sha256": file.sha256, "size_bytes": file.size_bytes}
    entry = {
        "id": name,
        "title": name,
        "description": "Made in a test.",
        "format": "conll",
        "unit": "sentence",
        "types": {"Chemical": "Chemical"},
        "license": {"spdx": "CC0-1.0", "source": "a test", "publishable": True},
        "sources": [{"kind": "url", "files": files}],
    }
    (registry / "corpora").mkdir(parents=True, exist_ok=True)
    (registry / "corpora" / f"{name}.yaml").write_text(yaml.safe_dump(entry))
    return registry


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} not in:\n{done.stderr}"


def test_list_names_every_corpus_and_where_it_is(zoo: Zoo, tmp_path: Path) -> None:
    write_tiny_corpus(tmp_path / "corpora" / "bc2gm")
    rows: list[dict[str, Any]] = json.loads(
        zoo("corpora", "list", "--json", ZOO_CORPORA=str(tmp_path / "corpora")).stdout
    )
    by_id = {row["id"]: row for row in rows}
    assert {"cll", "gellus", "fsu", "bc2gm", "sample-gene"} <= set(by_id)
    assert by_id["bc2gm"]["files"] == "local copy" and by_id["sample-gene"]["files"] == "bundled"
    assert by_id["fsu"]["files"] == "to fetch"
    assert by_id["cll"]["splits"]["train"]["documents"] == 127 and by_id["cll"]["entity_types"] == ["Cell_line"]
    table = zoo("corpora", "list").stdout
    assert "127 / 21 / 60" in table and "CC-BY-SA-3.0" in table


def test_fetch_then_work_offline(zoo: Zoo, tmp_path: Path, server: FileServer) -> None:
    registry = write_entry(tmp_path / "registry", server)
    online = {"HF_HUB_OFFLINE": "0", "ZOO_CACHE": str(tmp_path / "cache")}
    (row,) = json.loads(zoo("corpora", "fetch", "demo", "--registry", registry, "--json", **online).stdout)
    assert row == {
        "corpus": "demo",
        "status": "locked",
        "documents": 3,
        "mentions": 3,
        "source": "127.0.0.1/demo at commit 0123456789ab",
    }
    assert len(server.requests) == 3
    offline = {"ZOO_OFFLINE": "1", "ZOO_CACHE": str(tmp_path / "cache")}
    shown = zoo("corpora", "show", "demo", "--registry", registry, **offline).stdout
    assert "127.0.0.1/demo at commit 0123456789ab" in shown and "[Aspirin] in demo-train" in shown
    assert len(server.requests) == 3


def test_a_project_with_mirrors_fetches_from_them(zoo: Zoo, tmp_path: Path, server: FileServer) -> None:
    registry = write_entry(tmp_path / "registry", server)
    path = registry / "corpora" / "demo.yaml"
    path.write_text(path.read_text().replace(server.url, "https://home.example"))
    (tmp_path / "zoo.toml").write_text(f'registry = "registry"\n[mirrors]\n"https://home.example" = "{server.url}"\n')
    online = {"HF_HUB_OFFLINE": "0", "ZOO_CACHE": str(tmp_path / "cache")}
    (row,) = json.loads(zoo("corpora", "fetch", "demo", "--json", **online).stdout)
    assert (row["status"], row["source"]) == ("locked", "home.example/demo at commit 0123456789ab")
    assert len(server.requests) == 3


def test_fetch_offline_says_how_to_go_on(zoo: Zoo, tmp_path: Path, server: FileServer) -> None:
    registry = write_entry(tmp_path / "registry", server)
    done = zoo("corpora", "fetch", "demo", "--registry", registry, check=None, ZOO_CACHE=str(tmp_path / "cache"))
    refused(done, "demo", "offline", "ZOO_CORPORA")
    assert server.requests == [] and not (tmp_path / "cache").exists()


def test_one_that_fails_does_not_stop_the_others(zoo: Zoo, tmp_path: Path, server: FileServer) -> None:
    registry = write_entry(tmp_path / "registry", server, "bad", Reply(status=404))
    write_entry(registry, server, "good")
    online = {"HF_HUB_OFFLINE": "0", "ZOO_CACHE": str(tmp_path / "cache")}
    done = zoo("corpora", "fetch", "bad", "good", "--registry", registry, "--json", check=1, **online)
    bad, good = json.loads(done.stdout)
    assert (bad["status"], good["status"]) == ("failed", "locked")
    assert "HTTP 404" in bad["source"] and "fix:" in done.stderr and "Traceback" not in done.stderr


def test_fetch_needs_names_or_all(zoo: Zoo) -> None:
    refused(zoo("corpora", "fetch", check=None), "--all")
    refused(zoo("corpora", "fetch", "cll", "--all", check=None), "--all")
    refused(zoo("corpora", "fetch", "linaeus", check=None), "did you mean linnaeus")
    refused(zoo("corpora", "fetch", "fsu", check=None, ZOO_CACHE="empty"), "fsu", "ZOO_CORPORA")


def test_show_in_words_and_json(zoo: Zoo) -> None:
    shown = zoo("corpora", "show", "sample-gene").stdout
    for words in ("Sample Gene", "CC0-1.0", "fingerprints as registered", "Gene: 333 mentions", "words:", "frequent:"):
        assert words in shown
    view = json.loads(zoo("corpora", "show", "sample-gene", "--json").stdout)
    assert view["types"]["Gene"]["mentions"] == 333 and view["verified"] is True
    assert sum(split["mentions"] for split in view["splits"].values()) == 333


def test_show_writes_a_page(zoo: Zoo, tmp_path: Path) -> None:
    done = zoo("corpora", "show", "sample-gene", "--html", "gene.html")
    assert "gene.html" in done.stdout
    html = (tmp_path / "gene.html").read_text()
    assert "<svg" in html and "<mark>" in html and "http" not in html.replace("http-equiv", "")
    refused(zoo("corpora", "show", "sample-gene", "--html", "nowhere/gene.html", check=None), "cannot write the file")


def test_add_then_load_and_plan(zoo: Zoo, tmp_path: Path) -> None:
    write_tiny_corpus(tmp_path / "source", repeats=3)
    (tmp_path / "source" / "train.jsonl").rename(tmp_path / "notes.jsonl")
    command = (
        "corpora",
        "add",
        "my-notes",
        "--format",
        "jsonl",
        "--path",
        "notes.jsonl",
        "--dev",
        "0.2",
        "--test",
        "0.2",
    )
    done = zoo(*command, "--types", "Disease,Chemical=Remedy", check=None)
    refused(done, "6 documents are too few")  # copies of one text count once
    assert not (tmp_path / "registry").exists()
    lines = [json.loads(line) for line in (tmp_path / "notes.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        line["text"] += f" Visit {number}."
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = zoo(*command, "--types", "Disease,Chemical=Remedy")
    assert "zoo build minilm-l6/my-notes --registry registry" in done.stdout
    assert "new in the label space of registry: Remedy" in done.stdout
    view = json.loads(zoo("corpora", "show", "my-notes", "--registry", "registry", "--json").stdout)
    assert view["verified"] and set(view["types"]) == {"Disease", "Remedy"}
    assert sum(split["documents"] for split in view["splits"].values()) == 18
    plan = zoo("build", "minilm-l6/my-notes", "--registry", "registry", "--dry-run", "--json").stdout
    assert [stage["state"] for stage in json.loads(plan)["stages"]] == ["new"] * 3
    refused(zoo(*command, "--types", "Disease,Chemical", check=None), "'my-notes' is taken")
    other = zoo(*command, "--types", "Disease,Chemical", "--registry", "other", "--json").stdout
    assert json.loads(other)["entry"]["types"] == {"Disease": "Disease", "Chemical": "Chemical"}
    private = zoo("corpora", "show", "my-notes", "--registry", "registry", "--html", "page.html", "--json")
    assert json.loads(private.stdout)["id"] == "my-notes" and "aspirin" not in (tmp_path / "page.html").read_text()


def test_add_without_some_types_in_another_language(zoo: Zoo, tmp_path: Path) -> None:
    write_tiny_corpus(tmp_path / "notes")
    command = ("corpora", "add", "x", "--format", "jsonl", "--path", "notes", "--types", "Disease", "--language", "de")
    refused(zoo(*command, check=None), "--types does not name Chemical", "--ignore-types Chemical")
    done = zoo(*command, "--ignore-types", "Chemical, ")
    assert "mentions of the ignored type Chemical left out: 90" in done.stdout
    view = json.loads(zoo("corpora", "show", "x", "--registry", "registry", "--json").stdout)
    assert set(view["types"]) == {"Disease"}
    assert "language: de" in (tmp_path / "registry" / "corpora" / "x.yaml").read_text()


def test_all_types_and_a_table_of_what_was_found(zoo: Zoo, tmp_path: Path) -> None:
    write_tiny_corpus(tmp_path / "notes")
    command = ("corpora", "add", "x", "--format", "jsonl", "--path", "notes", "--types")
    found = json.loads(zoo(*command, "all", "--registry", "one", "--json").stdout)
    assert set(found["found_types"]) == {"Disease", "Chemical"}
    assert found["entry"]["types"] == {"Disease": "Disease", "Chemical": "Chemical"}
    done = zoo(*command, "all,Chemical=Drug", "--registry", "two")
    rows = [line.split() for line in done.stdout.splitlines()]
    number = str(found["found_types"]["Chemical"])
    assert ["Chemical", number, "Drug"] in rows and "build minilm-l6/x" in done.stdout


def test_a_test_split_alone_is_evaluated_and_not_trained_on(zoo: Zoo, tmp_path: Path) -> None:
    write_tiny_corpus(tmp_path / "notes")
    (tmp_path / "given").mkdir()
    (tmp_path / "notes" / "test.jsonl").rename(tmp_path / "given" / "My_TestSet.jsonl")
    done = zoo("corpora", "add", "x", "--format", "jsonl", "--path", "given", "--types", "all")
    assert "next: zoo evaluate MODEL x" in done.stdout
    mine = ("--registry", "registry")
    refused(zoo("evaluate", "none", "x", "--split", "dev", *mine, check=None), "no dev split", "--split test")
    refused(zoo("build", "minilm-l6/x", "--dry-run", *mine, check=None), "a test split alone", "zoo evaluate MODEL x")
    listed = {row["id"] for row in json.loads(zoo("list", *mine, "--json").stdout)}
    assert "minilm-l6/x" not in listed and "minilm-l6/sample-gene" in listed
    assert "seen in train" in zoo("corpora", "show", "x", *mine).stdout
    assert json.loads(zoo("corpora", "check", "x", *mine, "--json").stdout)["within"] == []


@pytest.mark.parametrize("types", ["=Disease", "Disease=", "Disease,Disease"])
def test_malformed_types(zoo: Zoo, tmp_path: Path, types: str) -> None:
    write_tiny_corpus(tmp_path / "notes")
    done = zoo("corpora", "add", "x", "--format", "jsonl", "--path", "notes", "--types", types, check=None)
    refused(done, "--types")
    assert not (tmp_path / "registry").exists()


def test_the_licence_of_ones_own_corpus_is_an_spdx_id(zoo: Zoo, tmp_path: Path) -> None:
    write_tiny_corpus(tmp_path / "data")
    given = ("corpora", "add", "mine", "--format", "jsonl", "--path", "data", "--types", "Disease,Chemical")
    refused(zoo(*given, "--license", "CC-BY", check=None), "'CC-BY' is no SPDX licence id", "--license", "CC-BY-4.0")
    assert not (tmp_path / "registry").exists()
    zoo(*given, "--license", "cc-by-4.0", "--publishable")
    entry = yaml.safe_load((tmp_path / "registry" / "corpora" / "mine.yaml").read_text())
    assert (entry["license"]["spdx"], entry["license"]["publishable"]) == ("CC-BY-4.0", True)


@pytest.mark.parametrize("arguments", [("show", "notes"), ("corpora", "list", "--json")])
def test_output_is_utf8_whatever_the_locale_says(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A process of its own: what is decided here is decided before the command runs."""
    entry = {
        "id": "notes",
        "title": "診療記録",
        "description": "Made in a test.",
        "format": "conll",
        "unit": "sentence",
        "types": {"Chemical": "Chemical"},
        "license": {"spdx": "CC0-1.0", "source": "a test", "publishable": True},
    }
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "notes.yaml").write_text(yaml.safe_dump(entry, allow_unicode=True), encoding="utf-8")
    command = [sys.executable, "-m", "zoo", *arguments, "--registry", str(tmp_path)]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode("utf-8")
    assert "診療記録" in text
