"""Domain-adaptive pre-training: what it lowers, what it leaves alone, and that nothing that stops it changes it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import FAMILIES, ROOT
from tests.tiny import save_tiny_backbone
from tests.training.conftest import Tiny, family, save_bert
from zoo.errors import ZooError
from zoo.registry.recipes import DaptRecipe
from zoo.training import dapt
from zoo.training.batching import pass_starts
from zoo.training.dapt import DaptLog, DaptProgress, adapt, merge
from zoo.training.dapt_processes import adapt_in_parallel
from zoo.training.masked_lm import head_parameters, load_masked_language_model, masked_batch, masked_loss
from zoo.training.snapshot import read_snapshot

if TYPE_CHECKING:
    import torch

TEXTS = ["aspirin stopped migraine " * (2 + number % 4) for number in range(40)]
ALL = range(len(TEXTS))
STEPS = 2 * 5
SCALE = 5.0
WEIGHTS = "adapter_model.safetensors"


class Stopped(BaseException):
    """As a kill: nobody catches it."""


def dapt_recipe(**values: Any) -> DaptRecipe:
    given = {
        "batch_size": 8,
        "micro_batch_size": 4,
        "learning_rate": 3e-2,
        "head_learning_rate": 3e-2,
        "epochs": 2,
        "precision": "float32",
    }
    return DaptRecipe(**{**given, **values})


CALM = dapt_recipe(dropout=0.0, learning_rate=1e-2)


def timeless(log: DaptLog) -> DaptLog:
    return log.model_copy(update={"train_seconds": 0.0})


@dataclass(frozen=True)
class Outcome:
    log: DaptLog
    adapter: Path

    @property
    def weights(self) -> bytes:
        return (self.adapter / WEIGHTS).read_bytes()

    def assert_same(self, other: Outcome) -> None:
        assert timeless(self.log) == timeless(other.log)
        assert self.weights == other.weights


def run(backbone: Path, folder: Path, recipe: DaptRecipe | None = None, **more: Any) -> Outcome:
    """DAPT of a tiny BERT on the repetitive texts."""
    recipe = recipe or dapt_recipe()
    arguments = {"texts": TEXTS, "epochs": [ALL] * recipe.epochs, "heldout": TEXTS, "family": family(), **more}
    return Outcome(adapt(backbone, recipe=recipe, destination=folder / "adapter", **arguments), folder / "adapter")


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT without dropout, its weights large enough for ten steps to tell: a backbone without a head."""
    folder = tmp_path_factory.mktemp("even")
    save_bert(folder, dropout=0.0, scale=SCALE)
    return folder


