"""The documentation site: it builds without a warning, has its generated pages, and no link in it leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.conftest import ROOT, shared_folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(folder: Path) -> None:
        command = [sys.executable, ROOT / "docs" / "build.py", folder / "site"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stderr

    return shared_folder(tmp_path_factory, "site", build) / "site"


def test_generated_pages_say_what_the_code_says(site: Path) -> None:
    commands = re.sub("<[^>]+>", "", (site / "reference" / "commands.html").read_text(encoding="utf-8"))
    assert "zoo ontologies index" in commands.replace("&#160;", " ") and "--assertion" in commands
    assert "tag_stream" in (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert "micro_f1" in (site / "reference" / "result.html").read_text(encoding="utf-8")


def test_no_link_leads_nowhere_and_nothing_is_asked_of_other_hosts(site: Path) -> None:
    broken = []
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|link)\b[^>]*\b(?:src|href)="(https?://[^"]+)"', text)
        broken += [(page.name, address) for address in loaded]
        for target in re.findall(r'\b(?:href|src)="([^"#?]+)', text):
            if ":" not in target and not (page.parent / unquote(target)).exists():
                broken.append((page.name, target))
    assert broken == []
