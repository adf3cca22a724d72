"""Splits are made by document, seeded, and never tear a group apart."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from zoo.corpora.document import Document
from zoo.corpora.splitting import assign_splits, join_copies, splits_by_text
from zoo.errors import ZooError

NAMES = [f"note-{i}" for i in range(50)]
SHARES = {"dev": 0.1, "test": 0.2}


def test_shares_are_shares_of_documents() -> None:
    assert Counter(assign_splits(NAMES, SHARES, seed=13)) == {"train": 35, "dev": 5, "test": 10}
    assert Counter(assign_splits(NAMES[:10], SHARES, seed=13)) == {"train": 7, "dev": 1, "test": 2}
    assert Counter(assign_splits(NAMES, {"dev": 0.001}, seed=13)) == {"train": 49, "dev": 1}


def test_the_draw_depends_on_names_and_seed_alone() -> None:
    drawn = dict(zip(NAMES, assign_splits(NAMES, SHARES, seed=13), strict=True))
    shuffled = random.Random(0).sample(NAMES, len(NAMES))
    assert dict(zip(shuffled, assign_splits(shuffled, SHARES, seed=13), strict=True)) == drawn
    assert dict(zip(NAMES, assign_splits(NAMES, SHARES, seed=14), strict=True)) != drawn


def test_groups_stay_together() -> None:
    groups = [f"report-{i % 12}" for i in range(400)]
    splits = assign_splits(groups, SHARES, seed=13)
    assert len({(group, split) for group, split in zip(groups, splits, strict=True)}) == 12
    assert set(splits) == {"train", "dev", "test"}


@pytest.mark.parametrize(
    ("count", "shares", "words"),
    [
        (9, SHARES, "9 documents are too few"),
        (50, {"dev": 0.0}, "share of dev is 0"),
        (50, {"test": 1.0}, "share of test is 1"),
        (50, {"test": float("nan")}, "share of test is nan"),
        (50, {"test": -0.1}, "share of test is -0.1"),
        (50, {"dev": 0.3, "test": 0.3}, "less than half"),
    ],
)
def test_refusals(count: int, shares: dict[str, float], words: str) -> None:
    with pytest.raises(ZooError, match=words):
        assign_splits(NAMES[:count], shares, seed=13)  # type: ignore[arg-type]


def test_copies_are_joined() -> None:
    documents = [Document(str(i), text) for i, text in enumerate(["No asthma.", "Asthma.", "no\n ASTHMA.", "Other."])]
    assert join_copies(["a", "b", "c", "d"], documents) == (["a", "b", "a", "d"], 1)


def test_shared_sentences_do_not_join_reports() -> None:
    documents = [Document(str(i), text) for i, text in enumerate(["Findings:", "Asthma.", "Findings:", "None."])]
    assert join_copies(["a", "a", "b", "b"], documents) == (["a", "a", "b", "b"], 0)


def test_a_text_keeps_its_split_when_others_come() -> None:
    documents = [Document(f"{i}", f"Note {i}: asthma.") for i in range(400)]
    drawn = splits_by_text(documents, SHARES, seed=13)
    assert Counter(drawn)["dev"] == pytest.approx(40, abs=15) and Counter(drawn)["test"] == pytest.approx(80, abs=20)
    assert splits_by_text(documents[::-1], SHARES, seed=13) == drawn[::-1]
    assert splits_by_text(documents[:60], SHARES, seed=13) == drawn[:60]
    copy = Document("copy", "NOTE 3:  asthma.")
    assert splits_by_text([*documents, copy], SHARES, seed=13) == [*drawn, drawn[3]]
    assert splits_by_text(documents, SHARES, seed=14) != drawn
    for first in range(0, 400, 10):  # where no hash falls into a split, it still has a document
        assert set(splits_by_text(documents[first : first + 10], SHARES, seed=13)) == {"train", "dev", "test"}
    with pytest.raises(ZooError, match="9 documents are too few"):
        splits_by_text([*documents[:9], replace(documents[0], id="copy")], SHARES, seed=13)
    with pytest.raises(ZooError, match="less than half"):
        splits_by_text(documents, {"dev": 0.3, "test": 0.3}, seed=13)
