"""Build, score and publish LoRA adapters for biomedical named-entity recognition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.tagging.tagger import Tagger as Tagger

__version__ = "0.1.0"
__all__ = ["Tagger", "__version__"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562 module attribute
    """Import the heavy public names only when they are asked for."""
    if name == "Tagger":
        from zoo.tagging.tagger import Tagger

        return Tagger
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
