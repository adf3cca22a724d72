"""`zoo ontologies ...` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.in_process import Zoo
from tests.loopback_files import FileServer, Reply, serve_files

TABLE = b"id\tname\tsynonyms\nX:1\tasthma\tbronchial asthma\nX:2\tgout\n"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files() as files:
        yield files


def write_entry(registry: Path, url: str, name: str = "demo") -> Path:
    entry = {
        "id": name,
        "title": name,
        "description": "Made in a test.",
        "format": "table",
        "license": {"spdx": "CC0-1.0", "source": "a test", "publishable": True},
        "sources": [{"kind": "url", "files": [{"url": url}]}],
    }
    (registry / "ontologies").mkdir(parents=True, exist_ok=True)
    (registry / "ontologies" / f"{name}.yaml").write_text(yaml.safe_dump(entry))
    return registry


def test_a_csv_becomes_an_ontology_in_one_command(zoo_process: Zoo, tmp_path: Path) -> None:
    rows = "".join(f"A{number:03},condition {number}\n" for number in range(200))
    (tmp_path / "codes.csv").write_text(f"code,term\n{rows}")
    done = zoo_process("ontologies", "add", "my-codes", "--path", "codes.csv", "--id-prefix", "ICD")
    assert "200 concepts with 200 names" in done.stdout and "ICD:A000 condition 0" in done.stdout
    assert "zoo ontologies check my-codes --registry registry" in " ".join(done.stdout.split())
    shown = zoo_process("ontologies", "show", "my-codes", "A007", "--registry", "registry").stdout
    assert shown == "ICD:A007  condition 7\n"
    (row,) = json.loads(zoo_process("ontologies", "check", "my-codes", "--registry", "registry", "--json").stdout)
    assert (row["concepts"], row["repairs"], row["shared_names"]) == (200, [], 0)


def test_bad_input_is_one_message(zoo_process: Zoo, tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text("code,term\nA01,typhoid,fever\n")
    done = zoo_process("ontologies", "add", "my-codes", "--path", "codes.csv", check=2)
    assert done.stderr.startswith("error: 3 columns, the first line names 2\n  where: codes.csv:2\n")
    assert "Traceback" not in done.stderr and not (tmp_path / "registry").exists()


def test_repairs_are_told_with_their_place(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "bad.obo").write_text(
        "format-version: 1.2\n\n[Term]\nid: X:1\nname: a\nis_a: X:2\n\n[Term]\nid: X:2\nname: b\nis_a: X:1\n"
        f'\n[Term]\nid: X:2\nname: b\nsynonym: "{"y" * 10_000}" EXACT []\nsynonym: "open EXACT []\n'
    )
    done = zoo("ontologies", "add", "bad", "--path", "bad.obo", "--license", "CC-BY-4.0", "--publishable")
    text = " ".join(done.stdout.split())
    for said in (
        "links to a parent that close a cycle dropped: 1 (first: X:2 -> X:1)",
        "ids given more than once, merged: 1 (first: X:2)",
        "names of more than 1,000 characters left out: 1 (first: X:2)",
        "synonyms and definitions without closing quotes left out: 1 (first: bad.obo:17)",
    ):
        assert said in text
    entry = yaml.safe_load((tmp_path / "registry" / "ontologies" / "bad.yaml").read_text())
    assert entry["license"]["publishable"] is True and entry["concepts"] == 2
    checked = zoo("ontologies", "check", "bad", "--registry", "registry").stdout
    assert "X:2 -> X:1" in checked


def test_list(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mesh.tsv").write_bytes(TABLE)
    rows = json.loads(zoo("ontologies", "list", "--json", ZOO_ONTOLOGIES=str(tmp_path / "own")).stdout)
    by_id = {row["id"]: row for row in rows}
    assert by_id["mesh"]["files"] == "local copy" and by_id["doid"]["files"] == "to fetch"
    assert by_id["umls"]["files"] == "no source" and by_id["umls"]["publishable"] is False
    assert (by_id["sample-diseases"]["files"], by_id["sample-diseases"]["concepts"]) == ("bundled", 265)
    assert "LicenseRef-UMLS-Metathesaurus" in zoo("ontologies", "list").stdout


def test_show(zoo: Zoo) -> None:
    text = zoo("ontologies", "show", "sample-diseases").stdout
    assert "265 concepts, 635 names" in text and "CC0-1.0" in text and "version: 1.0" in text
    (stroke,) = json.loads(zoo("ontologies", "show", "sample-diseases", "APOPLEXY", "--json").stdout)
    assert stroke["name"] == "stroke" and stroke["synonyms"][0] == {
        "text": "cerebrovascular accident",
        "scope": "exact",
    }
    by_old_id = zoo("ontologies", "show", "sample-diseases", "ZOOD:0900").stdout
    assert "tuberculosis" in by_old_id and "parent: ZOOD:0002 infection" in by_old_id and "also: ZOOD:0900" in by_old_id
    done = zoo("ontologies", "show", "sample-diseases", "plague", check=2)
    assert "has no concept 'plague'" in done.stderr
    absent = zoo("ontologies", "show", "umls").stdout
    assert "is never in a push" in " ".join(absent.split()) and "set ZOO_ONTOLOGIES" in " ".join(absent.split())


def test_fetch_then_work_offline(zoo: Zoo, tmp_path: Path, server: FileServer) -> None:
    registry = write_entry(tmp_path / "registry", server.put("/codes.tsv", TABLE).url)
    online = {"HF_HUB_OFFLINE": "0", "ZOO_CACHE": str(tmp_path / "cache")}
    (row,) = json.loads(zoo("ontologies", "fetch", "demo", "--registry", registry, "--json", **online).stdout)
    assert (row["status"], row["concepts"], row["names"], row["source"]) == ("locked", 2, 3, "127.0.0.1")
    offline = {"ZOO_OFFLINE": "1", "ZOO_CACHE": str(tmp_path / "cache")}
    assert "X:2  gout" in zoo("ontologies", "show", "demo", "gout", "--registry", registry, **offline).stdout
    assert len(server.requests) == 1


def test_what_its_home_has_replaced_is_taken_on_demand(zoo: Zoo, tmp_path: Path, server: FileServer) -> None:
    registry = write_entry(tmp_path / "registry", server.put("/codes.tsv", TABLE).url)
    online = {"HF_HUB_OFFLINE": "0", "ZOO_CACHE": str(tmp_path / "cache")}
    fetch = ("ontologies", "fetch", "demo", "--registry", registry, "--json")
    zoo(*fetch, **online)
    server.put("/codes.tsv", TABLE + b"X:3\tmeasles\n")
    assert json.loads(zoo(*fetch, **online).stdout)[0]["concepts"] == 2
    assert "offline" in zoo(*fetch, "--again", check=2, **{**online, "ZOO_OFFLINE": "1"}).stderr
    assert json.loads(zoo(*fetch, "--again", **online).stdout)[0]["concepts"] == 3
    assert yaml.safe_load((tmp_path / "zoo.lock.yaml").read_text())["ontologies"]["demo"]["concepts"] == 3


def test_one_that_fails_does_not_stop_the_others(zoo: Zoo, tmp_path: Path, server: FileServer) -> None:
    registry = write_entry(tmp_path / "registry", server.put("/bad.tsv", TABLE, Reply(status=404)).url, "bad")
    write_entry(registry, server.put("/good.tsv", TABLE).url, "good")
    online = {"HF_HUB_OFFLINE": "0", "ZOO_CACHE": str(tmp_path / "cache")}
    done = zoo("ontologies", "fetch", "bad", "good", "--registry", registry, "--json", check=1, **online)
    bad, good = json.loads(done.stdout)
    assert (bad["status"], good["status"]) == ("failed", "locked") and "HTTP 404" in bad["source"]
    assert "fix:" in done.stderr


def test_fetch_needs_names_or_all(zoo: Zoo) -> None:
    for words in ((), ("mesh", "--all")):
        assert "name ontologies, or say --all" in zoo("ontologies", "fetch", *words, check=2).stderr


def test_fetch_offline_says_how_to_go_on(zoo: Zoo, tmp_path: Path) -> None:
    done = zoo("ontologies", "fetch", "mesh", check=2, ZOO_CACHE=str(tmp_path / "cache"))
    assert "mesh is not on this machine" in done.stderr and "ZOO_ONTOLOGIES" in done.stderr
    assert not (tmp_path / "cache").exists()
