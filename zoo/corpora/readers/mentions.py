"""Whether mentions stand where their annotation says, in which unit their offsets count, and where they end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from zoo.corpora.document import Document, Span
from zoo.errors import ZooError

NEAR_CHARACTERS = 5
"""How far from its offsets a mention is looked for."""
Part = tuple[int, int]
"""`[start, end)` in the text of the document."""
TRIMMED = "white space at the ends of a mention trimmed"
SHARED = "fragments that share characters joined"
_LEFT_OUT = "mention left out: its text is not at its offsets"
_SPACE = re.compile(r"\s")


@dataclass
class Mention:
    """A mention as its annotation has it.

    Attributes:
        parts: `[start, end)` of its parts, in the order of the file, as the file counts.
        quoted: Its text; None where the annotation does not quote it.
        type: Its type.
        concept_ids: Identifiers in an ontology.
        line: Line of the file, 0 where the format has none.
    """

    parts: list[Part]
    quoted: str | None
    type: str
    concept_ids: tuple[str, ...] = ()
    line: int = 0


@dataclass
class Placed:
    """The mentions of a document that have a place in its text, and those that have none."""

    spans: list[Span] = field(default_factory=list)
    lost: list[Mention] = field(default_factory=list)


def place_mentions(text: str, mentions: Sequence[Mention], repairs: Counter[str]) -> Placed:
    """Find the places of a document's mentions.

    Offsets that count UTF-16 units, UTF-8 bytes, or a byte-order mark before the text are converted to characters where
    more mentions are found so. What then is not where its offsets say follows the rules of `align_mention`; parts that
    only white space separates are joined.

    Args:
        text: The document's text.
        mentions: What the annotation says.
        repairs: Counts what was converted, moved, joined or left out.
    """
    unit, convert, _ = _best_unit(text, mentions)
    if unit:
        repairs[f"mention whose offsets count {unit}, converted"] += len(mentions)
    placed = Placed()
    for mention in mentions:
        parts = [(convert(start), convert(end)) for start, end in mention.parts]
        if mention.quoted is not None and len(parts) == 1:
            found = align_mention(text, *parts[0], mention.quoted, repairs)
            parts = [found] if found else []
        elif not _stand(text, parts, mention.quoted):
            repairs[_LEFT_OUT] += 1
            parts = []
        if not parts:
            placed.lost.append(mention)
            continue
        merged = merge_parts(text, sorted(parts))
        if len(merged) < len(parts):
            repairs["parts of a mention joined over white space"] += 1
        fragments = merged if len(merged) > 1 else ()
        placed.spans.append(Span(merged[0][0], merged[-1][1], mention.type, mention.concept_ids, fragments))
    placed.spans.sort()
    return placed


def quotes_found(text: str, mentions: Sequence[Mention]) -> int:
    """How many mentions are quoted as the text has them at their offsets, in the unit that suits most of them."""
    return _best_unit(text, mentions)[2]


def without_copies(documents: Iterable[tuple[Document, str]], repairs: Counter[str]) -> Iterator[Document]:
    """Stream documents, without those that stand in the file again, text and mentions alike; these are counted.

    Args:
        documents: Documents, and where each begins.
        repairs: Counts the copies and their mentions.

    Raises:
        ZooError: An id stands for two different documents.
    """
    seen: dict[str, tuple[int, str]] = {}
    for document, where in documents:
        content = hash((document.text, document.spans))
        known, first = seen.setdefault(document.id, (content, ""))
        if not first:
            seen[document.id] = (content, where)
            yield document
        elif known == content:
            repairs["repeated document left out"] += 1
            repairs["mention of a repeated document left out"] += len(document.spans)
        else:
            line = first.rpartition(":")[2]
            begins = f": the other begins in line {line}" if line.isdigit() else ""
            raise ZooError(
                f"the id {document.id!r} stands for two different documents{begins}",
                where=where,
                fix="ids are unique in a file; join the annotations if the texts are the same",
            )


def tidy(document: Document, repairs: Counter[str]) -> Document:
    """Trim white space at the ends of mentions, and count signs that their offsets count something else.

    A model's entities begin and end at a visible character: no mention with white space at its end could be found.
    """
    if _seem_utf16(document.text, document.spans):
        repairs["document whose offsets seem to count UTF-16 units: its mentions begin or end inside words"] += 1
    spans = [span for span in (_trimmed(document.text, span, repairs) for span in document.spans) if span]
    return document if spans == list(document.spans) else replace(document, spans=tuple(sorted(spans)))


def align_mention(text: str, start: int, end: int, quoted: str, repairs: Counter[str]) -> Part | None:
    """Find the place of a mention, given its offsets and its text as the annotation quotes it.

    1. The offsets enclose the quoted text, spaces for line breaks and white space around it aside: they stand.
    2. The quoted text, without white space around it, begins at `start`, or else at exactly one other place at most
       `NEAR_CHARACTERS` away: the mention is moved there.
    3. It has the length of the offsets and agrees with the text there in more than half of its characters (another
       spelling, such as a plain letter for a Greek one): the offsets stand.
    4. Otherwise the mention is left out.

    Args:
        text: The document's text.
        start: First character.
        end: One past the last character.
        quoted: The mention's text.
        repairs: Counts what the rules 2, 3 and 4 decide.

    Returns:
        `[start, end)`, or None for a mention that is left out.
    """
    enclosed = text[start:end] if start >= 0 else ""
    if enclosed and _SPACE.sub(" ", enclosed) == _SPACE.sub(" ", quoted) and quoted.strip():
        return start, end
    bare = quoted.strip()
    if enclosed == bare and bare:
        repairs["white space around a quoted mention ignored"] += 1
        return start, end
    near = range(max(0, start - NEAR_CHARACTERS), start + NEAR_CHARACTERS + 1)
    places = [place for place in near if text.startswith(bare, place)] if bare else []
    if len(places) == 1 or start in places:
        place = start if start in places else places[0]
        repairs["mention moved to where its text stands"] += 1
        return place, place + len(bare)
    agreeing = sum(one == other for one, other in zip(enclosed, quoted, strict=False))
    if len(enclosed) == len(quoted) and agreeing * 2 > len(quoted):
        repairs["mention spelt otherwise than the text at its offsets"] += 1
        return start, end
    repairs[_LEFT_OUT] += 1
    return None


def merge_parts(text: str, parts: Iterable[Part]) -> tuple[Part, ...]:
    """Join the parts of a mention that white space (a line break, say) or nothing separates; parts are in order."""
    merged: list[Part] = []
    for start, end in parts:
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)


def join_parts(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Join the parts of a mention that share characters; parts are in order."""
    joined: list[Part] = []
    for start, end in parts:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _stand(text: str, parts: Sequence[Part], quoted: str | None) -> bool:
    """Whether parts lie in the text in order, and the quote (if any) is theirs or from the first to the last."""
    end = 0
    for start, stop in sorted(parts):
        if not end <= start < stop <= len(text):
            return False
        end = stop
    pieces = "".join(text[start:stop] for start, stop in parts), text[min(parts)[0] : end]
    return quoted is None or _squeezed(quoted) in map(_squeezed, pieces)


