"""Push: what is in the repositories, one commit each, none the second time, nothing over another model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.loopback_hub import READER, STRANGER, LoopbackHub, git_oid
from tests.publishing import run_zoo
from zoo.hub.manifest import Manifest, folder_problems

BASE, FIRST, SECOND = "openmed/tiny-bert-ner", "openmed/tiny-bert-tiny", "openmed/tiny-bert-tiny2"
Publish = Callable[..., list[Any]]


def belongs_together(hub: LoopbackHub, repo_id: str, folder: Path) -> None:
    """The files of a repository are those of its manifest, or there are none yet."""
    files, folder = hub.files(repo_id), folder / "downloaded" / repo_id
    if set(files) == {".gitattributes"}:
        return
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    assert folder_problems(folder, Manifest.model_validate_json(files["manifest.json"])) == []


def test_a_base_and_its_adapter_arrive_in_one_commit_each(publish: Publish, hub: LoopbackHub, out: Path) -> None:
    done = publish("tiny-bert/tiny")
    assert [(item.repo_id, item.status, item.exit_code) for item in done] == [
        (BASE, "created", 0),
        (FIRST, "created", 0),
    ]
    assert len(hub.history(BASE)) == len(hub.history(FIRST)) == 2  # the Hub's own first commit, and ours
    base, adapter = hub.files(BASE), hub.files(FIRST)
    tokenizer = {"tokenizer.json", "tokenizer_config.json"}
    assert set(base) == {".gitattributes", "README.md", "config.json", "manifest.json", "model.safetensors", *tokenizer}
    assert set(adapter) == {
        ".gitattributes",
        ".eval_results/tiny.yaml",
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
        "result.json",
        *tokenizer,
    }
    assert all(base[name] == adapter[name] for name in tokenizer)
    assert json.loads(adapter["adapter_config.json"])["base_model_name_or_path"] == BASE
    assert base["model.safetensors"] == (out / "bases/tiny-bert/model.safetensors").read_bytes()
    manifest = json.loads(adapter["manifest.json"])
    result = json.loads((out / "checkpoints/tiny-bert/tiny/result.json").read_text())
    assert manifest["fingerprints"] == result["fingerprints"]
    assert manifest["seeds"] == result["seeds"]
    assert manifest["versions"] == result["versions"]
    assert manifest["base"] == {"repo_id": BASE, "content": json.loads(base["manifest.json"])["content"]}
    assert len(manifest["commit"]) == 40
    assert json.loads(adapter["result.json"]) == result


def test_no_file_names_this_machine_or_the_token(publish: Publish, hub: LoopbackHub, out: Path) -> None:
    publish("tiny-bert/tiny")
    texts = [
        content for repo in (BASE, FIRST) for path, content in hub.files(repo).items() if ".safetensors" not in path
    ]
    for text in texts:
        assert str(out).encode() not in text
        assert str(Path.cwd()).encode() not in text
        assert b"hf_writer" not in text
        assert b"local_files_only" not in text


def test_a_second_push_makes_no_commit_and_uploads_nothing(publish: Publish, hub: LoopbackHub) -> None:
    publish("tiny-bert/tiny")
    heads = {name: repo.refs["main"] for name, repo in hub.repos.items()}
    hub.requests.clear()
    assert [item.status for item in publish("tiny-bert/tiny")] == ["unchanged", "unchanged"]
    assert {name: repo.refs["main"] for name, repo in hub.repos.items()} == heads
    assert not hub.asked("^(PUT|POST|DELETE)")


def test_a_second_push_from_another_commit_of_the_project_makes_no_commit(
    publish: Publish, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("tiny-bert/tiny")
    monkeypatch.setattr("zoo.hub.bundle.project_commit", lambda: ("0" * 40, False))
    assert [item.status for item in publish("tiny-bert/tiny")] == ["unchanged", "unchanged"]


def test_what_no_longer_belongs_there_goes_in_the_same_commit(publish: Publish, hub: LoopbackHub) -> None:
    publish("tiny-bert/tiny")
    hub.put(FIRST, {"old.bin": b"old", "README.md": b"edited by hand"})
    done = publish("tiny-bert/tiny")[1]
    assert (done.status, set(done.changes)) == ("updated", {"~ README.md", "- old.bin"})
    assert "old.bin" not in hub.files(FIRST)
    assert hub.history(FIRST)[1] == "put"


def test_one_base_serves_two_checkpoints(publish: Publish, hub: LoopbackHub, tmp_path: Path) -> None:
    done = publish("tiny-bert/tiny", "tiny-bert/tiny2")
    assert [item.repo_id for item in done] == [BASE, FIRST, SECOND]
    assert len(hub.asked(f"POST /api/models/{BASE}/commit")) == 1
    assert hub.files(FIRST)["adapter_model.safetensors"] != b""
    belongs_together(hub, SECOND, tmp_path)


def test_a_dry_run_shows_the_difference_and_changes_nothing(publish: Publish, hub: LoopbackHub) -> None:
    done = publish("tiny-bert/tiny", dry_run=True)
    assert [item.status for item in done] == ["created", "created"]
    assert "+ adapter_model.safetensors" in done[1].changes
    assert not hub.repos
    publish("tiny-bert/tiny")
    hub.put(FIRST, {"README.md": b"edited", "result.json": None})
    hub.requests.clear()
    done = publish("tiny-bert/tiny", dry_run=True)
    assert {"+ result.json", "~ README.md"} <= set(done[1].changes)
    assert not hub.asked("^(PUT|POST|DELETE)")


@pytest.mark.parametrize("files", [{"model.safetensors": b"x", "config.json": b"{}"}, {"manifest.json": b"{}"}])
def test_never_over_files_of_somebody_else(publish: Publish, hub: LoopbackHub, files: dict[str, bytes]) -> None:
    hub.put(FIRST, dict(files))
    head = hub.repos[FIRST].refs["main"]
    done = publish("tiny-bert/tiny")[1]
    assert (done.status, done.exit_code) == ("refused", 1)
    assert "the repository" in done.message
    assert hub.repos[FIRST].refs["main"] == head


def test_never_over_another_model_of_ours(publish: Publish, hub: LoopbackHub) -> None:
    publish("tiny-bert/tiny")
    hub.repos[SECOND] = hub.repos[FIRST]
    done = publish("tiny-bert/tiny2")
    assert "holds another model: the checkpoint tiny-bert/tiny" in done[1].message


def test_a_repository_with_a_card_alone_is_taken(publish: Publish, hub: LoopbackHub) -> None:
    hub.put(FIRST, {"README.md": b"soon"})
    assert publish("tiny-bert/tiny")[1].status == "updated"


def test_a_base_does_not_change_under_adapters_that_stay(
    publish: Publish, hub: LoopbackHub, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("tiny-bert/tiny", "tiny-bert/tiny2")
    config = out / "bases/tiny-bert/config.json"
    config.write_text(config.read_text().replace("gelu", "relu"))
    done = publish("tiny-bert/tiny")
    assert "tiny2" in done[0].message
    assert all(item.status == "refused" for item in done)
    done = publish("tiny-bert/tiny", "tiny-bert/tiny2")  # all that stand on it: it may change
    assert [item.status for item in done] == ["updated"] * 3


def test_private_repositories(publish: Publish, hub: LoopbackHub) -> None:
    publish("tiny-bert/tiny", private=True)
    assert hub.repos[BASE].private and hub.repos[FIRST].private
    hub.repos[FIRST].private = False
    assert "is public" in publish("tiny-bert/tiny", private=True)[1].message


def test_what_a_licence_forbids_is_refused(
    publish: Publish, hub: LoopbackHub, publishing_registry: Path, tmp_path: Path
) -> None:
    """The registry as it stands decides, not what it said when the checkpoint was built."""
    tightened = tmp_path / "tightened"
    shutil.copytree(publishing_registry, tightened)
    entry = tightened / "corpora" / "tiny.yaml"
    entry.write_text(entry.read_text().replace("CC0-1.0", "CC-BY-NC-4.0"))
    done = publish("tiny-bert/tiny", registry=tightened)
    assert [(item.status, item.exit_code) for item in done] == [("refused", 1)]
    assert "--private" in done[0].message
    assert not hub.asked("POST")
    done = publish("tiny-bert/tiny", private=True, registry=tightened)
    assert [item.status for item in done] == ["created", "created"]
    record = json.loads(hub.files(FIRST)["result.json"])
    assert record["errors"]["examples"] == [] and record["corpus_record"]["examples"] == {}
    assert (record["license"], record["publishable"]) == ("NOASSERTION", False)


def test_world_average_emissions_are_refused(publish: Publish, out: Path) -> None:
    path = out / "checkpoints/tiny-bert/tiny/result.json"
    path.write_text(path.read_text().replace('"country": "DEU"', '"country": "world average"'))
    assert "ZOO_COUNTRY" in publish("tiny-bert/tiny")[0].message


def test_an_adapter_that_was_not_measured_is_refused(publish: Publish, hub: LoopbackHub, out: Path) -> None:
    path = out / "checkpoints/tiny-bert/tiny/adapter/adapter_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "not the one that was measured" in publish("tiny-bert/tiny")[1].message
    assert FIRST not in hub.repos


@pytest.mark.parametrize(
    "text", ["/home/somebody/notes", "C:\\\\Users\\\\x", "hf_abcdefghijklmnopqrstuvwxyz0123", "OUT"]
)
def test_paths_and_tokens_do_not_leave(publish: Publish, hub: LoopbackHub, out: Path, text: str) -> None:
    path = out / "checkpoints/tiny-bert/tiny/result.json"
    said = f"seen in {out if text == 'OUT' else text}"
    path.write_text(path.read_text().replace('"notes": []', f'"notes": ["{said}"]'))
    done = publish("tiny-bert/tiny")
    assert done[1].status == "refused"
    assert "abcdefgh" not in done[1].message
    assert FIRST not in hub.repos


def test_pull_requests(publish: Publish, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such repository" in publish("tiny-bert/tiny", create_pr=True)[0].message
    publish("tiny-bert/tiny")
    head = hub.put(FIRST, {"README.md": b"edited"})
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    for _ in range(2):  # the second time the first one's is found
        done = publish("tiny-bert/tiny", create_pr=True)[1]
        assert (done.status, done.url) == ("proposed", f"{hub.url}/{FIRST}/discussions/1")
    assert hub.repos[FIRST].refs["main"] == head
    assert hub.files(FIRST, "refs/pr/1")["README.md"].startswith(b"---")


def test_another_organisation(publish: Publish, hub: LoopbackHub) -> None:
    publish("tiny-bert/tiny", org="admin")
    assert set(hub.repos) == {"admin/tiny-bert-ner", "admin/tiny-bert-tiny"}
    files = hub.files("admin/tiny-bert-tiny")
    assert b"openmed/" not in files["README.md"] + files["result.json"] + files["adapter_config.json"]


def test_other_names(publish: Publish, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CHECKPOINT_NAME", "ner.{corpus}_{backbone}")
    monkeypatch.setenv("ZOO_BASE_NAME", "{backbone}-base")
    adapter, base = "openmed/ner.tiny_tiny-bert", "openmed/tiny-bert-base"
    assert [done.message for done in publish("tiny-bert/tiny")] == [None, None]
    assert set(hub.repos) == {adapter, base}
    files = hub.files(adapter)
    assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == base
    cards = files["README.md"].decode(), hub.files(base)["README.md"].decode()
    assert adapter in cards[0] and base in cards[0] and "openmed/ner.*_tiny-bert" in cards[1] and base in cards[1]
    for usual in ("tiny-bert-ner", "tiny-bert-tiny", "openmed/tiny-bert-one"):
        assert not any(usual in card for card in cards)


def test_scores_as_the_hub_reads_them(publish: Publish, hub: LoopbackHub) -> None:
    publish("tiny-bert/tiny")
    files = hub.files(FIRST)
    entries = yaml.safe_load(files[".eval_results/tiny.yaml"])
    hf = pytest.importorskip("huggingface_hub")
    parsed = hf._eval_results.parse_eval_result_entries(entries)
    assert parsed[0].value == round(json.loads(files["result.json"])["scores"]["test"]["micro_f1"], 4)
    assert parsed[0].source_url == f"https://huggingface.co/{FIRST}/blob/main/result.json"


@pytest.mark.parametrize("all_regular", [False, True])
def test_without_lfs(publish: Publish, hub: LoopbackHub, tmp_path: Path, all_regular: bool) -> None:
    hub.all_regular = all_regular
    publish("tiny-bert/tiny")
    assert bool(hub.asked("__lfs/")) is not all_regular
    belongs_together(hub, FIRST, tmp_path)
    assert [item.status for item in publish("tiny-bert/tiny")] == ["unchanged", "unchanged"]


def test_a_hub_without_xet_gets_classic_uploads(
    publish: Publish, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hf_xet")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    assert [item.status for item in publish("tiny-bert/tiny")] == ["created", "created"]
    assert hub.asked("xet-write-token")
    assert hub.asked("PUT /__lfs/")


def test_the_xet_way(
    publish: Publish, hub: LoopbackHub, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hf_xet")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    (tmp_path / "cas").mkdir()
    hub.xet = f"local://{tmp_path / 'cas'}"
    for path in (
        out / "bases/tiny-bert/model.safetensors",
        out / "checkpoints/tiny-bert/tiny/adapter/adapter_model.safetensors",
    ):
        hub._blob(path.read_bytes())  # this Hub does not read what the client puts into a CAS
    assert [item.status for item in publish("tiny-bert/tiny")] == ["created", "created"]
    assert not hub.asked("__lfs")
    assert any(path.is_file() for path in (tmp_path / "cas").rglob("*"))


def test_git_oids_are_git_s() -> None:
    assert git_oid(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_the_command(client: Any, hub: LoopbackHub, out: Path, publishing_registry: Path, tmp_path: Path) -> None:
    env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_writer", "HF_HOME": str(tmp_path / "home")}
    args = ["--registry", publishing_registry, "--out", out]
    done = run_zoo("push", "--all", "--no-verify", *args, cwd=tmp_path, **env)
    assert "created" in done.stdout
    done = run_zoo("push", "tiny-bert/tiny", "--dry-run", "--json", *args, cwd=tmp_path, **env)
    assert [item["status"] for item in json.loads(done.stdout)] == ["unchanged", "unchanged"]
    for token, exit_code, said in (
        (READER, 3, "role is 'read'"),
        (STRANGER, 3, "not a member"),
        ("hf_unknown", 3, "token"),
    ):
        done = run_zoo("push", "--all", *args, cwd=tmp_path, check=exit_code, **{**env, "HF_TOKEN": token})
        assert said in done.stderr
        assert token not in done.stderr + done.stdout
    done = run_zoo("push", "--all", *args, cwd=tmp_path, check=2, **{**env, "ZOO_COUNTRY": ""})
    assert "ZOO_COUNTRY" in done.stderr
    done = run_zoo("push", "--all", *args, cwd=tmp_path, check=3, **{**env, "HF_HUB_OFFLINE": "1"})
    assert "HF_HUB_OFFLINE" in done.stderr
