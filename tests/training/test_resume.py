"""Fine-tuning that is stopped and goes on: the same weights to the bit, the same log; and when it stops by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.training.conftest import TYPES, Tiny, label_space, recipe, sentences
from zoo.errors import ZooError
from zoo.evaluation.result import EpochRecord
from zoo.modeling.classifier import classifier
from zoo.modeling.labels import NEVER
from zoo.modeling.lora import check_foreign_rows
from zoo.registry.recipes import Recipe
from zoo.training.finetune import Progress, TrainingLog, _hopeless, _State, planned_steps
from zoo.training.joining import shares_by_size
from zoo.training.snapshot import Snapshot, read_snapshot

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

RECIPE = recipe(join_sentences=0.5, noise=0.5, epochs=5, label_smoothing=0.1)
"""Every source of chance: batches, joined runs, noise, dropout of the adapter and of the encoder."""


class Stopped(BaseException):
    """As a kill: nobody catches it."""


def stop_after(epoch: int) -> Progress:
    def on_epoch(log: EpochRecord) -> None:
        if log.epoch == epoch:
            raise Stopped

    return Progress(on_epoch=on_epoch)


def stop_in_step(step: int) -> Progress:
    """Stop in the middle of an epoch."""
    left = [step]

    def on_step() -> None:
        left[0] -= 1
        if not left[0]:
            raise Stopped

    return Progress(on_step=on_step)


def weights(model: PeftModel) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def timeless(log: TrainingLog) -> TrainingLog:
    epochs = tuple(epoch.model_copy(update={"train_seconds": 0.0, "dev_seconds": 0.0}) for epoch in log.epochs)
    return replace(log, epochs=epochs, train_seconds=0.0)


def assert_same(one: tuple[PeftModel, TrainingLog], other: tuple[PeftModel, TrainingLog]) -> None:
    assert timeless(one[1]) == timeless(other[1])
    mine, theirs = weights(one[0]), weights(other[0])
    assert mine.keys() == theirs.keys()
    different = [name for name, tensor in mine.items() if not tensor.equal(theirs[name])]
    assert not different


@pytest.fixture(scope="module")
def undisturbed(tiny: Tiny) -> tuple[PeftModel, TrainingLog]:
    return tiny.train(RECIPE)


def test_a_seed_decides_everything(tiny: Tiny, undisturbed: tuple[PeftModel, TrainingLog], tmp_path: Path) -> None:
    """Writing snapshots changes nothing, another seed everything."""
    assert_same(undisturbed, tiny.train(RECIPE, snapshot=tmp_path / "snapshot"))
    other = tiny.train(RECIPE.model_copy(update={"seed": 14}))
    assert timeless(other[1]) != timeless(undisturbed[1])


@pytest.mark.parametrize("epoch", [1, 3, 5])
def test_stopped_after_an_epoch_it_ends_the_same(
    epoch: int, tiny: Tiny, undisturbed: tuple[PeftModel, TrainingLog], tmp_path: Path
) -> None:
    path = tmp_path / "new" / "snapshot.safetensors"
    with pytest.raises(Stopped):
        tiny.train(RECIPE, snapshot=path, progress=stop_after(epoch))
    heard: list[EpochRecord] = []
    steps: list[int] = []
    resumed: list[int] = []
    progress = Progress(on_resume=resumed.append, on_step=lambda: steps.append(1), on_epoch=heard.append)
    again = tiny.train(RECIPE, snapshot=path, progress=progress)
    assert_same(undisturbed, again)
    assert tuple(heard) == again[1].epochs, "a search hears of every epoch once more"
    per_epoch = 5  # 12 sentences and half of them again, 4 a step
    assert resumed == [epoch * per_epoch] and len(steps) <= (5 - epoch) * (per_epoch + 1)
    assert bool(steps) == (epoch < 5), "an epoch that was done ran again"


def test_stopped_again_and_again_in_mid_epoch_it_ends_the_same(
    tiny: Tiny, undisturbed: tuple[PeftModel, TrainingLog], tmp_path: Path
) -> None:
    path = tmp_path / "snapshot.safetensors"
    for step in (2, 5, 6):
        with pytest.raises(Stopped):
            tiny.train(RECIPE, snapshot=path, progress=stop_in_step(step))
    assert_same(undisturbed, tiny.train(RECIPE, snapshot=path))


def test_what_is_drawn_of_several_corpora_is_the_same_again(tiny: Tiny, tmp_path: Path) -> None:
    shares = shares_by_size([slice(0, 3), slice(3, 12)], 3.0)
    wanted = recipe(epochs=3, join_sentences=0.0)
    one = tiny.train(wanted, shares=shares)
    path = tmp_path / "snapshot.safetensors"
    with pytest.raises(Stopped):
        tiny.train(wanted, shares=shares, snapshot=path, progress=stop_after(1))
    assert_same(one, tiny.train(wanted, shares=shares, snapshot=path))
    assert timeless(one[1]) != timeless(tiny.train(wanted)[1])


def test_a_stop_between_best_and_last_epoch_keeps_the_best(tiny: Tiny, tmp_path: Path) -> None:
    """The best epoch's weights travel in the snapshot: the last epoch's are others."""
    wanted = recipe(epochs=14, learning_rate=2e-2, patience=3, join_sentences=0.0)
    one = tiny.train(wanted)
    assert 0 < one[1].best_epoch < len(one[1].epochs), "this recipe should overshoot"
    path = tmp_path / "snapshot.safetensors"
    with pytest.raises(Stopped):
        tiny.train(wanted, snapshot=path, progress=stop_after(len(one[1].epochs)))
    snapshot = read_snapshot(path)
    assert snapshot is not None
    best, last = snapshot.part("best"), snapshot.part("model")
    assert any(not best[name].equal(last[name]) for name in best)
    assert_same(one, tiny.train(wanted, snapshot=path))


@pytest.mark.parametrize("damage", ["cut short", "empty", "not a snapshot"])
def test_a_damaged_snapshot_is_left_aside(
    damage: str, tiny: Tiny, undisturbed: tuple[PeftModel, TrainingLog], tmp_path: Path
) -> None:
    """Power may fail before the disk has what was written: training begins anew and ends the same."""
    path = tmp_path / "snapshot.safetensors"
    with pytest.raises(Stopped):
        tiny.train(RECIPE, snapshot=path, progress=stop_after(2))
    whole = path.read_bytes()
    path.write_bytes({"cut short": whole[: len(whole) // 2], "empty": b""}.get(damage, b"something else " * 100))
    steps: list[int] = []
    again = tiny.train(RECIPE, snapshot=path, progress=Progress(on_resume=steps.append))
    assert not steps
    assert_same(undisturbed, again)
    whole_again = read_snapshot(path)
    assert whole_again is not None and whole_again.values["epoch"] == 5


def test_a_snapshot_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "snapshot.safetensors"
    tensor = torch.arange(6.0).reshape(2, 3)
    Snapshot({"model.a.b": tensor.T, "best.a": tensor}, {"step": 3, "list": [1, "x"]}).save(path)
    with pytest.raises(TypeError):
        Snapshot({"model.a.b": tensor}, {"step": object()}).save(path)
    found = read_snapshot(path)
    assert found is not None and found.values == {"step": 3, "list": [1, "x"]}
    assert found.part("model").keys() == {"a.b"} and found.part("model")["a.b"].equal(tensor.T)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    assert read_snapshot(tmp_path / "absent") is None


def silent(tiny: Tiny, wanted: Recipe) -> PeftModel:
    """A model that finds nothing at first, as on a small corpus of rare mentions."""
    import torch

    model = tiny.model(wanted)
    with torch.no_grad():
        classifier(model.get_base_model()).bias[0] = 4.0
    return model


def test_patience_begins_after_the_first_entity_found_and_a_third_of_the_run(tiny: Tiny) -> None:
    wanted = recipe(epochs=60, learning_rate=2e-2, patience=2)
    _, log = tiny.train(wanted, model=silent(tiny, wanted))
    scores = [epoch.dev_micro_f1 for epoch in log.epochs]
    first = next(epoch for epoch, score in enumerate(scores, start=1) if score > 0)
    assert first > 1 + 2, "the model should need longer than the patience"
    assert len(scores) == max(log.best_epoch, 60 // 3) + 2 < 60
    assert log.best_dev_micro_f1 == max(scores) == scores[log.best_epoch - 1]
    assert scores.index(max(scores)) == log.best_epoch - 1, "of equal epochs the first is the best"


def test_a_model_that_finds_nothing_uses_all_its_epochs(tiny: Tiny, tmp_path: Path) -> None:
    wanted = recipe(epochs=5, learning_rate=1e-6, patience=1)
    path = tmp_path / "snapshot.safetensors"
    with pytest.raises(Stopped):
        tiny.train(wanted, model=silent(tiny, wanted), snapshot=path, progress=stop_after(3))
    _, log = tiny.train(wanted, model=silent(tiny, wanted), snapshot=path)
    assert [epoch.dev_micro_f1 for epoch in log.epochs] == [0.0] * 5


def test_patience_does_not_count_from_a_few_lucky_mentions() -> None:
    finetuning = recipe(epochs=30, patience=3).finetune
    assert not _hopeless(_State({}, epoch=20, best_f1=0.03, best_epoch=5), finetuning)
    assert _hopeless(_State({}, epoch=20, best_f1=0.3, best_epoch=5), finetuning)


def test_steps_are_known_before_training(tiny: Tiny) -> None:
    started: list[int] = []
    wanted = recipe(epochs=2, batch_size=5)
    tiny.train(wanted, progress=Progress(on_start=started.append))
    assert started == [planned_steps(len(sentences()), wanted.finetune)] == [2 * 3]


def test_rows_of_foreign_types_never_change(tiny: Tiny) -> None:
    """Not by gradients, weight decay, label smoothing, nor by what Adam keeps in mind."""
    import torch

    wanted = recipe(epochs=3, weight_decay=0.5, label_smoothing=0.2)
    model = tiny.model(wanted)
    head = classifier(model.get_base_model())
    own = label_space().own_ids(TYPES)
    foreign = [index for index in range(head.out_features) if index not in own]
    before = head.weight.detach().clone()
    seen: list[int] = []

    def look(log: EpochRecord) -> None:
        seen.append(log.epoch)
        assert not bool(head.weight[foreign].any()) and bool((head.bias[foreign] == NEVER).all())

    tiny.train(wanted, model=model, on_epoch=look)
    assert seen == [1, 2, 3] and not head.weight[own].equal(before[own])
    check_foreign_rows(model, label_space(), TYPES)
    with torch.no_grad():
        head.bias[foreign[-1]] += 1.0
    with pytest.raises(ZooError, match="foreign types changed"):
        check_foreign_rows(model, label_space(), TYPES)


def test_loraplus_moves_b_faster_and_nothing_else(tiny: Tiny) -> None:
    """Adam's first step is the learning rate in the direction of the gradient."""
    moved = {}
    for ratio in (1.0, 4.0):
        wanted = recipe(
            epochs=1, batch_size=12, warmup_share=0.0, weight_decay=0.0, learning_rate=1e-3, loraplus_lr_ratio=ratio
        )
        before = weights(tiny.model(wanted))
        model, _ = tiny.train(wanted)
        moved[ratio] = {name: (p - before[name]).abs().max().item() for name, p in weights(model).items()}
    for name, most in moved[1.0].items():
        if "lora_A" not in name and most:  # A's gradient is 0 while B is
            ratio = 4 if "lora_B" in name else 1
            assert moved[4.0][name] == pytest.approx(ratio * most, rel=1e-3), name
            assert moved[4.0][name] == pytest.approx(ratio * 1e-3, rel=1e-2), name
    assert any("lora_B" in name for name, most in moved[1.0].items() if most)


def test_what_is_frozen_stays_as_it_was(tiny: Tiny, undisturbed: tuple[PeftModel, TrainingLog]) -> None:
    fresh = tiny.model(RECIPE)
    frozen = {name for name, parameter in fresh.named_parameters() if not parameter.requires_grad}
    before, after = weights(fresh), weights(undisturbed[0])
    assert frozen and all(after[name].equal(before[name]) for name in frozen)
    assert all(not after[name].equal(before[name]) for name in before.keys() - frozen)


def test_a_loss_that_is_not_finite_is_said_with_a_fix(tiny: Tiny, tmp_path: Path) -> None:
    wanted = recipe(epochs=4, learning_rate=1e20, warmup_share=0.0)
    path = tmp_path / "snapshot.safetensors"
    with pytest.raises(ZooError, match="the loss became") as caught:
        tiny.train(wanted, snapshot=path)
    assert caught.value.fix is not None and "finetune.learning_rate" in caught.value.fix