@pytest.fixture(scope="module")
def headed(even: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a language-modelling head."""
    import torch
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("headed")
    torch.manual_seed(0)
    model, new = load_masked_language_model(even, family())
    assert new
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(even).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(even: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One process, no dropout; a learning rate at which ten steps lower the perplexity whatever the seed."""
    return run(even, tmp_path_factory.mktemp("undisturbed"), CALM)


def test_perplexity_falls_and_the_head_is_trained_first_where_there_is_none(undisturbed: Outcome) -> None:
    log = undisturbed.log
    assert log.head_trained and log.steps == STEPS
    assert log.perplexity_after < 0.95 * log.perplexity_before
    assert 1 < log.perplexity_before < 15, "of some 80 tokens a trained head should do better than chance"
    assert [(phase, step) for phase, step, _ in log.losses] == [("head", STEPS), ("lora", STEPS)]
    assert log.trained_parameters == 2 * 2 * 2 * 16 * 64  # layers, query and value, A and B, rank, hidden size
    assert 0 < log.heldout_tokens < 0.3 * sum(len(text.split()) for text in TEXTS)


def test_a_head_that_is_there_is_taken_as_it_is(headed: Path, tmp_path: Path) -> None:
    phases: list[tuple[str, int, int]] = []
    progress = DaptProgress(on_phase=lambda *phase: phases.append(phase))
    log = run(headed, tmp_path, progress=progress).log
    assert not log.head_trained and phases == [("lora", STEPS, 0)]
    assert log.perplexity_before > 40, "nobody has trained this head"
    assert log.perplexity_after < log.perplexity_before


def test_each_phase_trains_its_part_alone(even: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen in the snapshots: the head stands still once LoRA moves."""
    monkeypatch.setattr(dapt, "_SNAPSHOT_SECONDS", -1.0)
    path = tmp_path / "snapshot.safetensors"
    seen: dict[tuple[str, int], dict[str, torch.Tensor]] = {}

    def look() -> None:
        if snapshot := read_snapshot(path):
            seen[snapshot.values["phase"], snapshot.values["step"]] = snapshot.part("model")

    run(even, tmp_path, snapshot_path=path, progress=DaptProgress(on_step=look), log_every=2)
    assert list(seen) == [("head", s) for s in range(2, STEPS + 1, 2)] + [("lora", s) for s in range(2, STEPS, 2)]
    heads = {name for name in seen["head", 2] if ".cls." in name}
    assert heads and seen["head", 2].keys() == heads, "the encoder, or LoRA, is trained with the head"
    assert all(name in heads or "lora_" in name for name in seen["lora", 2])
    assert any(not seen["head", 2][name].equal(seen["head", STEPS][name]) for name in heads)
    for step in range(2, STEPS, 2):
        assert all(seen["lora", step][name].equal(seen["head", STEPS][name]) for name in heads)
    assert any(not seen["lora", 2][name].equal(seen["lora", STEPS - 2][name]) for name in seen["lora", 2])


def test_what_is_written_is_lora_alone(undisturbed: Outcome) -> None:
    from safetensors.torch import load

    assert {path.name for path in undisturbed.adapter.iterdir()} == {WEIGHTS, "adapter_config.json"}
    tensors = load(undisturbed.weights)
    assert len(tensors) == 2 * 2 * 2 and all("lora_" in name for name in tensors)


def stop_at(phase: str, step: int) -> DaptProgress:
    """Stop within a step of a phase."""
    now = ["", 0]

    def on_phase(name: str, steps: int, done: int) -> None:
        now[:] = [name, done]

    def on_step() -> None:
        now[1] += 1  # type: ignore[operator]
        if now == [phase, step]:
            raise Stopped

    return DaptProgress(on_phase=on_phase, on_step=on_step)


def stop_when(told: str) -> DaptProgress:
    def on_note(text: str) -> None:
        if told in text:
            raise Stopped

    return DaptProgress(on_note=on_note)


STOPS = {
    "in the head": stop_at("head", 5),
    "between the phases": stop_when("perplexity before"),
    "in the first step of LoRA": stop_at("lora", 1),
    "in LoRA": stop_at("lora", 8),
    "before the adapter is written": stop_when("perplexity after"),
}


@pytest.fixture(scope="module")
def noisy(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """With dropout in encoder and LoRA: an undisturbed run."""
    return run(tiny.backbone, tmp_path_factory.mktemp("noisy"), log_every=2)


@pytest.mark.parametrize("moment", STOPS)
def test_stopped_at_any_moment_it_ends_the_same(
    moment: str, tiny: Tiny, noisy: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dapt, "_SNAPSHOT_SECONDS", -1.0)  # after every second step, not every minute
    more = {"snapshot_path": tmp_path / "snapshot.safetensors", "log_every": 2}
    with pytest.raises(Stopped):
        run(tiny.backbone, tmp_path, progress=STOPS[moment], **more)
    steps: list[int] = []
    again = run(tiny.backbone, tmp_path, progress=DaptProgress(on_step=lambda: steps.append(1)), **more)
    again.assert_same(noisy)
    assert len(steps) <= 2 * STEPS - 4, "it began anew"


def test_a_snapshot_that_was_cut_short_is_left_aside(
    tiny: Tiny, noisy: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dapt, "_SNAPSHOT_SECONDS", -1.0)
    path = tmp_path / "snapshot.safetensors"
    with pytest.raises(Stopped):
        run(tiny.backbone, tmp_path, progress=stop_at("lora", 6), snapshot_path=path, log_every=2)
    path.write_bytes(path.read_bytes()[:-100])
    run(tiny.backbone, tmp_path, snapshot_path=path, log_every=2).assert_same(noisy)


def test_two_processes_give_what_one_gives(even: Path, undisturbed: Outcome, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load

    log = adapt_in_parallel(
        2,
        destination=tmp_path / "adapter",
        backbone=even,
        family=family(),
        texts=TEXTS,
        epochs=[ALL] * 2,
        heldout=TEXTS,
        recipe=CALM,
    )
    one = undisturbed.log
    assert (log.head_trained, log.steps, log.tokens, log.heldout_tokens) == (
        True,
        STEPS,
        one.tokens,
        one.heldout_tokens,
    )
    assert math.isclose(log.perplexity_before, one.perplexity_before, rel_tol=1e-4)
    assert math.isclose(log.perplexity_after, one.perplexity_after, rel_tol=1e-3)
    for (phase, step, loss), other in zip(log.losses, one.losses, strict=True):
        assert (phase, step) == other[:2] and math.isclose(loss, other[2], rel_tol=1e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    mine, theirs = load((tmp_path / "adapter" / WEIGHTS).read_bytes()), load(undisturbed.weights)
    for name, tensor in theirs.items():
        assert torch.allclose(mine[name], tensor, atol=2e-3), name


ORPHANS = """
import signal, sys
from pathlib import Path
from tests.training.conftest import family
from tests.training.test_dapt import ALL, TEXTS, dapt_recipe
from zoo.training.dapt_processes import adapt_in_parallel
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the workers of a build
adapt_in_parallel(
    1, destination=Path(sys.argv[2]) / "adapter", backbone=Path(sys.argv[1]), family=family(), texts=TEXTS,
    epochs=[ALL], heldout=TEXTS, recipe=dapt_recipe(epochs=1),
)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="no /proc")
def test_processes_of_a_killed_run_do_not_train_on(even: Path, tmp_path: Path) -> None:
    """They would write into the folder of the run that goes on in its place."""
    command = [sys.executable, "-c", ORPHANS, str(even), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        while not group(process.pid, "spawn_main"):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    while group(process.pid, "spawn_main"):
        time.sleep(0.01)
    assert not list(tmp_path.iterdir())


def group(leader: int, word: str) -> list[int]:
    """Processes of a group whose command line holds a word."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of, *_ = (path / "stat").read_text().rpartition(")")[2].split()
            if int(of) == leader and state != "Z" and word in (path / "cmdline").read_text():
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
    return found


def test_an_error_in_a_process_is_the_same_error(tmp_path: Path) -> None:
    backbone = tmp_path / "backbone"
    save_bert(backbone)
    without_mask(backbone)
    arguments: dict[str, Any] = {"texts": TEXTS, "epochs": [ALL], "heldout": TEXTS, "recipe": dapt_recipe(epochs=1)}
    with pytest.raises(ZooError, match="no mask token") as caught:
        adapt_in_parallel(1, destination=tmp_path / "adapter", backbone=backbone, family=family(), **arguments)
    assert caught.value.where == str(backbone)
    assert list(tmp_path.iterdir()) == [backbone]


def logits_of(model: Any, folder: Path) -> torch.Tensor:
    import torch
    from transformers import AutoTokenizer

    batch = AutoTokenizer.from_pretrained(folder)(TEXTS[:4], padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model.eval()(**batch)[0]  # type: ignore[no-any-return]


def test_merging_computes_what_the_adapter_computes(headed: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForMaskedLM

    outcome = run(headed, tmp_path)
    plain = AutoModelForMaskedLM.from_pretrained(headed)
    before = logits_of(plain, headed)
    adapted = logits_of(PeftModel.from_pretrained(plain, str(outcome.adapter)), headed)
    merge(headed, family(), outcome.adapter, tmp_path / "merged")
    merged = logits_of(AutoModelForMaskedLM.from_pretrained(tmp_path / "merged"), tmp_path / "merged")
    assert torch.allclose(merged, adapted, atol=1e-4) and not torch.allclose(before, adapted, atol=1e-2)


def test_merging_into_a_backbone_without_a_head_gives_the_adapted_encoder(
    even: Path, undisturbed: Outcome, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModel, AutoModelForMaskedLM

    adapted = PeftModel.from_pretrained(AutoModelForMaskedLM.from_pretrained(even), str(undisturbed.adapter))
    expected = logits_of(adapted.get_base_model().base_model, even)
    merge(even, family(), undisturbed.adapter, tmp_path / "merged")
    assert torch.allclose(logits_of(AutoModel.from_pretrained(tmp_path / "merged"), even), expected, atol=1e-4)
    assert not torch.allclose(logits_of(AutoModel.from_pretrained(even), even), expected, atol=1e-2)


@pytest.mark.parametrize("name", FAMILIES)
def test_of_every_family(name: str, tmp_path: Path) -> None:
    """Long texts are cut into windows that fit the model, and the head sees masked positions alone without a change."""
    import torch
    from transformers import AutoTokenizer

    save_tiny_backbone(name, tmp_path)
    model, new = load_masked_language_model(tmp_path, family(name))
    assert new
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    ids = tokenizer([text[:40] for text in TEXTS[:8]])["input_ids"]
    batch = masked_batch(tokenizer, ids, 0.3, 5)
    with torch.inference_mode():
        whole = model.eval()(**batch.inputs, labels=batch.gold.view(batch.inputs["input_ids"].shape)).loss
        summed = masked_loss(model, family(name), batch, bfloat16=False)
    assert torch.allclose(summed / batch.labelled, whole, atol=1e-5)
    assert batch.labelled == int((batch.gold != -100).sum()) > 0
    encoder = {id(parameter) for parameter in model.base_model.parameters()}
    heads = head_parameters(model)
    assert heads and not encoder & {id(parameter) for parameter in heads}

    longest = 62 if "roberta" in name else 64  # positions of RoBERTa start after the padding index
    texts = ["aspirin stopped migraine " * 60, "he sleeps well ."]
    pieces = [len(row) for row in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    longest -= tokenizer.pad_token_id - 1 if "roberta" in name else 0
    recipe = dapt_recipe(epochs=1, length_tokens=256)
    log = run(
        tmp_path, tmp_path / "out", recipe, family=family(name), texts=texts, epochs=[range(len(texts))], heldout=texts
    ).log
    assert log.tokens == sum(size + 2 * math.ceil(size / (longest - 2)) for size in pieces)
    assert log.head_trained and math.isfinite(log.perplexity_after)


@pytest.mark.parametrize(
    ("lengths", "packs", "starts"),
    [
        ([9] * 7, False, [0, 3, 6]),
        ([9] * 7, True, [0, 3, 6]),
        ([1000, 1000, 1000, 9, 9, 9], False, [0, 3]),
        ([1000, 1000, 1000, 9, 9, 9], True, [0, 2, 5]),
        ([3000, 3000, 9], True, [0, 1, 2]),
    ],
)
def test_a_pass_holds_few_sequences_and_a_table_few_tokens(lengths: list[int], packs: bool, starts: list[int]) -> None:
    assert pass_starts(lengths, 3, packs=packs) == starts


@pytest.mark.parametrize(
    ("values", "where"),
    [({"head_learning_rate": 1e20}, "dapt, head"), ({"learning_rate": 1e20}, "dapt, lora")],
)
def test_a_loss_that_is_not_finite_is_said_with_a_fix(
    values: dict[str, float], where: str, even: Path, tmp_path: Path
) -> None:
    with pytest.raises(ZooError, match="the loss of DAPT became") as caught:
        run(even, tmp_path, dapt_recipe(**values))
    assert caught.value.where == where
    assert caught.value.fix is not None and "dapt.learning_rate" in caught.value.fix
    assert not (tmp_path / "adapter").exists()


def without_mask(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["mask_token"]
    path.write_text(json.dumps(config))
    return {}


BAD: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "no mask token": (without_mask, "no mask token"),
    "nothing held out": (lambda _: {"heldout": []}, "no passages to train on"),
    "an epoch without passages": (lambda _: {"epochs": [ALL, []]}, "no passages to train on"),
    "unknown modules": (lambda _: {"recipe": dapt_recipe(targets=("quary",))}, "cannot attach LoRA"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_trained(case: str, tmp_path: Path) -> None:
    change, message = BAD[case]
    save_bert(tmp_path / "backbone")
    with pytest.raises(ZooError, match=message):
        run(tmp_path / "backbone", tmp_path, **change(tmp_path / "backbone"))
    assert not (tmp_path / "adapter").exists()
