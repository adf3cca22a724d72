"""Two random adapters on one tiny base: they find plenty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters import save_adapter, save_base
from tests.sharing import shared_folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    def build(folder: Path) -> None:
        base = save_base(folder / "base")
        for name, seed in (("one", 1), ("two", 2)):
            save_adapter(folder / name, base, seed=seed)

    folder = shared_folder(tmp_path_factory, "scaled", build)
    return [str(folder / name) for name in ("one", "two")]
