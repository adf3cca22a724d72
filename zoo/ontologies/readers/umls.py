"""The UMLS Metathesaurus in its Rich Release Format, for those who have its licence: nothing of it may be passed on.

Columns: https://www.ncbi.nlm.nih.gov/books/NBK9685/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from zoo.corpora.files import numbered_lines
from zoo.errors import ZooError
from zoo.ontologies.concept import Concept, Synonym
from zoo.ontologies.readers import find_member
from zoo.ontologies.readers.reading import Reading

_FIX = "give the META folder of an installed release: MRCONSO.RRF, and MRSTY.RRF, MRDEF.RRF, MRCUI.RRF if you have them"
_SUPPRESSED = frozenset("EOY")
_LANGUAGES = {
    **{"cs": "CZE", "da": "DAN", "de": "GER", "el": "GRE", "en": "ENG", "es": "SPA", "et": "EST", "eu": "BAQ"},
    **{"fi": "FIN", "fr": "FRE", "he": "HEB", "hr": "SCR", "hu": "HUN", "it": "ITA", "ja": "JPN", "ko": "KOR"},
    **{"lv": "LAV", "nl": "DUT", "no": "NOR", "pl": "POL", "pt": "POR", "ru": "RUS", "sv": "SWE", "tr": "TUR"},
    **{"uk": "UKR", "zh": "CHI"},
}
"""BCP 47 tag -> LAT of UMLS."""


def read_umls(
    path: Path, reading: Reading, *, languages: Sequence[str] = ("en",), vocabularies: Sequence[str] = ()
) -> Iterator[Concept]:
    """Stream the concepts of a release; semantic types are TUIs, merged CUIs alternative ids.

    Args:
        path: The folder with `MRCONSO.RRF`, plain or gzip.
        reading: Gets merged concepts and what was left out.
        languages: Languages whose names are taken, as BCP 47 tags.
        vocabularies: Source vocabularies (SAB) whose names are taken; empty: all.

    Raises:
        ZooError: A file is missing or malformed, with file and line; a language is none of UMLS.
    """
    unknown = [tag for tag in languages if tag not in _LANGUAGES]
    if unknown:
        raise ZooError(f"UMLS has no names in {unknown[0]!r}", where="languages", fix=f"known: {', '.join(_LANGUAGES)}")
    spoken = {_LANGUAGES[tag] for tag in languages}
    types: dict[str, list[str]] = defaultdict(list)
    for cui, tui in _rows(path, "MRSTY.RRF", (0, 1)):
        types[cui].append(tui)
    definitions: dict[str, str] = {}
    for cui, text, suppress in _rows(path, "MRDEF.RRF", (0, 5, 6)):
        if suppress not in _SUPPRESSED:
            definitions.setdefault(cui, text)
    for old, relation, new in _rows(path, "MRCUI.RRF", (0, 2, 5)):
        if relation == "SY":  # merged into another one
            reading.obsolete[old] = new
    rows = _rows(path, "MRCONSO.RRF", (0, 1, 2, 4, 6, 11, 14, 16), needed=True)
    for cui, group in groupby(rows, key=lambda row: row[0]):
        names = [
            (status == "P" and form == "PF" and preferred == "Y", text)
            for _, language, status, form, preferred, vocabulary, text, suppress in group
            if language in spoken and suppress not in _SUPPRESSED and (not vocabularies or vocabulary in vocabularies)
        ]
        if names:
            name = next((text for is_preferred, text in names if is_preferred), names[0][1])
            yield Concept(
                id=cui,
                name=name,
                synonyms=tuple(Synonym(text) for _, text in names),
                types=tuple(types.get(cui, ())),
                definition=definitions.get(cui, ""),
            )


def _rows(folder: Path, name: str, columns: Sequence[int], *, needed: bool = False) -> Iterator[tuple[str, ...]]:
    """Some columns of a file's rows; none of a file that is not there, unless it is needed."""
    found = find_member(folder, name)
    if found is None:
        if needed:
            raise ZooError(f"the folder has no {name}", where=folder, fix=_FIX)
        return
    for number, line in numbered_lines(found):
        cells = line.split("|")
        if len(cells) <= max(columns):
            raise ZooError(
                f"{len(cells)} columns, at least {max(columns) + 1} are needed", where=f"{found}:{number}", fix=_FIX
            )
        yield tuple(cells[column] for column in columns)
