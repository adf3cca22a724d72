"""`zoo errors`, `zoo robustness` and `zoo cross` on a real model that finds a list of words."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.evaluation.stubs import save_list_model
from zoo.cli import app
from zoo.errors import ZooError

LICENSE = "license: {spdx: %s, source: made in the tests, publishable: %s}\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "word-list"
    save_list_model(folder)
    return folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora of the same text: `open` may be quoted, `closed` may not and calls diseases Cancer."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "corpora").mkdir()
    (folder / "data").mkdir()
    lines = [
        {"id": "n1", "text": "With asthma, took aspirin.", "spans": [(5, 11, "Disease"), (18, 25, "Chemical")]},
        {"id": "n2", "text": "severe migraine; no gout", "spans": [(0, 15, "Disease"), (20, 24, "Disease")]},
        {"id": "n3", "text": "ibuprofen was stopped", "spans": []},
    ]
    for line in lines:
        line["spans"] = [dict(zip(("start", "end", "type"), span, strict=True)) for span in line["spans"]]
    for split in ("train", "dev", "test"):
        (folder / "data" / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    kinds = (("open", "Disease", ("CC0-1.0", "true")), ("closed", "Cancer", ("NOASSERTION", "false")))
    for name, disease, terms in kinds:
        (folder / "corpora" / f"{name}.yaml").write_text(
            f"id: {name}\ntitle: The {name} corpus\ndescription: Three notes.\nformat: jsonl\nunit: document\n"
            f"types: {{Disease: {disease}, Chemical: Chemical}}\n{LICENSE % terms}"
            "sources: [{kind: bundled, path: data}]\n"
        )
    return folder


@pytest.fixture
def run(registry: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    for name in ("ZOO_CORPORA", "ZOO_OUT", "ZOO_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [*map(str, arguments), "--registry", str(registry)])
        if result.exception and not isinstance(result.exception, (ZooError, SystemExit)):
            raise result.exception
        return result

    return invoke


def test_errors_table_and_page(run: Callable[..., Result], model: Path, tmp_path: Path) -> None:
    result = run("errors", model, "open", "--html", "page.html")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["boundary", "1", "1", "migraine", "(1),", "severe", "migraine", "(1)"] in lines
    assert ["missed", "0", "1", "gout", "(1)"] in lines
    assert ["spurious", "1", "0", "ibuprofen", "(1)"] in lines
    assert ["all", "2", "2"] in lines
    assert ["Disease", "40.00", "50.00", "33.33", "1/1", "0/0", "0/0", "0/1", "0/0"] in lines
    page = (tmp_path / "page.html").read_text()
    assert "Errors of word-list on The open corpus" in page
    assert "ibuprofen" in page
    assert str(tmp_path) not in page  # pages get shared: no path of this machine
    assert str(model) not in page
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_errors_of_a_corpus_that_must_not_be_quoted(run: Callable[..., Result], model: Path, tmp_path: Path) -> None:
    arguments = ("errors", model, "closed", "--map", "Disease=Cancer", "--html", "page.html")
    silent = run(*arguments)
    assert "no text is quoted: the licence of the corpus (NOASSERTION)" in silent.stdout
    page = (tmp_path / "page.html").read_text()
    for word in ("migraine", "gout", "ibuprofen", "severe"):
        assert word not in silent.stdout
        assert word not in page
    quoted = run(*arguments, "--quote")
    assert "migraine" in quoted.stdout
    assert "migraine" in (tmp_path / "page.html").read_text()


def test_errors_json(run: Callable[..., Result], model: Path) -> None:
    data = json.loads(run("errors", model, "closed", "--map", "Disease=Cancer", "--split", "dev", "--json").stdout)
    assert (data["corpus"], data["split"], data["quoted"]) == ("closed", "dev", False)
    assert data["true_positives"] == 2
    assert data["micro_f1"] == pytest.approx(0.5)
    assert {(m["document_id"], m["class"], m["start"], m["end"], m["side"]) for m in data["mistakes"]} == {
        ("n2", "boundary", 0, 15, "gold"),
        ("n2", "boundary", 7, 15, "predicted"),
        ("n2", "missed", 20, 24, "gold"),
        ("n3", "spurious", 0, 9, "predicted"),
    }


def test_robustness(run: Callable[..., Result], model: Path) -> None:
    result = run("robustness", model, "open", "--json")
    data = json.loads(result.stdout)
    assert data["scores"]["original"] == {"micro_f1": 0.5, "loss": 0.0, "changed_documents": 0}
    assert data["scores"]["upper case"] == {"micro_f1": 0.5, "loss": 0.0, "changed_documents": 3}  # an uncased model
    assert data["scores"]["abbreviations"]["changed_documents"] == 1
    assert len(data["scores"]) == 7
    table = [line.split() for line in run("robustness", model, "open").stdout.splitlines()]
    assert ["upper", "case", "50.00", "0.00", "3"] in table


def test_cross_writes_the_matrix(run: Callable[..., Result], model: Path, tmp_path: Path) -> None:
    result = run("cross", model, "--corpora", "open,closed", "--out", "matrix")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "matrix").iterdir()) == ["cross.csv", "cross.json", "cross.png"]
    (row,) = csv.DictReader((tmp_path / "matrix" / "cross.csv").open())
    assert (row["model"], row["open"]) == ("word-list", "0.500000")
    assert row["closed"] == "0.666667"  # over chemicals alone
    assert row["notes"] == "closed: over Chemical alone: the model does not know Cancer"
    assert (tmp_path / "matrix" / "cross.png").read_bytes().startswith(b"\x89PNG")
    assert ["word-list", "50.00", "66.67*"] in [line.split() for line in result.stdout.splitlines()]
    data = json.loads(run("cross", model, "--corpora", "open", "--json").stdout)
    assert data["cells"][0]["score"]["micro_f1"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("errors", "MODEL", "opne"), "unknown corpus 'opne'"),
        (("errors", "nowhere/at/all", "open"), "no model folder"),
        (("errors", "MODEL", "open", "--html", "no/such/folder/page.html"), "cannot write to the folder"),
        (("errors", "MODEL", "open", "--html", "."), "this is a folder"),
        (("errors", "MODEL", "open", "--map", "Disease"), "--map takes FROM=TO"),
        (("evaluate", "MODEL", "open", "--map", "B=Disease,I=Disease"), "--map B=Disease --map I=Disease"),
        (("evaluate", "MODEL", "open", "--map", "Disease=A", "--map", "Disease=B"), "renames Disease twice"),
        (("evaluate", "MODEL", "open", "--map", "Diseas=Disease"), "did you mean Disease?"),
        (("errors", "MODEL", "open", "--map", "NOSUCH=Disease"), "predicts no type 'NOSUCH'"),
        (("robustness", "MODEL", "open", "--map", "NOSUCH=Disease"), "predicts no type 'NOSUCH'"),
        (("cross", "MODEL", "--corpora", "open", "--map", "NOSUCH=Disease"), "predicts no type 'NOSUCH'"),
        (("robustness", "nowhere/at/all", "open"), "no model folder"),
        (("cross", "MODEL", "nowhere/at/all", "--corpora", "open"), "no model folder"),
        (("cross", "MODEL", "--corpora", "open,opne"), "unknown corpus 'opne'"),
        (("cross", "MODEL", "--corpora", " , "), "no corpus was named"),
        (("cross", "MODEL", "MODEL", "--corpora", "open"), "two models have the name"),
    ],
)
def test_mistakes_of_the_user_are_one_message_and_write_nothing(
    run: Callable[..., Result], model: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*(model if argument == "MODEL" else argument for argument in arguments))
    assert isinstance(result.exception, ZooError)
    assert message in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'datasets', 'evaluate', 'matplotlib', 'numpy', 'jinja2', 'yaml'}"
    code = (
        "import sys; from zoo.cli import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "found = {'pydantic'} & set(sys.modules)\n"
        "for group in ('corpora', 'passages', 'space'): app([group, '--help'], standalone_mode=False)\n"
        f"found |= {heavy} & set(sys.modules); sys.exit(', '.join(found) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_python_m_zoo_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "show", "bc5cdr-diseas"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown id 'bc5cdr-diseas'")


@pytest.mark.parametrize("name", ["open,closed", ""])
def test_one_corpus_is_not_a_list(run: Callable[..., Result], model: Path, name: str) -> None:
    result = run("errors", model, name)
    assert isinstance(result.exception, ZooError)
    assert f"unknown corpus {name!r}" in str(result.exception)


CODES = "id,name,synonyms\nX:1,asthma,bronchial asthma\nX:2,migraine,hemicrania\nX:3,gout,podagra\n"


@pytest.fixture(scope="module")
def linked_corpus(registry: Path) -> str:
    """Notes whose mentions have ids: of a composite mention two, of one that the codes lack, of one none."""
    lines = [
        ("n1", "With asthma, or a hemicrania.", [(5, 11, ["X:1"]), (18, 28, ["X:2"])]),
        ("n2", "severe migraine; no gout", [(7, 15, ["X:2"]), (20, 24, ["X:9"])]),
        ("n3", "asthma and gout", [(0, 6, []), (0, 15, ["X:1", "X:3"])]),
    ]
    (registry / "linked").mkdir()
    for split in ("train", "dev", "test"):
        written = [
            {
                "id": name,
                "text": text,
                "spans": [{"start": a, "end": b, "type": "Disease", "concept_ids": ids} for a, b, ids in spans],
            }
            for name, text, spans in lines
        ]
        (registry / "linked" / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in written))
    (registry / "corpora" / "linked.yaml").write_text(
        "id: linked\ntitle: Linked notes\ndescription: Notes with ids.\nformat: jsonl\nunit: document\n"
        f"types: {{Disease: Disease}}\noverlaps: keep\n{LICENSE % ('CC0-1.0', 'true')}"
        "sources: [{kind: bundled, path: linked}]\n"
    )
    return "linked"


def test_evaluate_scores_links(run: Callable[..., Result], model: Path, linked_corpus: str, tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text(CODES)
    result = run("evaluate", model, linked_corpus, "--link", "codes.csv", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    scores = data["linking"]
    assert scores["vocabularies"]["Disease"]["id"] == "codes" and scores["train_names"] == "none"
    gold = scores["gold"]
    assert (gold["belb"]["mentions"], gold["belb"]["outside"], gold["biosyn"]["mentions"]) == (5, 1, 4)
    assert gold["belb"]["accuracy_at_1"] == pytest.approx(4 / 5)
    assert gold["biosyn"]["accuracy_at_1"] == 1
    assert scores["end_to_end"]["recognition_f1"] == pytest.approx(data["micro_f1"])
    assert scores["end_to_end"]["f1"] < data["micro_f1"]
    assert scores["nil"]["gold_mentions"] == 1
    table = run("evaluate", model, linked_corpus, "--link", "Disease=codes.csv")
    assert "annotated mentions, BELB's rule" in table.stdout and "annotated mentions, BioSyn's rule" in table.stdout
    assert "Disease: codes, " in table.stdout and "linked by names of the vocabulary alone" in table.stdout


def test_evaluate_links_only_what_has_ids(run: Callable[..., Result], model: Path, tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text(CODES)
    result = run("evaluate", model, "open", "--link", "codes.csv")
    assert result.exit_code != 0 and "no mention of open has a concept id" in str(result.exception)
