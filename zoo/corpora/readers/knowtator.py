"""Knowtator XML, as CRAFT and eHOST have it: a folder with `ID.txt` and `ID.txt.knowtator.xml`, at any depth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from zoo.corpora.document import Document
from zoo.corpora.files import open_bytes, read_text
from zoo.corpora.readers.mentions import SHARED, Mention, join_parts, place_mentions
from zoo.errors import ZooError

_SUFFIX = ".knowtator.xml"
_CONCEPT = re.compile(r"[A-Za-z]\w*:\S+")
_GAP = " ... "
"""Between the parts of a discontinuous mention, as it is quoted."""
_FIX = (
    "give Knowtator XML: <annotation> with <mention>, <span> and <spannedText>, and the <classMention> of each mention"
)


class _NoEntities(ElementTree.TreeBuilder):
    """Refuses what could define entities: annotations of strangers need none."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ZooError("the file has a DOCTYPE, which Knowtator does not write", fix=_FIX)


def read_knowtator(folder: Path, *, repairs: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of a folder, in the order of their names.

    The class of a mention is its type. Where it is a concept of an ontology (`CL:0000576`), that is the concept id, and
    the type is the name of the folder that the file lies in, a folder `knowtator` in it aside: `CL/knowtator`.

    Args:
        folder: Texts and annotations, at any depth; a document's id is the name of its text without `.txt`.
        repairs: Counts what was repaired; complete once the iterator is exhausted.

    Raises:
        ZooError: A text without annotations or the reverse, malformed XML, a DOCTYPE, an annotation without class or
            place, or one whose text is not there; with the file, and with line or mention.
    """
    repairs = Counter() if repairs is None else repairs
    texts = {path.name: path for path in sorted(folder.rglob("*.txt"))}
    annotated: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        annotated.setdefault(path.name.removesuffix(_SUFFIX), []).append(path)
    for name in sorted(texts.keys() | annotated.keys()):
        if name not in texts:
            raise ZooError(f"there is no text {name!r}", where=annotated[name][0], fix="put it into the folder")
        if name not in annotated:
            raise ZooError(f"there is no file {name + _SUFFIX!r}", where=texts[name], fix="put it into the folder")
        text = read_text(texts[name])
        spans = []
        for path in annotated[name]:
            placed = place_mentions(text, list(_mentions(path, repairs)), repairs)
            if placed.lost:
                raise _misplaced(placed.lost[0], text, path)
            spans += placed.spans
        yield Document(name.removesuffix(".txt"), text, tuple(sorted(spans)))


def _mentions(path: Path, repairs: Counter[str]) -> Iterator[Mention]:
    root = _parse(path)
    folder = next((part for part in reversed(path.parent.parts) if part != "knowtator"), "")
    classes = {item.get("id"): item.find("mentionClass") for item in root.iter("classMention")}
    for item in root.iter("annotation"):
        mention = item.find("mention")
        name = "" if mention is None else mention.get("id", "")
        found = classes.get(name)
        kind = "" if found is None else found.get("id", "")
        edges = [(span.get("start", ""), span.get("end", "")) for span in item.iter("span")]
        if not kind or not edges or not all(edge.isdecimal() for part in edges for edge in part):
            what = "class" if not kind else "place"
            raise ZooError(f"the annotation of the mention {name!r} has no {what}", where=path, fix=_FIX)
        quoted = item.findtext("spannedText")
        parts = sorted((int(start), int(end)) for start, end in edges)
        if any(one[1] > other[0] for one, other in pairwise(parts)):
            repairs[SHARED] += 1
            parts, quoted = list(join_parts(parts)), None
        elif quoted and len(parts) > 1:
            quoted = quoted.replace(_GAP, " ")
        concept = _CONCEPT.fullmatch(kind)
        yield Mention(parts, quoted, folder if concept else kind, (kind,) if concept else ())


def _parse(path: Path) -> ElementTree.Element:
    with open_bytes(path) as file:
        try:
            root = ElementTree.parse(file, ElementTree.XMLParser(target=_NoEntities())).getroot()
        except ElementTree.ParseError as error:
            raise ZooError(f"not valid XML: {error}", where=f"{path}:{error.position[0]}", fix=_FIX) from None
        except ZooError as error:
            raise ZooError(error.what, where=path, fix=error.fix) from None
    if root.tag != "annotations":
        raise ZooError(f"not Knowtator XML: the file begins with <{root.tag}>", where=path, fix=_FIX)
    return root


def _misplaced(mention: Mention, text: str, path: Path) -> ZooError:
    found = _GAP.join(text[start:end] for start, end in mention.parts)
    places = ";".join(f"{start} {end}" for start, end in mention.parts)
    return ZooError(
        f"the text at {places} is {found[:60]!r}, the annotation says {(mention.quoted or '')[:60]!r}",
        where=path,
        fix="offsets are half-open, in characters of the text",
    )
