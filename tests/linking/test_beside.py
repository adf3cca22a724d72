"""The linker beside a model's adapter: in a checkpoint, in a copy of a repository, on the Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.linking.vocabulary import save_linker
from tests.loopback_hub import WRITER, loopback_hub
from zoo.linking.beside import find_indexes, find_linker

_UPLOAD = """
import sys
from huggingface_hub import HfApi
for name, ignored in (("linked", None), ("bare", "linker/*")):
    HfApi().create_repo(f"openmed/{name}")
    HfApi().upload_folder(repo_id=f"openmed/{name}", folder_path=sys.argv[1], ignore_patterns=ignored)
"""
_FIND = """
from zoo.linking.beside import find_indexes, find_linker
for name in ("openmed/linked", "openmed/bare"):
    folder = find_linker(name)
    print(folder and sorted(find_indexes(folder, None)))
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    adapter = tmp_path / "checkpoint" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tmp_path / "base")}))
    return adapter.parent


def test_a_checkpoint_an_adapter_and_a_copy_of_a_repository(checkpoint: Path) -> None:
    assert find_linker(checkpoint) is None
    save_linker(checkpoint / "linker")
    expected = (checkpoint / "linker").resolve()
    assert find_linker(checkpoint) == find_linker(checkpoint / "adapter") == expected
    inside = checkpoint / "adapter" / "linker"
    expected.rename(inside)
    assert find_linker(checkpoint / "adapter") == inside.resolve()


def test_indexes_inside_come_before_those_of_the_cache(checkpoint: Path, tmp_path: Path) -> None:
    linker, cache = checkpoint / "linker", tmp_path / "cache"
    save_linker(linker, fingerprint="ab" * 32)
    assert find_indexes(linker, cache) == {"tiny-mesh": linker / "index" / "tiny-mesh"}
    cache.mkdir()
    (linker / "index" / "tiny-mesh").rename(cache / f"tiny-mesh-{'ab' * 6}")
    assert find_indexes(linker, cache) == {"tiny-mesh": cache / f"tiny-mesh-{'ab' * 6}"}
    assert find_indexes(linker, None) == {}


def test_it_comes_from_the_hub_with_its_index_and_is_then_in_the_cache(checkpoint: Path, tmp_path: Path) -> None:
    save_linker(checkpoint / "adapter" / "linker")
    with loopback_hub() as hub:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "ZOO_"))},
            "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": WRITER,
        }  # fmt: skip

        def run(code: str, *arguments: str, offline: str = "0") -> str:
            command = [sys.executable, "-c", code, *arguments]
            done = subprocess.run(
                command, env={**environment, "HF_HUB_OFFLINE": offline}, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        run(_UPLOAD, str(checkpoint / "adapter"))
        for offline in ("0", "1"):
            assert run(_FIND, offline=offline).splitlines() == ["['tiny-mesh']", "None"]
