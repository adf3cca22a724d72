"""Windows of several adapters in one batch are labelled as by each adapter alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.kernels.test_entities import theirs, two_adapters, windows_of
from zoo.kernels.mixed import Adapter, MixedBase


@pytest.mark.parametrize("family", ["bert", "electra", "roberta"])
@pytest.mark.parametrize("upper", [False, True])
def test_a_mixed_batch_gives_what_transformers_gives_alone(family: str, upper: bool, tmp_path: Path) -> None:
    taggers = two_adapters(family, tmp_path, upper=upper)
    model = taggers[0].model
    base, adapters = MixedBase.of(model), []
    for one in taggers:
        model.set_adapter(one.heads[0].adapter)  # type: ignore[arg-type]
        adapters.append(Adapter.of(model, [one.heads[0].adapter]))
    windows = windows_of(taggers[0])
    own = [adapters[number % 3 % 2] for number in range(len(windows))]
    found = base.label(windows, own)
    differ = 0
    for number, one in enumerate(taggers):
        expected = theirs(one, windows)
        for window, adapter, (labelled,), logits in zip(windows, own, found, expected, strict=True):
            if adapter is not adapters[number]:
                continue
            best = logits.softmax(-1).max(-1)
            assert len(labelled.scores) == len(window)
            np.testing.assert_array_equal(labelled.ids[:, 0], best.indices.numpy())
            np.testing.assert_allclose(labelled.scores, best.values.numpy(), atol=1e-5)
            differ += int((torch.from_numpy(labelled.ids[:, 0]) != 0).sum())
    assert differ > 20  # both find plenty
