"""`zoo tag --assertion` and `--redact`: the real command in a process of its own, on a tiny model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.in_process import Zoo
from zoo.corpora.readers.bioc import read_bioc
from zoo.corpora.readers.brat import read_brat

TEXT = "No diabetes was found .\nPatients with asthma took aspirin daily . Dr. Roe on 12/03/2021"
MASKED = TEXT.replace("Roe", "███").replace("12/03/2021", "█" * 10)
FAMILY = "Family history:\nPatients with asthma took aspirin daily ."


@pytest.fixture(scope="module")
def shared_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("built") / "out"


@pytest.fixture
def built(zoo_process: Zoo, tiny_registry: Path, shared_out: Path) -> Path:
    if not shared_out.exists():
        zoo_process("build", "tiny-bert/tiny", "--registry", tiny_registry, "--out", shared_out, ZOO_COUNTRY="DEU")
    return shared_out / "checkpoints" / "tiny-bert" / "tiny"


def test_a_text_in_a_table_and_as_json(zoo_process: Zoo, built: Path, tiny_registry: Path) -> None:
    given = ("tag", "--model", built, "--assertion", "--registry", tiny_registry)
    done = zoo_process(*given, FAMILY)
    row = next(line for line in done.stdout.splitlines() if "aspirin" in line)
    assert "someone else" in row and "family_history" in row and "language of the texts: en" in done.stderr
    entities = json.loads(zoo_process(*given, TEXT, "--json").stdout)
    found = {e["text"]: e for e in entities}
    assert found["diabetes"]["assertion"]["negation"] == "negated" and found["diabetes"]["assertion"]["cues"] == ["No"]
    assert found["asthma"]["assertion"]["negation"] == "affirmed"
    bare = json.loads(zoo_process("tag", "--model", built, TEXT, "--json").stdout)
    kept = ("start", "end", "type", "text", "score")
    assert bare == [{name: e[name] for name in kept} for e in entities]


def test_each_format_with_details_hidden(zoo_process: Zoo, built: Path, tmp_path: Path) -> None:
    documents = [{"id": "a", "text": TEXT}, {"id": "b", "text": FAMILY}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    given = ("tag", "--model", built, "--file", "in.jsonl", "--assertion", "--language", "en-GB", "--redact", "--out")
    done = zoo_process(*given, "o.jsonl")
    assert "hidden: date 1, name 1; this is no de-identification" in " ".join(done.stderr.split())
    line = json.loads((tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert {e["text"]: e["assertion"]["negation"] for e in line["entities"]}["diabetes"] == "negated"
    assert line["text"] == MASKED
    assert all(MASKED[e["start"] : e["end"]] == e["text"] for e in line["entities"])
    zoo_process(*given, "o.csv")
    rows = list(csv.DictReader((tmp_path / "o.csv").open(encoding="utf-8")))
    aspirin = next(row for row in rows if (row["id"], row["text"]) == ("b", "aspirin"))
    assert aspirin["experiencer"] == "other" and aspirin["section"] == "family_history"
    zoo_process(*given, "o.bioc.xml")
    assert '<infon key="negation">negated</infon>' in (tmp_path / "o.bioc.xml").read_text(encoding="utf-8")
    zoo_process(*given, "brat")
    assert "\tNegated T" in (tmp_path / "brat" / "a.ann").read_text(encoding="utf-8")
    keys = {(e["start"], e["end"], e["type"]) for e in line["entities"]}
    for read in (list(read_brat(tmp_path / "brat")), list(read_bioc(tmp_path / "o.bioc.xml"))):
        assert read[0].text == MASKED and {span.key for span in read[0].spans} == keys
    assert "assertions and sections are not written" in zoo_process(*given, "o.pubtator").stderr


def test_what_cannot_be_is_one_message(zoo_process: Zoo, built: Path, tmp_path: Path) -> None:
    done = zoo_process("tag", "--model", built, TEXT, "--assertion", "--language", "ja", check=2)
    assert "no rules of assertion for the language 'ja', only for en, es" in " ".join(done.stderr.split())
    assert not done.stdout and "Traceback" not in done.stderr
    assert "--assertion" in zoo_process("tag", "--model", built, TEXT, "--language", "es", check=2).stderr
