"""PubTator: `id|t|title`, `id|a|abstract`, then a mention a line: id, start, end, mention, type, concept ids.

The title is the first line of the text, the abstract what follows it. Its lines have no breaks, so that line ends and
tabs of the text become spaces: one for one, so that offsets hold. A document without text is left out: the format has
none. Of several models it does not say which found a mention, and it has no scores, assertions or sections. A
discontinuous mention is written whole, from its first to its last character.
"""

from __future__ import annotations

import re
from itertools import chain
from urllib.parse import quote

from zoo.errors import ZooError
from zoo.tagging.outputs.concepts import concept_cell
from zoo.tagging.outputs.format import FileFormat, Run
from zoo.tagging.texts import Tagged

_BROKEN = str.maketrans({"\n": " ", "\r": " ", "\t": " ", "\0": "\ufffd"})


def _document(tagged: Tagged, run: Run) -> str:
    text = tagged.text.text
    if not text.strip():
        return ""
    name = quote(tagged.text.id, safe="".join(set(tagged.text.id) - set("%|\t\r\n")) + " ").strip() or "_"
    title, abstract = _sections(text)
    lines = [f"{name}|t|{title}", f"{name}|a|{abstract}"]
    if any(re.search(rf"{re.escape(name)}\|[ta]\|", section) for section in (title, abstract)):
        raise ZooError(
            f"the text of {tagged.text.id!r} holds what a line of PubTator begins with",
            where="--out",
            fix="write .bioc.xml, .bioc.json or .jsonl",
        )
    for entity in sorted(chain.from_iterable(tagged.entities), key=lambda entity: entity.key):
        mention = text[entity.start : entity.end].translate(_BROKEN)
        kind = " ".join(entity.type.split())
        cells = [name, str(entity.start), str(entity.end), mention, kind, concept_cell(entity)]
        lines.append("\t".join(cells if run.linked else cells[:5]))
    return "\n".join(lines) + "\n\n"


def _sections(text: str) -> tuple[str, str]:
    """Title and abstract; the line end between them is the character that the format counts there."""
    end = re.search(r"[\r\n]", text)
    if end and text[end.end() :].strip():
        return text[: end.start()].translate(_BROKEN), text[end.end() :].translate(_BROKEN)
    return text.translate(_BROKEN), ""


FORMAT = FileFormat(header=lambda _: "", document=_document, fragments=False, assertions=False)
