"""The Python examples of docs/scale-out.md are run as they stand; for its commands see `test_ray_data`."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, TINY_SENTENCES

PAGE = (ROOT / "docs" / "scale-out.md").read_text(encoding="utf-8")
BUILT = "builds/checkpoints/minilm-l6/sample-disease"
"""What the examples tag with."""


@pytest.fixture
def here(models: list[str], tmp_path: Path) -> Path:
    """A folder with what the examples name."""
    shutil.copytree(models[1], tmp_path / BUILT / "adapter")
    lines = [json.dumps({"text": text}) for text, _ in TINY_SENTENCES]
    (tmp_path / "notes.jsonl").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), ids=["datasets", "spacy"])
def test_python(block: str, here: Path) -> None:
    block = block.replace("import spacy\n", "import spacy, zoo.scale.spacy\n")  # the entry point has a test of its own
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", block], cwd=here, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    assert found and all(found), "each line shows entities"
