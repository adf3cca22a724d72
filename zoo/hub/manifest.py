"""`manifest.json`: which files belong together in a repository, and what they were made from."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from pydantic import Field

from zoo.files import file_sha256
from zoo.records import Record
from zoo.registry.schema import Sha256

MANIFEST_FILE = "manifest.json"
VERIFICATION_FILE = "verification.json"
CARD_FILE = "README.md"
HUB_FILES = frozenset({".gitattributes"})
"""What the Hub itself puts into a repository."""
_ABOUT = frozenset({CARD_FILE, VERIFICATION_FILE})
"""Files about the others: a new wording makes no other model."""

Content = Path | bytes
"""A file of a repository: where it lies, or what it holds."""


class FileRecord(Record):
    """One file."""

    size_bytes: int = Field(ge=0)
    sha256: Sha256


class BaseRecord(Record):
    """The base that an adapter was trained on."""

    repo_id: str
    content: Sha256 = Field(description="`content` of the base's manifest")


class Manifest(Record):
    """What a repository holds."""

    schema_version: Literal[1] = 1
    kind: Literal["base", "checkpoint"]
    subject: str = Field(description="backbone of a base, id of a checkpoint")
    repo_id: str
    content: Sha256 = Field(description="of the model: all files but card and verification, and the base's content")
    base: BaseRecord | None = None
    fingerprints: dict[str, str] = Field(description="sha256 of what it was made from: splits, base, labels, recipe")
    recipe_sha256: Sha256 | None = Field(default=None, description="of the recipe in result.json")
    seeds: list[int]
    versions: dict[str, str]
    commit: str | None = Field(description="of the project; null: not known")
    commit_modified: bool = Field(default=False, description="the working tree differed from the commit")
    files: dict[str, FileRecord] = Field(description="every other file of the repository, but .gitattributes")

    def is_like(self, other: Manifest) -> bool:
        """Whether the two say the same of the files; the project may have gone on in between."""
        later = {"commit": None, "commit_modified": False}
        return self.model_copy(update=later) == other.model_copy(update=later)


def read_manifest(content: bytes, where: str) -> Manifest:
    """Parse a manifest.

    Raises:
        ZooError: It is not one of ours.
    """
    return Manifest.from_json(content, what="not a manifest of zoo", where=where)


def file_record(content: Content) -> FileRecord:
    """Size and hash of a file."""
    if isinstance(content, bytes):
        return FileRecord(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    return FileRecord(size_bytes=content.stat().st_size, sha256=file_sha256(content))


def content_digest(files: Mapping[str, FileRecord], base: BaseRecord | None) -> str:
    """Digest of what makes the model."""
    digest = hashlib.sha256((base.content if base else "").encode())
    for path in sorted(set(files) - _ABOUT):
        digest.update(f"\n{files[path].sha256} {path}".encode())
    return digest.hexdigest()


def folder_problems(folder: Path, manifest: Manifest) -> list[str]:
    """What of a downloaded repository is not as its manifest says; empty if all is.

    Args:
        folder: The files, `manifest.json` among them.
        manifest: Theirs.
    """
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    problems = [f"{path} is missing" for path in sorted(set(manifest.files) - found)]
    problems += [
        f"{path} is not in the manifest" for path in sorted(found - set(manifest.files) - HUB_FILES - {MANIFEST_FILE})
    ]
    for path in sorted(found & set(manifest.files)):
        expected, actual = manifest.files[path], file_record(folder / path)
        if actual != expected:
            what = f"{actual.size_bytes:,} bytes instead of {expected.size_bytes:,}"
            same_size = actual.size_bytes == expected.size_bytes
            problems.append(f"{path} is not the file of the manifest: {'its sha256 differs' if same_size else what}")
    if content_digest(manifest.files, manifest.base) != manifest.content:
        problems.append("the manifest contradicts itself: `content` is not the digest of its files")
    return problems


def project_commit() -> tuple[str | None, bool]:
    """Commit of the installed `zoo`, and whether its files differ from it; None where there is no telling."""
    root = Path(__file__).parents[2]
    if (root / ".git").exists():
        sha = _git(root, "rev-parse", "HEAD")
        return (sha or None, bool(_git(root, "status", "--porcelain", "--", "zoo", "model_cards/templates")))
    try:
        origin = distribution("biomedical-ner-zoo").read_text("direct_url.json")  # PEP 610
    except PackageNotFoundError:
        return None, False
    return json.loads(origin or "{}").get("vcs_info", {}).get("commit_id"), False


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):  # no git here
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
