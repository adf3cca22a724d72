"""API keys: long random words, of which the service keeps hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import write_whole

_PREFIX = "zoo_"
_FIX = "zoo serve --keys FILE --new-key NAME"


def new_key(file: Path, name: str) -> str:
    """Make a key and add its hash to a file, which is made where it is missing.

    Args:
        file: A name and a SHA-256 a line.
        name: Whose key it is.

    Returns:
        The key, which stands nowhere else.

    Raises:
        ZooError: The name is taken, or is none.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ZooError(f"{name!r} is no name for a key", fix="letters, digits, . _ -")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    if any(line.split()[:1] == [name] for line in lines):
        raise ZooError(f"there is a key called {name!r} already", where=file, fix="remove its line, or choose another")
    key = _PREFIX + secrets.token_urlsafe(32)  # 256 random bits: no slow hash is needed
    write_whole(file, "\n".join([*lines, f"{name} {_digest(key)}"]) + "\n")
    file.chmod(0o600)
    return key


class Keys:
    """Who may ask.

    Args:
        file: As `new_key` writes it.

    Raises:
        ZooError: It cannot be read, or holds no key.
    """

    def __init__(self, file: Path) -> None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ZooError(f"cannot read it: {error}", where=file, fix=_FIX) from None
        self._digests: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            if line.strip():
                if not re.fullmatch(r"[\w.-]+ [0-9a-f]{64}", line.strip()):
                    raise ZooError(
                        "a line is a name and a SHA-256",
                        where=f"{file}:{number}",
                        fix=_FIX,
                    )
                name, digest = line.split()
                self._digests[name] = digest
        if not self._digests:
            raise ZooError("it holds no key", where=file, fix=_FIX)

    def owner(self, key: str) -> str | None:
        """Whose key it is; None: nobody's. It takes as long whatever the key."""
        given, found = _digest(key), None
        for name, digest in self._digests.items():
            if hmac.compare_digest(given, digest):
                found = name
        return found


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
