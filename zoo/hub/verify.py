"""`zoo verify`: a fresh process with an empty cache downloads a model and scores it again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from zoo.errors import ZooError
from zoo.hub.bundle import Bundle
from zoo.hub.client import Hub
from zoo.hub.push import Pushed, PushOptions, push
from zoo.hub.rescore import Request
from zoo.hub.retry import HubError, insist, redact
from zoo.hub.verification import Verification

_NOT_PASSED_ON = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_CACHES = (
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "TRANSFORMERS_CACHE",
    "HF_XET_CACHE",
    "HF_MODULES_CACHE",
    "HF_TOKEN_PATH",
)


class _Error(BaseModel):
    what: str
    where: str | None = None
    fix: str | None = None
    exit_code: int = 2


class _Failed(BaseModel):
    error: _Error


def verify(request: Request, hub: Hub, *, home: Path | None = None) -> Verification:
    """Verify one repository.

    Public ones are read without a token, as strangers read them.

    Args:
        request: Which.
        hub: Whether it is private is asked here; the rest is up to the fresh process.
        home: Folder for the caches of several verifications, empty at first; None: one of its own.

    Raises:
        HubError: The Hub refuses or cannot be reached.
        ZooError: The model or its corpus cannot be had.
    """
    about = hub.about(request.repo_id)
    private = insist(lambda: _is_private(request.repo_id, hub), about=about, patience=hub.patience, tell=hub.tell)
    with tempfile.TemporaryDirectory(prefix="zoo-verify-") as folder:
        asked, outcome = Path(folder) / "request.json", Path(folder) / "outcome.json"
        asked.write_text(request.model_dump_json(), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "zoo.hub.rescore", str(asked), str(outcome)],
            env=fresh_environment(os.environ, home or Path(folder) / "home", private=private),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if not outcome.is_file():
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise ZooError(
                f"the verifying process died: {redact(last)}", where=about, fix="see that memory and disk suffice"
            )
        return _read(outcome.read_bytes(), about)


def verify_pushed(
    bundle: Bundle, pushed: Pushed, request: Request, hub: Hub, options: PushOptions, *, home: Path | None = None
) -> Verification:
    """Verify what was just pushed; if it passes, one more commit says so in card and `verification.json`.

    Args:
        bundle: What was pushed.
        pushed: What came of it.
        request: How to verify it.
        hub: Where it is.
        options: How it was pushed.
        home: As in `verify`.
    """
    if pushed.verification is not None:
        return pushed.verification
    verification = verify(request, hub, home=home)
    if verification.content != bundle.manifest.content:
        problems = [*verification.problems, "the repository holds another model now than was pushed"]
        return verification.model_copy(update={"passed": False, "problems": problems})
    if verification.passed:
        push(bundle.verified(verification.to_json().encode(), verification), hub, options)
    return verification


def fresh_environment(env: Mapping[str, str], home: Path, *, private: bool) -> dict[str, str]:
    """The environment of a stranger: no cache, no token unless the repository is private, online.

    Args:
        env: Ours.
        home: Empty folder for the libraries' caches.
        private: Whether the repository is private.
    """
    from huggingface_hub import get_token

    clean = {name: value for name, value in env.items() if name not in (*_NOT_PASSED_ON, *_CACHES)}
    clean |= {"HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    token = get_token() if private else None
    return {**clean, "HF_TOKEN": token} if token else {**clean, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}


def _is_private(repo_id: str, hub: Hub) -> bool:
    return bool(hub.info(repo_id).private)


def _read(content: bytes, about: str) -> Verification:
    try:
        return Verification.model_validate_json(content)
    except ValidationError:
        pass
    try:
        error = _Failed.model_validate_json(content).error
    except ValidationError:
        raise ZooError("the verifying process wrote nonsense", where=about) from None
    kind = HubError if error.exit_code == HubError.exit_code else ZooError
    raise kind(error.what, where=error.where, fix=error.fix)
