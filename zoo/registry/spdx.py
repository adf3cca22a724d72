"""SPDX licence expressions: reading them, and checking what a user gives."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from zoo.errors import ZooError, did_you_mean

if TYPE_CHECKING:
    from license_expression import Licensing

UNKNOWN = "NOASSERTION"
"""What SPDX writes where no licence is known."""
_CUSTOM = "LicenseRef-"


@functools.cache
def license_choices(expression: str) -> tuple[tuple[str, ...], ...]:
    """The ways to comply with an expression, as SPDX spells them; exceptions (WITH) are left out.

    Args:
        expression: For example `MIT OR (Apache-2.0 AND CC-BY-4.0)`.

    Returns:
        For each alternative the ids of the licences that hold together, in the order of the expression; none where it
        is malformed or names a licence that SPDX does not list.
    """
    from license_expression import AND, OR, ExpressionError, LicenseWithExceptionSymbol

    licensing = _licensing()
    try:
        parsed = licensing.parse(expression)
    except ExpressionError:
        return ()
    if parsed is None or _unlisted(parsed):
        return ()
    order = licensing.license_keys(parsed)
    choices = []
    disjunction = licensing.dnf(parsed)
    for choice in disjunction.args if isinstance(disjunction, OR) else (disjunction,):
        symbols = choice.args if isinstance(choice, AND) else (choice,)
        keys = [s.license_symbol.key if isinstance(s, LicenseWithExceptionSymbol) else s.key for s in symbols]
        choices.append(tuple(sorted(dict.fromkeys(keys), key=order.index)))
    return tuple(sorted(choices, key=lambda keys: [order.index(key) for key in keys]))


def check_license(expression: str, *, where: str) -> str:
    """Validate a licence that a user gives.

    Args:
        expression: An SPDX expression; `LicenseRef-...` names licences of one's own.
        where: Where it was given, for the error message.

    Returns:
        The expression as SPDX spells it.

    Raises:
        ZooError: It is malformed, or names a licence that SPDX does not list; the message has the nearest ids.
    """
    from license_expression import ExpressionError

    licensing = _licensing()
    try:
        parsed = licensing.parse(expression)
    except ExpressionError as error:
        raise ZooError(
            f"{expression!r} is no SPDX expression: {error}", where=where, fix="for example MIT, or MIT OR CC-BY-4.0"
        ) from None
    unlisted = [expression] if parsed is None else _unlisted(parsed)
    if unlisted:
        raise ZooError(
            f"{unlisted[0]!r} is no SPDX licence id",
            where=where,
            fix=f"{did_you_mean(unlisted[0], licensing.known_symbols)} "
            f"Your own terms: {_CUSTOM}NAME; not known: {UNKNOWN}",
        )
    return str(parsed)


def _unlisted(parsed: object) -> list[str]:
    keys: list[str] = _licensing().unknown_license_keys(parsed)
    return [key for key in keys if key != UNKNOWN and not key.startswith(_CUSTOM)]


@functools.cache
def _licensing() -> Licensing:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
