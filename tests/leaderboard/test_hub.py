"""Where data comes from: the file as it changes, the Hub, and the last good data when it is away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data import Board, BoardError
from hub import HubSource, Store, is_verified
from tests.leaderboard.boards import result, row, save


class FakeApi:
    """The two calls of the client that the Space makes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repos, self.away, self.downloads = folder, {}, False, 0  # type: ignore[var-annotated]

    def put(self, repo: str, files: dict[str, Any], sha: str = "1") -> None:
        self.repos[repo] = (sha, {name: json.dumps(value) for name, value in files.items()})

    def list_models(self, author: str, full: bool) -> Iterator[Any]:
        if self.away:
            raise ConnectionError("away")
        for repo, (sha, files) in self.repos.items():
            siblings = [SimpleNamespace(rfilename=name) for name in files]
            yield SimpleNamespace(id=repo, sha=sha, siblings=siblings)

    def hf_hub_download(self, repo: str, name: str, revision: str, etag_timeout: float) -> str:
        self.downloads += 1
        path = self.folder / f"{repo.replace('/', '_')}-{revision}-{name}"
        path.write_text(self.repos[repo][1][name])
        return str(path)


GOOD = {"passed": True, "adapter": "a" * 64}


@pytest.fixture
def api(tmp_path: Path) -> FakeApi:
    (tmp_path / "cache").mkdir()
    made = FakeApi(tmp_path / "cache")
    made.put("o/a", {"result.json": result(row("a", "notes", 0.8, 0)), "verification.json": GOOD})
    made.put("o/b", {"result.json": result(row("b", "notes", 0.9, 0))})
    made.put("o/c", {"result.json": result(row("c", "notes", 0.7, 0)), "verification.json": GOOD})
    made.put("o/base", {"config.json": {}})
    made.put("o/broken", {"result.json": {"checkpoint_id": "x"}, "verification.json": GOOD})
    return made


def shown(board: Board) -> list[tuple[str, int | None, bool | None]]:
    return [(entry.repo_id, entry.rank, entry.verified) for entry in board.entries]


def test_only_verified_repos_are_ranked_and_broken_ones_left_out(api: FakeApi) -> None:
    board = HubSource("o", api=api).fetch()  # type: ignore[arg-type]
    assert shown(board) == [("o/a", 1, True), ("o/c", 2, True), ("o/b", None, False)]
    assert "Only verified models are ranked" in board.ranking and "organisation o" in board.origin


def test_what_did_not_change_is_not_read_again(api: FakeApi) -> None:
    source = HubSource("o", api=api)  # type: ignore[arg-type]
    source.fetch()
    before = api.downloads
    source.fetch()
    assert api.downloads == before
    api.put("o/b", {"result.json": result(row("b", "notes", 0.9, 0)), "verification.json": GOOD}, sha="2")
    assert shown(source.fetch())[0] == ("o/b", 1, True) and api.downloads == before + 2


@pytest.mark.parametrize(
    "verification", [{}, {"passed": False, "adapter": "a" * 64}, {"passed": True, "adapter": "b" * 64}]
)
def test_a_verification_of_another_adapter_counts_for_nothing(verification: dict[str, Any]) -> None:
    assert not is_verified(result(row("a", "notes", 0.8, 1)), verification)
    assert is_verified(result(row("a", "notes", 0.8, 1)), GOOD)


def test_the_last_good_data_stays_when_the_hub_is_away(api: FakeApi, tmp_path: Path) -> None:
    store = Store(save(tmp_path), source=HubSource("o", api=api), clock=lambda: 1_700_000_000.0)  # type: ignore[arg-type]
    assert len(store.board().entries) == 5  # the file, until the Hub has answered
    api.away = True
    store.refresh()
    assert len(store.board().entries) == 5 and "does not answer" in store.status()
    api.away = False
    store.refresh()
    assert len(store.board().entries) == 3 and "2023-11-14 22:13 UTC" in store.status()
    api.away = True
    store.refresh()
    assert len(store.board().entries) == 3 and "showing the last data" in store.status()


def test_an_organisation_without_results_keeps_the_file(tmp_path: Path) -> None:
    empty = HubSource("o", api=FakeApi(tmp_path))  # type: ignore[arg-type]
    with pytest.raises(BoardError, match="no results in the repos of o"):
        empty.fetch()


def test_a_changed_file_is_read_again_and_a_damaged_one_keeps_the_last(tmp_path: Path) -> None:
    store = Store(save(tmp_path))
    first = store.board()
    assert store.board() is first
    path = save(tmp_path, [row("new", "notes", 0.5, 1)]) / "board.json"
    os.utime(path, ns=(1, 1))
    assert [entry.name for entry in store.board().entries] == ["new/notes"]
    path.write_text("{")
    assert [entry.name for entry in store.board().entries] == ["new/notes"] and "is damaged" in store.status()
    path.unlink()
    assert len(store.board().entries) == 1


def test_no_board_at_all_says_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.board().entries == () and "run zoo board" in store.status()