def _best_unit(text: str, mentions: Sequence[Mention]) -> tuple[str, Callable[[int], int], int]:
    """The unit in which most quotes are at their offsets: its name (none: characters), its conversion, how many are."""
    quoting = [mention for mention in mentions if mention.quoted is not None]

    def found(convert: Callable[[int], int]) -> int:
        places = ([(convert(start), convert(end)) for start, end in mention.parts] for mention in quoting)
        return sum(_stand(text, parts, mention.quoted) for parts, mention in zip(places, quoting, strict=True))

    best: tuple[str, Callable[[int], int], int] = ("", int, found(int))
    if best[2] < len(quoting):
        for name, convert in _units(text):
            if (count := found(convert)) > best[2]:
                best = (name, convert, count)
    return best


def _units(text: str) -> Iterator[tuple[str, Callable[[int], int]]]:
    """Units that offsets may count other than characters, and how to convert them; an impossible one becomes -1."""
    if not text.isascii():
        for name, encoding, width in (("UTF-16 units", "utf-16-le", 2), ("UTF-8 bytes", "utf-8", 1)):
            lengths = accumulate((len(character.encode(encoding)) // width for character in text), initial=0)
            places = {offset: index for index, offset in enumerate(lengths)}
            yield name, lambda offset, places=places: places.get(offset, -1)  # type: ignore[misc]
    yield "from 1 (or a byte-order mark)", lambda offset: offset - 1


def _trimmed(text: str, span: Span, repairs: Counter[str]) -> Span | None:
    if not text[span.start].isspace() and not text[span.end - 1].isspace():
        return span
    parts = [trim(text, *part) for part in span.fragments or ((span.start, span.end),)]
    kept = [(start, end) for start, end in parts if start < end]
    if not kept:
        repairs["mention of nothing but white space left out"] += 1
        return None
    repairs[TRIMMED] += 1
    return replace(
        span, start=kept[0][0], end=kept[-1][1], fragments=tuple(kept) if span.fragments and len(kept) > 1 else ()
    )


def trim(text: str, start: int, end: int) -> Part:
    """`[start, end)` without white space at its ends; empty where there is nothing else."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), max(start, end - len(piece) + len(piece.rstrip()))


def _seem_utf16(text: str, spans: Sequence[Span]) -> bool:
    """Whether mentions end inside words, and none would if their offsets counted UTF-16 units."""
    if not spans or text.isascii() or max(text) <= "\uffff":
        return False
    convert = next(convert for name, convert in _units(text) if name.startswith("UTF-16"))
    if not any(_cuts_word(text, span.start, span.end) for span in spans):
        return False
    converted = [(convert(span.start), convert(span.end)) for span in spans]
    return all(0 <= start < end and not _cuts_word(text, start, end) for start, end in converted)


def _cuts_word(text: str, start: int, end: int) -> bool:
    """Whether a word goes on over a border; a border at white space is no better: mentions hold none at their ends."""
    inside = any(
        0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum() for place in (start, end)
    )
    return inside or text[start].isspace() or text[end - 1].isspace()


def _squeezed(text: str) -> str:
    return "".join(text.split())
