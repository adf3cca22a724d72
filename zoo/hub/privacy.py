"""What must not leave this machine: tokens, keys and paths in the text files of a repository."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from zoo.cards.markdown import LOCAL_PATH
from zoo.errors import ZooError
from zoo.hub.manifest import Content

_TEXT = frozenset({".json", ".jsonl", ".md", ".txt", ".yaml", ".yml", ".model", ".html", ""})
_VOCABULARY = frozenset(
    {"tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "spm.model", "sentencepiece.bpe.model"}
)
"""Pieces of words may look like a path: there only the paths of this machine count."""
_SECRETS = (
    re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
)


def check_private_text(repo_id: str, files: Mapping[str, Content], folders: Iterable[Path]) -> None:
    """Refuse a repository whose text names a secret or a place on this machine.

    Args:
        repo_id: For the message.
        files: Path in the repository -> content.
        folders: Folders of this machine that no file may name; home, temporary and current folder come on top.

    Raises:
        ZooError: A file does; the secret itself is not shown.
    """
    here = _named({*folders, *_usual_folders()})
    for path, content in files.items():
        if Path(path).suffix not in _TEXT:
            continue
        text = (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8", errors="replace")
        if any(pattern.search(text) for pattern in _SECRETS):
            raise ZooError(
                "the file holds what looks like a token or key", where=f"{repo_id}: {path}", fix="take it out"
            )
        found = here.search(text)
        if not found and Path(path).name not in _VOCABULARY:
            found = LOCAL_PATH.search(text)
        if found:
            raise ZooError(
                f"the file names a place on this machine: {found[0][:80]}",
                where=f"{repo_id}: {path}",
                fix="build again from a registry and settings without it",
            )


def _usual_folders() -> set[Path]:
    folders = {Path(tempfile.gettempdir())}
    for get in (Path.home, Path.cwd):
        try:
            folders.add(get())
        except (RuntimeError, OSError):  # no home, or the current folder was removed
            continue
    return folders


def _named(folders: set[Path]) -> re.Pattern[str]:
    """Finds the folders by name; those right below the root are left to the general pattern: `/data` is also a word."""
    names = {str(form) for folder in folders for form in (folder.absolute(), folder.resolve())}
    long = [re.escape(name) for name in names if len(Path(name).parts) > 2]
    return re.compile("|".join(sorted(long)) or r"(?!)")
