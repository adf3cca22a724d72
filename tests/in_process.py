"""The `zoo` command without a process of its own: what the tests of most commands need, in a tenth of the time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import logging as _  # noqa: F401 - its handler keeps the standard error that it finds first
from typer.testing import CliRunner

from zoo.cli import app
from zoo.errors import ZooError

Zoo = Callable[..., "subprocess.CompletedProcess[str]"]


def runner(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """What the fixture `zoo` gives, run here: exit code, output, and errors as `main` writes them."""
    import os

    for name in [name for name in os.environ if name.startswith("ZOO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(folder)

    def run(
        *args: object, check: int | None = 0, stdin: str | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        command = list(map(str, args))
        result = CliRunner().invoke(app, command, input=stdin, env=env)
        code, errors = result.exit_code, result.stderr
        if isinstance(result.exception, ZooError):
            code, errors = result.exception.exit_code, f"{errors}error: {result.exception}\n"
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        done = subprocess.CompletedProcess(["zoo", *command], code, result.stdout, errors)
        assert check in (None, code), f"exit {code}\n{done.stdout}\n{done.stderr}"
        return done

    return run
