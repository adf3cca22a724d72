"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.errors import ZooError

State = Literal["ok", "warning", "problem"]
GB = 10**9


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        state: `ok`; `warning`: some commands will do less, or fail; `problem`: builds will fail.
        finding: What was found.
        fix: What to do about it.
    """

    name: str
    state: State
    finding: str
    fix: str | None = None


def problem(name: str, error: Exception) -> Check:
    """A check that could not be made, or that an error answers."""
    if not isinstance(error, ZooError):
        text = (str(error) or type(error).__name__).splitlines()[0]
        return Check(name, "problem", f"{type(error).__name__}: {text}", "repair or reinstall what the message names")
    where = f" ({error.where})" if error.where and error.where not in error.what else ""
    return Check(name, "problem", error.what + where, error.fix)
