"""Build, score and publish LoRA adapters for biomedical named-entity recognition."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.linking.linker import Linker as Linker
    from zoo.linking.opening import open_linker as open_linker
    from zoo.tagging.asserting import assert_entities as assert_entities
    from zoo.tagging.tagger import Tagger as Tagger

__version__ = "0.1.0"
__all__ = ["Linker", "Tagger", "__version__", "assert_entities", "open_linker"]

_PUBLIC = {
    "Tagger": "zoo.tagging.tagger",
    "Linker": "zoo.linking.linker",
    "open_linker": "zoo.linking.opening",
    "assert_entities": "zoo.tagging.asserting",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562 module attribute
    """Import the heavy public names only when they are asked for."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
