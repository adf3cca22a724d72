"""The encoder of names: what it learns, and that a run that was stopped ends as one that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import Tiny, family
from zoo.linking.encoder import NameEncoder
from zoo.linking.linker import read_trained_vectors, write_trained_vectors
from zoo.linking.trained_names import TrainedNames
from zoo.modeling.adapters import ADAPTER_WEIGHTS
from zoo.registry.link_recipe import LinkRecipe
from zoo.tagging.models import Base
from zoo.training import name_encoder
from zoo.training.name_encoder import multi_similarity, synonym_pairs, train_encoder

NAMES = {
    "X:1": ["asthma", "bronchial asthma", "wheezing"],
    "X:2": ["migraine", "severe migraine", "headache"],
    "X:3": ["aspirin", "acetylsalicylic acid"],
    "X:4": ["diabetes", "sugar disease", "diabetes mellitus"],
    "X:5": ["gout"],
}
RECIPE = LinkRecipe(batch_size=8, epochs=12, learning_rate=5e-3, pairs_max=100)


def train(tiny: Tiny, destination: Path, **options: Any) -> name_encoder.EncoderLog:
    return train_encoder(
        tiny.base,
        family(),
        lambda epoch: synonym_pairs(NAMES, {"X:1": ["shortness of breath"]}, RECIPE.pairs_max, epoch),
        recipe=RECIPE,
        seed=3,
        destination=destination,
        **options,
    )


def test_names_of_one_concept_come_together(tiny: Tiny, tmp_path: Path) -> None:
    log = train(tiny, tmp_path / "adapter")
    assert log.losses[-1][1] < log.losses[0][1]
    every = [(concept, name) for concept, own in NAMES.items() for name in own]
    same = np.array([[one == other for other, _ in every] for one, _ in every])
    apart = {}
    for adapter in (None, tmp_path / "adapter"):
        vectors = NameEncoder(Base.load(tiny.base), adapter).encode([name for _, name in every])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        cosines = vectors @ vectors.T
        apart[adapter] = cosines[same & ~np.eye(len(every), dtype=bool)].mean() - cosines[~same].mean()
    assert apart[tmp_path / "adapter"] > apart[None] + 0.2


def test_a_stopped_training_ends_as_one_that_was_not(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_encoder, "_SNAPSHOT_SECONDS", 0.0)
    whole = train(tiny, tmp_path / "whole")
    snapshot, seen = tmp_path / "snapshot.safetensors", []

    def stop(done: int, steps: int, note: str) -> None:
        seen.append(done)
        if done == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny, tmp_path / "stopped", snapshot_path=snapshot, progress=stop)
    assert seen[-1] == 14 and not (tmp_path / "stopped").exists()
    seen.clear()
    again = train(tiny, tmp_path / "again", snapshot_path=snapshot, progress=lambda done, *_: seen.append(done))
    assert seen[0] == 11, "it goes on from the snapshot of step 10"
    assert again.losses == whole.losses
    first, second = (load_file(tmp_path / name / ADAPTER_WEIGHTS) for name in ("whole", "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_many_names_at_once_have_the_vectors_of_few(tiny: Tiny) -> None:
    encoder = NameEncoder(Base.load(tiny.base), None)
    names = [f"{name} {number}" for number in range(100) for own in NAMES.values() for name in own]
    assert len(names) > 1024
    np.testing.assert_allclose(encoder.encode(names)[:50], encoder.encode(names[:50]), atol=1e-5)
    assert encoder.encode([]).shape[0] == 0


def test_vectors_of_names_seen_in_training_are_stored(tiny: Tiny, tmp_path: Path) -> None:
    encoder = NameEncoder(Base.load(tiny.base), None)
    names = {
        "Disease": TrainedNames({"gout": {("X:5",): 1}, "asthma": {("X:1",): 2}}),
        "Chemical": TrainedNames({"aspirin": {("X:3",): 1}}),
    }
    write_trained_vectors(tmp_path, names, encoder)
    computed = read_trained_vectors(tmp_path / "elsewhere", names, encoder)
    stored = read_trained_vectors(tmp_path, names, None)  # type: ignore[arg-type] - nothing is computed
    assert stored.keys() == computed.keys() == names.keys()
    for type, vectors in computed.items():
        np.testing.assert_allclose(stored[type], vectors, atol=1e-3)
    more = {**names, "Gene": TrainedNames({"p53": {("X:6",): 1}})}
    assert len(read_trained_vectors(tmp_path, more, encoder)["Gene"]) == 1, "those of other names are not taken"


def test_pairs_are_of_one_concept_and_mentions_come_on_top() -> None:
    pairs = synonym_pairs(NAMES, {"X:5": ["podagra"], "X:9": ["alone"]}, 4, seed=1)
    known = {name: concept for concept, own in NAMES.items() for name in own} | {"podagra": "X:5"}
    assert all(known[one] == known[other] == concept and one != other for one, other, concept in pairs)
    assert sum(one == "podagra" for one, *_ in pairs) == 4
    assert len(pairs) == 4 + 4
    assert pairs == synonym_pairs(NAMES, {"X:5": ["podagra"], "X:9": ["alone"]}, 4, seed=1)


def test_the_loss_is_that_of_its_paper() -> None:
    vectors = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.9, 0.4], [0.2, 1.0], [0.0, 1.0]]), dim=-1)
    concepts = torch.tensor([0, 0, 1, 1])
    expected = 0.0
    cosines = (vectors @ vectors.T).tolist()
    for one in range(4):
        own = [cosines[one][o] for o in range(4) if o != one and concepts[o] == concepts[one]]
        foreign = [cosines[one][o] for o in range(4) if concepts[o] != concepts[one]]
        hard_own = [c for c in own if c < max(foreign) + 0.2]
        hard_foreign = [c for c in foreign if c > min(own) - 0.2]
        expected += np.log1p(sum(np.exp(-(c - 0.5)) for c in hard_own))
        expected += np.log1p(sum(np.exp(60 * (c - 0.5)) for c in hard_foreign)) / 60
    assert float(multi_similarity(vectors, concepts, margin=0.2)) == pytest.approx(expected / 4, rel=1e-5)
