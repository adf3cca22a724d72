"""Number formats: what is asked for, what the machine has, and what training makes of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.training.conftest import Tiny, recipe
from zoo.modeling.device import use_bfloat16

CPU_FLAGS = Path("/proc/cpuinfo")


def test_a_wish_is_followed() -> None:
    assert use_bfloat16("bfloat16") is True
    assert use_bfloat16("float32") is False


@pytest.mark.skipif(not CPU_FLAGS.is_file(), reason="no /proc/cpuinfo")
def test_auto_is_what_the_processor_multiplies_natively() -> None:
    import torch

    if torch.cuda.is_available():
        assert use_bfloat16("auto") == torch.cuda.is_bf16_supported(including_emulation=False)
        return
    flags = set(next((x for x in CPU_FLAGS.read_text().splitlines() if x.startswith("flags")), "").split())
    if not flags:
        pytest.skip("not an x86 processor")
    if not use_bfloat16("auto"):  # the operating system may hide what the processor has, not the other way round
        pytest.skip(f"none here; the processor says {sorted(flags & {'amx_tile', 'avx512_bf16'})}")
    assert flags & {"amx_tile", "avx512_bf16"}


def test_training_in_bfloat16_keeps_float32_weights_and_says_so(tiny: Tiny) -> None:
    import torch

    model, log = tiny.train(recipe(epochs=2, precision="bfloat16"))
    plain, reference = tiny.train(recipe(epochs=2))
    assert (log.precision, reference.precision) == ("bfloat16 autocast", "float32")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    for epoch, other in zip(log.epochs, reference.epochs, strict=True):
        assert math.isclose(epoch.loss, other.loss, rel_tol=0.02), "8 bits of mantissa"
        assert epoch.tokens == other.tokens
    pairs = zip(model.parameters(), plain.parameters(), strict=True)
    assert any(not one.equal(other) for one, other in pairs), "nothing was computed in bfloat16"
