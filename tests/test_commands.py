"""The commands as a user types them: list, show, build, board, tag, evaluate. One trained build serves most tests."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import TINY_SENTENCES
from tests.in_process import Zoo

TEXT, GOLD = TINY_SENTENCES[0]
ONE_EPOCH = ("--set", "finetune.epochs=1")


@pytest.fixture(scope="module")
def shared_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("built") / "out"


@pytest.fixture
def out(zoo: Zoo, tiny_registry: Path, shared_out: Path) -> Path:
    """Output folder with `tiny-bert/tiny`, trained until it finds what it has seen; made once, read only."""
    if not shared_out.exists():
        zoo("build", "tiny-bert/tiny", "--registry", tiny_registry, "--out", shared_out, ZOO_COUNTRY="DEU")
    return shared_out


@pytest.fixture
def built(out: Path) -> Path:
    """Folder of the checkpoint."""
    return out / "checkpoints" / "tiny-bert" / "tiny"


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def read(path: Path) -> Any:
    return json.loads(path.read_text())


class TestListAndShow:
    def test_list_names_every_checkpoint(self, zoo: Zoo) -> None:
        rows = json.loads(zoo("list", "--json").stdout)
        assert len(rows) == len({row["id"] for row in rows}) >= 9 * 17
        assert set(rows[0]) == {"id", "family", "entity_types", "backbone_license", "corpus_license"}

    def test_list_of_a_suite(self, zoo: Zoo) -> None:
        rows = json.loads(zoo("list", "--suite", "quickstart", "--json").stdout)
        names = ["sample-disease", "sample-chemical", "sample-gene", "sample-species"]
        assert [row["id"] for row in rows] == [f"minilm-l6/{name}" for name in names]
        plain = zoo("list", "--suite", "quickstart").stdout
        assert "4 checkpoints" in plain and "minilm-l6/sample-gene" in plain

    def test_list_of_an_overlay(self, zoo: Zoo, tiny_registry: Path) -> None:
        assert "tiny-bert/tiny" in zoo("list", ZOO_REGISTRY=str(tiny_registry)).stdout

    def test_show_a_checkpoint_with_its_recipe(self, zoo: Zoo, tiny_registry: Path) -> None:
        data = json.loads(zoo("show", "tiny-bert/tiny", "--registry", tiny_registry, "--json").stdout)
        assert set(data) == {"id", "backbone", "corpus", "recipe", "family", "expected_size"}
        assert data["recipe"]["finetune"]["batch_size"] == 4 and data["recipe"]["lora"]["rank"] == 4

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("pubmedbert-base", ("BiomedNLP-BiomedBERT-base", "MIT")),
            ("bc5cdr-disease", ("Disease", "fingerprint")),
            ("openmed", ("deberta-v3-large", "fsu")),
            ("sample-passages", ("344",)),
        ],
    )
    def test_show_prints_yaml_that_says_the_same_as_json(self, name: str, words: tuple[str, ...], zoo: Zoo) -> None:
        import yaml

        plain = zoo("show", name).stdout
        assert yaml.safe_load(plain) == json.loads(zoo("show", name, "--json").stdout)
        assert all(word in plain for word in words)


class TestDryRun:
    def test_it_says_what_would_be_built_and_writes_nothing(
        self, zoo: Zoo, tiny_registry: Path, tmp_path: Path
    ) -> None:
        arguments = ("build", "tiny-bert/tiny", "--registry", tiny_registry, "--dry-run", *ONE_EPOCH)
        plan = json.loads(zoo(*arguments, "--json").stdout)
        assert [(stage["kind"], stage["state"]) for stage in plan["stages"]] == [
            ("base", "new"),
            ("train", "new"),
            ("evaluate", "new"),
        ]
        assert plan["stages"][1]["needs"] == [plan["stages"][0]["fingerprint"]] and plan["unreadable"] == {}
        assert "3 of 3 stages would run" in zoo(*arguments).stdout
        assert list(tmp_path.iterdir()) == []

    def test_it_knows_what_is_there(self, zoo: Zoo, tiny_registry: Path, out: Path) -> None:
        before = files_below(out)
        arguments = ("build", "tiny-bert/tiny", "--registry", tiny_registry, "--out", out, "--dry-run", "--json")
        states = {s["kind"]: s["state"] for s in json.loads(zoo(*arguments).stdout)["stages"]}
        assert states == {"base": "cached", "train": "cached", "evaluate": "cached"}
        stages = json.loads(zoo(*arguments, *ONE_EPOCH).stdout)["stages"]
        assert [s["state"] for s in stages] == ["cached", "changed", "changed"]
        assert "epochs" in stages[1]["reason"]
        assert files_below(out) == before

    def test_a_whole_suite(self, zoo: Zoo, tmp_path: Path) -> None:
        plan = json.loads(zoo("build", "--all", "--suite", "quickstart", "--dry-run", "--json").stdout)
        kinds = Counter(stage["kind"] for stage in plan["stages"])
        linking = {"ontology": 2, "index": 2, "linker": 2, "link-evaluate": 2}  # of diseases and chemicals
        assert kinds == {"dapt": 1, "base": 1, "tune": 4, "train": 4, "evaluate": 4, **linking}
        assert list(tmp_path.iterdir()) == []


class TestBuild:
    def test_what_lies_where(self, out: Path) -> None:
        assert files_below(out / "checkpoints") == [
            "tiny-bert/tiny/README.md",
            "tiny-bert/tiny/adapter/adapter_config.json",
            "tiny-bert/tiny/adapter/adapter_model.safetensors",
            "tiny-bert/tiny/predictions.jsonl",
            "tiny-bert/tiny/result.json",
        ]
        assert {"artefacts", "bases", "checkpoints", "board.json", "board.csv"} <= names(out)
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= names(out / "bases" / "tiny-bert")
        assert not [path for path in out.glob("*/*/.*") if path.is_file()]

    def test_the_result_has_all_keys_of_the_design(self, built: Path) -> None:
        result = read(built / "result.json")
        assert set(result) >= {
            "schema_version",
            "checkpoint_id",
            "repo_id",
            "backbone",
            "corpus",
            "decoding",
            "scores",
            "trained_parameters",
            "trained_share",
            "adapter_bytes",
            "train_seconds",
            "energy",
            "seeds",
            "versions",
            "fingerprints",
        }
        for split in ("dev", "test"):
            assert set(result["scores"][split]) >= {"micro_f1", "precision", "recall", "ci95", "per_type"}
        assert set(result["energy"]) >= {"energy_wh", "emissions_g", "country", "method"}
        assert (result["checkpoint_id"], result["repo_id"]) == ("tiny-bert/tiny", "openmed/tiny-bert-tiny")
        assert result["seeds"] == [13] and set(result["versions"]) >= {"zoo", "torch", "transformers", "peft"}
        assert result["scores"]["test"]["truncated_entities"] == 0
        assert len(result["training"]) <= 30 and result["train_seconds"] > 0

    def test_figures_of_the_result_are_those_of_the_files(self, built: Path) -> None:
        result = read(built / "result.json")
        adapter = built / "adapter"
        assert result["adapter_bytes"] == sum(path.stat().st_size for path in adapter.iterdir())
        from safetensors.numpy import load_file

        stored = load_file(adapter / "adapter_model.safetensors")
        once = [tensor.size for name, tensor in stored.items() if ".modules_to_save." not in name]
        assert result["trained_parameters"] == sum(once)
        lines = [json.loads(line) for line in (built / "predictions.jsonl").read_text().splitlines()]
        test = result["scores"]["test"]
        assert len(lines) == test["documents"] == 36
        assert sum(len(line["gold"]) for line in lines) == test["gold_mentions"] == 54
        assert sum(len(line["predicted"]) for line in lines) == test["predicted_mentions"]
        assert all("text" not in line for line in lines)

    def test_two_types_give_two_scores(self, built: Path) -> None:
        test = read(built / "result.json")["scores"]["test"]
        assert set(test["per_type"]) == {"Disease", "Chemical"}
        assert {name: score["gold_mentions"] for name, score in test["per_type"].items()} == {
            "Disease": 24,
            "Chemical": 30,
        }
        card = (built / "README.md").read_text()
        assert "| type (test) | F1 |" in card and "strict F1 (Chemical)" in card

    def test_a_trained_tagger_finds_what_it_has_seen(self, built: Path) -> None:
        """Train and test hold the same sentences here, so that tag and evaluate have something to show."""
        assert read(built / "result.json")["scores"]["test"]["micro_f1"] > 0.9

    def test_the_country_lands_in_result_and_card(self, built: Path) -> None:
        energy = read(built / "result.json")["energy"]
        assert energy["country"] == "DEU" and energy["energy_wh"] > 0
        card = (built / "README.md").read_text()
        assert "Electricity mix: DEU." in card and "geographical_location: DEU" in card

    def test_the_adapter_names_the_local_base(self, out: Path, built: Path) -> None:
        base = Path(read(built / "adapter" / "adapter_config.json")["base_model_name_or_path"])
        assert base.is_relative_to(out.resolve())
        shown = out / "bases" / "tiny-bert" / "model.safetensors"
        assert (base / "model.safetensors").samefile(shown)  # a hard link: the base lies on the disk once

    def test_a_relative_output_folder_also_gives_an_adapter_that_loads_from_anywhere(
        self, zoo: Zoo, tiny_registry: Path, tmp_path: Path
    ) -> None:
        done = zoo("build", "tiny-bert/tiny", "--registry", tiny_registry, "--json", *ONE_EPOCH)
        data = json.loads(done.stdout)  # progress goes to standard error
        assert [item["checkpoint_id"] for item in data["results"]] == ["tiny-bert/tiny"] and data["failures"] == []
        built = tmp_path / "builds" / "checkpoints" / "tiny-bert" / "tiny"
        assert data["results"][0] == read(built / "result.json")
        assert data["results"][0]["energy"]["country"] == "world average"
        assert "(no country was set)" in (built / "README.md").read_text()
        base = Path(read(built / "adapter" / "adapter_config.json")["base_model_name_or_path"])
        assert base.is_absolute() and base.is_dir()


class TestBuildAgain:
    def test_folder_replaced_base_reused_and_the_same_again_elsewhere(
        self, zoo: Zoo, tiny_registry: Path, out: Path, tmp_path: Path
    ) -> None:
        copied = Path(shutil.copytree(out, tmp_path / "out"))

        def build(folder: str) -> dict[str, Any]:
            zoo("build", "tiny-bert/tiny", "--registry", tiny_registry, "--out", folder, *ONE_EPOCH)
            return dict(read(tmp_path / folder / "checkpoints" / "tiny-bert" / "tiny" / "result.json"))

        def bases() -> dict[str, int]:
            return {path.name: path.stat().st_ino for path in (copied / "artefacts" / "base").iterdir()}

        checkpoint = copied / "checkpoints" / "tiny-bert" / "tiny"
        before, made = read(checkpoint / "result.json"), bases()
        (checkpoint / "stale").write_text("from before")
        again = build("out")
        assert not (checkpoint / "stale").exists()
        assert again["recipe"]["finetune"]["epochs"] == 1 and before["recipe"]["finetune"]["epochs"] == 30
        assert again["fingerprints"]["adapter"] != before["fingerprints"]["adapter"]
        assert bases() == made

        elsewhere = build("elsewhere")
        assert elsewhere["fingerprints"] == again["fingerprints"]  # the same seed, the same bytes
        assert elsewhere["scores"] == again["scores"]

    def test_a_worker_has_the_environment_of_its_build(
        self, zoo: Zoo, tiny_registry: Path, out: Path, tmp_path: Path
    ) -> None:
        """Not that of the process it is forked from, which an earlier build started."""
        shutil.copytree(out, tmp_path / "out")
        build = ["build", "tiny-bert/tiny", "--registry", tiny_registry, "--out", "out", *ONE_EPOCH]
        done = zoo(*build, "--json", check=1, ZOO_KERNELS="sideways")
        assert "unknown value 'sideways'" in json.loads(done.stdout)["failures"][0]["message"]
        zoo(*build)


class TestBoard:
    def test_the_table_and_the_files_agree(self, zoo: Zoo, out: Path) -> None:
        rows = json.loads(zoo("board", "--out", out, "--json").stdout)
        assert [(row["checkpoint_id"], row["rank"]) for row in rows] == [("tiny-bert/tiny", 1)]
        assert read(out / "board.json")["rows"] == rows
        with (out / "board.csv").open(newline="") as file:
            assert [row["checkpoint_id"] for row in csv.DictReader(file)] == ["tiny-bert/tiny"]
        plain = zoo("board", ZOO_OUT=str(out)).stdout
        assert "tiny-bert/tiny" in plain and f"{100 * rows[0]['test_micro_f1']:.2f}" in plain

    def test_a_damaged_result_is_named(self, zoo: Zoo, tmp_path: Path) -> None:
        folder = tmp_path / "builds" / "checkpoints" / "a" / "b"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text('{"schema_version": 2}')
        done = zoo("board", check=2)
        assert "result.json" in done.stderr and "schema version 1" in done.stderr and "Traceback" not in done.stderr


EXPECTED = [(start, end, kind, TEXT[start:end]) for start, end, kind in GOLD]


class TestTag:
    def found(self, done: subprocess.CompletedProcess[str]) -> list[tuple[int, int, str, str]]:
        entities = json.loads(done.stdout)
        assert all(set(e) == {"start", "end", "type", "text", "score"} and 0 < e["score"] <= 1 for e in entities)
        return [(e["start"], e["end"], e["type"], e["text"]) for e in entities]

    def test_a_text(self, zoo: Zoo, built: Path) -> None:
        assert self.found(zoo("tag", "--model", built, TEXT, "--json")) == EXPECTED
        plain = zoo("tag", "--model", built / "adapter", TEXT).stdout.split()
        assert {"asthma", "aspirin", "Disease", "Chemical"} <= set(plain)

    def test_a_file_longer_than_a_window(self, zoo: Zoo, built: Path, tmp_path: Path) -> None:
        """Offsets count characters of the whole file; the window holds 32 tokens, about four sentences."""
        note = "\n".join([TEXT] * 12)
        (tmp_path / "note.txt").write_text(note, encoding="utf-8")
        found = self.found(zoo("tag", "--model", built, "--file", "note.txt", "--json"))
        assert all(note[start:end] == text for start, end, _, text in found)
        assert found == sorted(set(found)) and found[-1][0] > 0.8 * len(note)
        # The tiny model has seen single sentences only: of a long text it need not find every mention.
        assert {(kind, text) for _, _, kind, text in found} >= {(kind, text) for _, _, kind, text in EXPECTED}

    def test_standard_input(self, zoo: Zoo, built: Path) -> None:
        assert self.found(zoo("tag", "--model", built, "--file", "-", "--json", stdin=TEXT)) == EXPECTED

    def test_nothing_to_find(self, zoo: Zoo, built: Path) -> None:
        assert self.found(zoo("tag", "--model", built, "", "--json")) == []

    def test_the_base_alone_finds_nothing(self, zoo: Zoo, out: Path, built: Path) -> None:
        assert self.found(zoo("tag", "--model", out / "bases" / "tiny-bert", TEXT, "--json")) == []

    @pytest.mark.parametrize("precision", ["bfloat16", "int8"])
    def test_another_number_format(self, zoo: Zoo, built: Path, precision: str) -> None:
        if precision == "int8" and not torch.cpu._is_vnni_supported():
            done = zoo("tag", "--model", built, TEXT, "--precision", precision, check=2)
            assert "VNNI" in done.stderr
            return
        assert self.found(zoo("tag", "--model", built, TEXT, "--precision", precision, "--json")) == EXPECTED

    def test_a_number_format_that_is_none(self, zoo: Zoo, built: Path) -> None:
        done = zoo("tag", "--model", built, TEXT, "--precision", "int4", check=2)
        assert "int8" in done.stderr and "Traceback" not in done.stderr

    def test_text_and_file_together(self, zoo: Zoo, built: Path) -> None:
        done = zoo("tag", "--model", built, TEXT, "--file", "-", check=2)
        assert "either a text or --file" in done.stderr

    def test_a_file_that_is_not_utf8(self, zoo: Zoo, built: Path, tmp_path: Path) -> None:
        (tmp_path / "note.txt").write_bytes(b"caf\xe9")
        done = zoo("tag", "--model", built, "--file", "note.txt", check=2)
        assert "not UTF-8" in done.stderr and "note.txt:1" in done.stderr

    def test_many_documents(self, zoo: Zoo, built: Path, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        for name, text in (("a", TEXT), ("b", "Nothing here."), ("c", f"{TEXT}\n{TEXT}")):
            (tmp_path / "in" / f"{name}.txt").write_text(text, encoding="utf-8")
        given = ("tag", "--model", built, "--file", "in")
        lines = [json.loads(line) for line in zoo(*given).stdout.splitlines()]
        assert [line["id"] for line in lines] == ["a", "b", "c"]
        assert [(e["start"], e["end"], e["type"], e["text"]) for e in lines[0]["entities"]] == EXPECTED

        assert "3 documents" in zoo(*given, "--out", "found.jsonl").stdout
        assert [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()] == lines
        assert "there already" in zoo(*given, "--out", "found.jsonl", check=2).stderr

        zoo(*given, "--model", built / "adapter", "--out", "found.csv")  # two adapters on one base
        with (tmp_path / "found.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for model in (str(built), str(built / "adapter")):
            own = [(r["id"], int(r["start"]), int(r["end"]), r["type"]) for r in rows if r["model"] == model]
            assert own == [(d["id"], e["start"], e["end"], e["type"]) for d in lines for e in d["entities"]]

        zoo(*given, "--out", "brat")
        from zoo.corpora.readers.brat import read_brat

        documents = {document.id: document for document in read_brat(tmp_path / "brat")}
        assert {name: len(d.spans) for name, d in documents.items()} == {
            line["id"]: len(line["entities"]) for line in lines
        }
        assert documents["c"].text == f"{TEXT}\n{TEXT}"
        assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*.progress"))


class TestEvaluate:
    def test_the_score_of_the_result_comes_out_again(self, zoo: Zoo, tiny_registry: Path, built: Path) -> None:
        for split in ("dev", "test"):
            arguments = ("evaluate", built, "tiny", "--split", split, "--registry", tiny_registry, "--json")
            score, stored = json.loads(zoo(*arguments).stdout), read(built / "result.json")["scores"][split]
            assert (score["corpus"], score["split"], score["model"]) == ("tiny", split, str(built))
            for name in ("micro_f1", "precision", "recall", "per_type", "documents", "gold_mentions"):
                assert score[name] == stored[name], name

    def test_another_number_format_is_named(self, zoo: Zoo, tiny_registry: Path, built: Path) -> None:
        arguments = ("evaluate", built, "tiny", "--registry", tiny_registry, "--json")
        exact, half = (json.loads(zoo(*arguments, *more).stdout) for more in ((), ("--precision", "bfloat16")))
        assert (exact["number_format"], half["number_format"]) == ("float32", "bfloat16")
        assert half["micro_f1"] == pytest.approx(exact["micro_f1"], abs=0.1)

    def test_the_table(self, zoo: Zoo, tiny_registry: Path, built: Path) -> None:
        plain = zoo("evaluate", built, "tiny", "--registry", tiny_registry).stdout
        assert "strict F1" in plain and "Disease" in plain and "54" in plain

    def test_a_renamed_type_scores_as_that_type(self, zoo: Zoo, tiny_registry: Path, built: Path) -> None:
        arguments = ("--registry", tiny_registry, "--map", "Disease=Chemical", "--map", "Chemical=Disease", "--json")
        score = json.loads(zoo("evaluate", built, "tiny", *arguments).stdout)
        assert score["micro_f1"] == 0 and score["span_only_f1"] > 0.9
