"""Names of languages."""

from __future__ import annotations

from zoo.language import MANY, primary


def language_name(tag: str) -> str:
    """English name of the language of a BCP 47 tag: `German` for `de` and `de-AT`; an unknown tag itself."""
    import pycountry

    code = primary(tag)
    if code == MANY:
        return "many languages"
    found = pycountry.languages.get(**{f"alpha_{len(code)}": code}) if len(code) in (2, 3) else None
    return found.name.partition(" (")[0] if found else tag  # without the years of `Modern Greek (1453-)`
