"""Settings that come from the environment, read once per command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_ORG = "openmed"
_YES = frozenset({"1", "on", "yes", "true"})


@dataclass(frozen=True)
class Settings:
    """What a user sets for their machine.

    Attributes:
        out: Folder that builds are written to (`ZOO_OUT`).
        registry: Overlay registry folder (`ZOO_REGISTRY`).
        corpora: Folder with local corpora, `DIR/<corpus>/{train,dev,test}.tsv[.gz]` (`ZOO_CORPORA`).
        originals: Folder with local copies of original documents, `DIR/<folder>/<file>[.gz]` (`ZOO_ORIGINALS`).
        country: ISO 3166 alpha-3 code for carbon figures (`ZOO_COUNTRY`); unset means the world average.
        org: Hub organisation of the published repositories (`ZOO_ORG`).
        cache: Folder that downloads are kept in (`ZOO_CACHE`).
        offline: Stay off the network (`ZOO_OFFLINE` or `HF_HUB_OFFLINE`).
    """

    out: Path = Path("builds")
    registry: Path | None = None
    corpora: Path | None = None
    originals: Path | None = None
    country: str | None = None
    org: str = DEFAULT_ORG
    cache: Path = field(default_factory=lambda: Path.home() / ".cache" / "zoo")
    offline: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the `ZOO_*` variables; an empty variable counts as unset."""

        def path(name: str) -> Path | None:
            return Path(value).expanduser() if (value := env.get(name)) else None

        return cls(
            out=path("ZOO_OUT") or Path("builds"),
            registry=path("ZOO_REGISTRY"),
            corpora=path("ZOO_CORPORA"),
            originals=path("ZOO_ORIGINALS"),
            country=env.get("ZOO_COUNTRY") or None,
            org=env.get("ZOO_ORG") or DEFAULT_ORG,
            cache=path("ZOO_CACHE") or Path.home() / ".cache" / "zoo",
            offline=any(env.get(name, "").lower() in _YES for name in ("ZOO_OFFLINE", "HF_HUB_OFFLINE")),
        )
