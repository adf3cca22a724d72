"""What workers import, once: they are forked from the process that has it, which starts no threads and no GPU."""

import codecarbon  # noqa: F401
import peft  # noqa: F401
import torch  # noqa: F401
import transformers  # noqa: F401

from zoo.pipeline.stages import KINDS, stage_kind

for _name in KINDS:
    stage_kind(_name)
