"""The hand-written encoder of BERT's shape for CPUs, for training and for tagging.

`table` lays windows of all lengths out as rows without padding between them, `products` and `attention` compute on
such tables, `support` says which models they can compute; `train` and `infer` put them together. `dropout`, `merged`
and `int8` serve encoders of any shape.

Set `ZOO_KERNELS=off` to train and tag by PyTorch and PEFT alone: slower on CPUs, the same results up to rounding.
"""

from __future__ import annotations

import os

from zoo.errors import ZooError


def enabled() -> bool:
    """Whether these kernels are used where they can be: yes, unless `ZOO_KERNELS` is `off`.

    Raises:
        ZooError: The variable is neither `on` nor `off`.
    """
    value = os.environ.get("ZOO_KERNELS") or "on"
    if value not in ("on", "off"):
        raise ZooError(f"unknown value {value!r}", where="ZOO_KERNELS", fix="set it to on or off")
    return value == "on"
