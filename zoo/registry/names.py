"""What repositories on the Hub are called: an organisation, and a pattern each for checkpoints and bases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter

from zoo.errors import ZooError

DEFAULT_ORG = "openmed"
CHECKPOINT_NAME = "{backbone}-{corpus}"
BASE_NAME = "{backbone}-ner"


@dataclass(frozen=True)
class Names:
    """Names of repositories.

    Attributes:
        org: Organisation or user.
        checkpoint: Pattern of an adapter's name, with `{backbone}` and `{corpus}`.
        base: Pattern of a base's name, with `{backbone}`.
    """

    org: str = DEFAULT_ORG
    checkpoint: str = CHECKPOINT_NAME
    base: str = BASE_NAME

    def of_checkpoint(self, backbone: str, corpus: str) -> str:
        """Repository of an adapter.

        Raises:
            ZooError: The backbone's base is called the same.
        """
        name = self.checkpoint.format(backbone=backbone, corpus=corpus)
        if name == self.base.format(backbone=backbone):
            raise ZooError(
                f"the adapter and the base of {backbone}/{corpus} would both be called {name!r}",
                where="checkpoint_name, base_name",
                fix="change one of the two patterns, or the id of the corpus",
            )
        return f"{self.org}/{name}"

    def of_base(self, backbone: str, suffix: str = "") -> str:
        """Repository of a base.

        Args:
            backbone: Its backbone.
            suffix: Part of its fingerprint, where its pre-training is not what the registry says for the backbone: two
                bases of one name would break each other's adapters.
        """
        return f"{self.org}/{self.base.format(backbone=backbone)}" + (f"-{suffix}" if suffix else "")


def check_pattern(pattern: str, fields: tuple[str, ...], *, where: str) -> str:
    """Validate a pattern of names.

    Raises:
        ZooError: It lacks a field, has another one, or makes no name that the Hub allows.
    """
    wanted = " and ".join(f"{{{name}}}" for name in fields)
    fix = f"write letters, digits, '.', '_', '-' and {wanted}, for example {'-'.join(f'{{{n}}}' for n in fields)}-ner"
    try:
        parts = [part[1:] for part in Formatter().parse(pattern) if part[1] is not None]
    except ValueError:  # a brace without its other
        parts = []
    if sorted(parts, key=str) != sorted((name, "", None) for name in fields):
        raise ZooError(f"the pattern {pattern!r} needs {wanted}, once each and nothing else", where=where, fix=fix)
    example = re.sub(r"\{\w+\}", "x", pattern)
    if not re.fullmatch(r"\w([\w.-]{0,94}\w)?", example, re.ASCII) or "--" in example or ".." in example:
        raise ZooError(f"the pattern {pattern!r} makes names that the Hub does not allow", where=where, fix=fix)
    if "xx" in example:
        raise ZooError(f"the pattern {pattern!r} puts nothing between its fields", where=where, fix=fix)
    return pattern
