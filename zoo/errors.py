"""The one error type that a user sees."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class ZooError(Exception):
    """Something the user can put right: what happened, where, and how to fix it.

    Args:
        what: One sentence that says what is wrong, with the offending value.
        where: File, `file:line` or `file: field` it was found at.
        fix: What to do about it.

    Attributes:
        exit_code: What the command ends with.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | Path | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = str(where) if where is not None else None
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep kind and parts when the error crosses a process boundary."""
        return (_rebuild, (type(self), self.what, self.where, self.fix))


class HubError(ZooError):
    """The Hub refuses, or cannot be reached."""

    exit_code = 3


def _rebuild(kind: type[ZooError], what: str, where: str | None, fix: str | None) -> ZooError:
    return kind(what, where=where, fix=fix)


def did_you_mean(name: str, known: Iterable[str], *, limit: int = 3) -> str:
    """Suggest the nearest known names, or list the known ones if none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=limit, cutoff=0.55)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}"
