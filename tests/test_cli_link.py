"""`zoo tag --link`, `zoo link` and `zoo ontologies index`, on a table of one's own and on a packaged vocabulary."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.in_process import Zoo
from tests.linking.vocabulary import CODES, save_linker
from zoo.corpora.readers.bioc import read_bioc
from zoo.corpora.readers.brat import read_brat
from zoo.corpora.readers.pubtator import read_pubtator

TEXT = "Patients with asthma took aspirin daily ."
LINKS = {"asthma": ["A1"], "aspirin": ["C3"]}


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    path = tmp_path / "codes.csv"
    path.write_text(CODES)
    return path


@pytest.fixture(scope="module")
def shared_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("built") / "out"


@pytest.fixture
def built(zoo: Zoo, tiny_registry: Path, shared_out: Path) -> Path:
    if not shared_out.exists():
        zoo("build", "tiny-bert/tiny", "--registry", tiny_registry, "--out", shared_out, ZOO_COUNTRY="DEU")
    return shared_out / "checkpoints" / "tiny-bert" / "tiny"


def linked(entities: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {e["text"]: e["concept_ids"] for e in entities if e["text"] in LINKS}


class TestTag:
    def test_a_text_and_a_table_of_ones_own_in_one_command(self, zoo: Zoo, built: Path, codes: Path) -> None:
        given = ("tag", "--model", built, TEXT, "--link", codes, "--json")
        first = zoo(*given, ZOO_CACHE="cache")
        assert linked(json.loads(first.stdout)) == LINKS
        assert "building the index of codes.csv: 4 concepts" in first.stderr and "names alone" in first.stderr
        again = zoo(*given, ZOO_CACHE="cache")
        assert again.stdout == first.stdout and "building" not in again.stderr
        asthma = json.loads(first.stdout)[0]
        assert asthma["concept"] == "Asthma" and asthma["link_score"] > 0.5
        assert asthma["candidates"][0][:2] == ["A1", "Asthma"] and len(asthma["candidates"][0]) == 4
        row = next(line for line in zoo(*given[:-1], ZOO_CACHE="cache").stdout.splitlines() if "aspirin" in line)
        assert row.split()[5:7] == ["C3", "Aspirin"]

    def test_each_type_to_its_ontology(self, zoo: Zoo, built: Path, codes: Path) -> None:
        given = ("--link", "Disease=sample-diseases", "--link", f"Chemical={codes}", "--json")
        entities = json.loads(zoo("tag", "--model", built, TEXT, *given, ZOO_CACHE="cache").stdout)
        found = linked(entities)
        assert found["aspirin"] == ["C3"] and found["asthma"][0].startswith("ZOOD:")
        alone = zoo("tag", "--model", built, TEXT, "--link", "sample-diseases", "--json", ZOO_CACHE="cache")
        assert all("concept_ids" not in e for e in json.loads(alone.stdout) if e["type"] == "Chemical")

    def test_every_format_has_the_concepts(self, zoo: Zoo, built: Path, codes: Path, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        for name, text in (("a", TEXT), ("b", f"No gout here.\n\n{TEXT}" * 40)):
            (tmp_path / "in" / f"{name}.txt").write_text(text)
        given = ("tag", "--model", built, "--file", "in", "--link", codes)
        lines = [json.loads(line) for line in zoo(*given, ZOO_CACHE="cache").stdout.splitlines()]
        expected = {
            line["id"]: [(e["start"], e["end"], e["type"], tuple(e["concept_ids"])) for e in line["entities"]]
            for line in lines
        }
        assert len(expected["b"]) > 40 and linked(lines[0]["entities"]) == LINKS
        readers = {"o.pubtator": read_pubtator, "o.bioc.xml": read_bioc, "o.bioc.json": read_bioc, "brat": read_brat}
        for name, reader in readers.items():
            zoo(*given, "--out", name, ZOO_CACHE="cache")
            bare = "codes:" if name == "brat" else ""
            found = {
                d.id: [(s.start, s.end, s.type, tuple(i.removeprefix(bare) for i in s.concept_ids)) for s in d.spans]
                for d in reader(tmp_path / name)
            }
            assert found == expected, name
        zoo(*given, "--out", "o.csv", ZOO_CACHE="cache")
        with (tmp_path / "o.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["concept_ids"] for row in rows] == [";".join(i) for spans in expected.values() for *_, i in spans]

    def test_a_broken_run_goes_on_with_the_same_linker_alone(
        self, zoo: Zoo, built: Path, codes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import zoo.scale.answers as stream
        from zoo.cli import tag

        texts = [json.dumps({"id": n, "text": TEXT}) for n in range(6)]
        (tmp_path / "in.jsonl").write_text("\n".join(texts))
        given = ("tag", "--model", built, "--file", "in.jsonl", "--out", "o.jsonl")
        zoo(*given, "--link", codes, ZOO_CACHE="cache")
        undisturbed = (tmp_path / "o.jsonl").read_text()
        (tmp_path / "o.jsonl").unlink()
        whole = stream.tag_stream

        def broken(*args: Any, **options: Any) -> Iterator[Any]:
            yield from islice(whole(*args, **options), 3)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(tag, "_KEEP_SECONDS", -1.0)
            patch.setattr(stream, "tag_stream", broken)
            zoo(*given, "--link", codes, ZOO_CACHE="cache", check=None)
        assert (tmp_path / "o.jsonl.progress").exists() and not (tmp_path / "o.jsonl").exists()
        for other in ((), ("--link", f"Disease={codes}"), ("--link", "sample-diseases")):
            done = zoo(*given, *other, ZOO_CACHE="cache", check=2)
            assert "another model, input or option" in done.stderr
        assert "going on after 3" in zoo(*given, "--link", codes, ZOO_CACHE="cache").stderr
        assert (tmp_path / "o.jsonl").read_text() == undisturbed

    @pytest.mark.parametrize(
        ("value", "what"),
        [
            ("nope", "no ontology 'nope'"),
            ("nope.csv", "no such file"),
            ("Gene=sample-diseases", "the ontology is for Gene; the model finds"),
            ("bad.csv", "bad.csv"),
        ],
    )
    def test_what_cannot_be_linked_to_is_one_message(
        self, zoo: Zoo, built: Path, tmp_path: Path, value: str, what: str
    ) -> None:
        (tmp_path / "bad.csv").write_text("code;text\nnothing of this\n")
        done = zoo("tag", "--model", built, TEXT, "--link", value, check=2, ZOO_CACHE="cache")
        assert what in done.stderr and "Traceback" not in done.stderr


class TestLink:
    def test_names(self, zoo: Zoo, codes: Path) -> None:
        given = ("link", "--ontology", codes, "bronchial asthma", "sugar disease")
        found = json.loads(zoo(*given, "--json", ZOO_CACHE="cache").stdout)
        assert [(r["name"], r["concept_ids"], r["concept"]) for r in found] == [
            ("bronchial asthma", ["A1"], "Asthma"),
            ("sugar disease", ["D4"], "Diabetes"),
        ]
        assert "D4" in zoo(*given, ZOO_CACHE="cache").stdout

    def test_a_column(self, zoo: Zoo, codes: Path, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text('n,term\n1,Asthma\n2,"migraine"\n')
        given = ("link", "--ontology", codes, "--file", "t.csv", "--text-field", "term")
        printed = zoo(*given, ZOO_CACHE="cache").stdout
        assert "2 rows, 2 different names, 2 rows linked" in zoo(*given, "--out", "o.csv", ZOO_CACHE="cache").stdout
        assert (tmp_path / "o.csv").read_text() == printed
        rows = list(csv.DictReader(printed.splitlines()))
        assert [(row["n"], row["concept_id"], row["concept"]) for row in rows] == [
            ("1", "A1", "Asthma"),
            ("2", "B2", "Migraine"),
        ]
        assert "there already" in zoo(*given, "--out", "o.csv", check=2, ZOO_CACHE="cache").stderr

    def test_the_trained_linker_of_a_model(self, zoo: Zoo, built: Path, codes: Path, tmp_path: Path) -> None:
        import shutil

        copy = tmp_path / "out" / "checkpoints" / "tiny-bert" / "tiny"
        shutil.copytree(built, copy)
        shutil.copytree(built.parents[2] / "bases", tmp_path / "out" / "bases")
        save_linker(copy / "linker", ontology="codes")
        done = zoo("link", "--ontology", codes, "--model", copy, "sugar disease", "--json", ZOO_CACHE="cache")
        assert "the trained linker" in done.stderr and json.loads(done.stdout)[0]["concept_ids"] == ["D4"]
        tagged = zoo("tag", "--model", copy, TEXT, "--link", codes, "--json", ZOO_CACHE="cache")
        assert "the trained linker" in tagged.stderr and linked(json.loads(tagged.stdout)) == LINKS

    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            ((), "give either names or --file"),
            (("asthma", "--file", "t.csv"), "give either names or --file"),
            (("asthma", "--out", "o.csv"), "--out needs --file"),
            (("--file", "nope.csv"), "no such file"),
            (("--file", "t.csv", "--out", "o.jsonl"), "written otherwise than it is"),
            (("--file", "t.csv", "--out", "o.csv.gz"), "no packed file is written"),
            (("--file", "t.csv"), "no column 'name' in the first line; there are: n, term"),
        ],
    )
    def test_what_cannot_be(self, zoo: Zoo, codes: Path, tmp_path: Path, arguments: tuple[str, ...], what: str) -> None:
        (tmp_path / "t.csv").write_text("n,term\n1,Asthma\n")
        done = zoo("link", "--ontology", codes, *arguments, check=2, ZOO_CACHE="cache")
        assert what in done.stderr and "Traceback" not in done.stderr
        assert not list(tmp_path.glob("o.*")) and not list(tmp_path.glob(".o*"))


class TestIndex:
    def test_into_the_cache_and_elsewhere(self, zoo: Zoo, tmp_path: Path) -> None:
        given = ("ontologies", "index", "sample-diseases")
        first = json.loads(zoo(*given, "--json", ZOO_CACHE="cache").stdout)
        assert first["concepts"] > 100 and first["names"] > first["concepts"]
        assert Path(first["folder"]).name == f"sample-diseases-{first['fingerprint'][:12]}"
        assert "concepts" in zoo(*given, "--out", "own", ZOO_CACHE="cache").stdout
        from zoo.linking.index import Index

        assert Index.open(tmp_path / "own").info.ontology == "sample-diseases"
        assert "not empty" in zoo(*given, "--out", "own", ZOO_CACHE="cache", check=2).stderr


def test_a_process_of_its_own_links_a_table_of_200_codes(zoo_process: Zoo, tmp_path: Path) -> None:
    rows = "".join(f"X{n},disease number {n},ailment {n}|morbus {n}\n" for n in range(200))
    (tmp_path / "codes.csv").write_text(f"id,name,synonyms\n{rows}")
    done = zoo_process("link", "--ontology", "codes.csv", "Morbus 17", "--json", ZOO_CACHE="cache")
    assert json.loads(done.stdout)[0]["concept_ids"] == ["X17"] and "codes.csv: 200 concepts" in done.stderr
