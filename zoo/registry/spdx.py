"""SPDX licence expressions: reading them, and checking what a user gives."""

from __future__ import annotations

import functools
from typing import Any

from zoo.errors import ZooError, did_you_mean

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
    from license_expression import AND, OR, LicenseWithExceptionSymbol

    try:
        parsed = _parse(expression, "")
    except ZooError:
        return ()
    order, alternatives = _licensing().license_keys(parsed), _licensing().dnf(parsed)
    choices = []
    for choice in alternatives.args if isinstance(alternatives, OR) else (alternatives,):
        symbols = choice.args if isinstance(choice, AND) else (choice,)
        keys = {s.license_symbol.key if isinstance(s, LicenseWithExceptionSymbol) else s.key for s in symbols}
        choices.append(tuple(sorted(keys, key=order.index)))
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
    return str(_parse(expression, where))


def _parse(expression: str, where: str) -> Any:  # noqa: ANN401 - the library has no types
    from license_expression import ExpressionError

    licensing = _licensing()
    try:
        parsed = licensing.parse(expression)
    except ExpressionError as error:
        raise ZooError(
            f"{expression!r} is no SPDX expression: {error}", where=where, fix="for example MIT, or MIT OR CC-BY-4.0"
        ) from None
    keys = [""] if parsed is None else licensing.unknown_license_keys(parsed)
    for key in keys:
        if key != UNKNOWN and not key.startswith(_CUSTOM):
            near = did_you_mean(key, licensing.known_symbols)
            raise ZooError(
                f"{key!r} is no SPDX licence id",
                where=where,
                fix=f"{near} Your own terms: {_CUSTOM}NAME; not known: {UNKNOWN}",
            )
    return parsed


@functools.cache
def _licensing() -> Any:  # noqa: ANN401
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
