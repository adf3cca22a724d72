"""The kinds of stages: one module each, loaded when needed. A new kind is one module and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from zoo.pipeline.stage import StageKind

KINDS: dict[str, str] = {
    "dapt": "zoo.pipeline.stages.dapt",
    "base": "zoo.pipeline.stages.base",
    "tune": "zoo.pipeline.stages.tune",
    "train": "zoo.pipeline.stages.train",
    "evaluate": "zoo.pipeline.stages.evaluate",
    "ontology": "zoo.pipeline.stages.ontology",
    "index": "zoo.pipeline.stages.index",
    "linker": "zoo.pipeline.stages.linker",
    "link-evaluate": "zoo.pipeline.stages.link_evaluate",
}
"""Name -> module whose `KIND` it is; inputs come before what needs them."""


def stage_kind(name: str) -> StageKind[Any]:
    """The kind of a name.

    Raises:
        KeyError: There is none.
    """
    kind: StageKind[Any] = import_module(KINDS[name]).KIND
    return kind
