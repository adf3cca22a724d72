"""Robustness: the same test text, written worse, and what that costs in F1. Gold offsets move with the text.

What training mixes in (`zoo.training.noise`) is written otherwise: other words are shortened, other letters mistaken.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from zoo.corpora.document import Document, fragments_of
from zoo.corpora.edits import ABBREVIATIONS, NEIGHBOURS, Edit, Perturbed, apply_edits, map_characters
from zoo.evaluation.scoring import micro_f1, rename_types, tag_documents
from zoo.language import primary
from zoo.tagging.tagger import Tagger

TYPO_SHARE = 0.1
"""Share of the words of four or more letters that get one typo."""
LINE_BREAK_SHARE = 0.1
"""Share of the single spaces that become a line break."""


class Robustness(NamedTuple):
    """Strict micro-F1 on perturbed text as a fraction, the loss against the original, number of changed documents."""

    micro_f1: float
    loss: float
    changed_documents: int


Perturbation = Callable[[Document, int], Perturbed]
"""From a document and a seed to the document perturbed; the same two give the same."""


def upper_case(document: Document, seed: int = 0) -> Perturbed:
    """Upper case, character by character; one that becomes several (ß, SS) shifts what follows."""
    return map_characters(document, str.upper)


def lower_case(document: Document, seed: int = 0) -> Perturbed:
    """Lower case, character by character (so a final sigma is σ)."""
    return map_characters(document, str.lower)


def typos(document: Document, seed: int = 0) -> Perturbed:
    """One slip in a tenth of the words of four or more letters: swapped, dropped, doubled or mistaken letter.

    Words inside mentions are hit like any others, for so they are in real notes; the mention keeps its borders. The
    first and the last letter of a word stay (slips are mostly inside, and words stay readable).
    """
    rng = _rng("typos", document, seed)
    edits = []
    for word in re.finditer(r"[^\W\d_]{4,}", document.text):
        if rng.random() < TYPO_SHARE:
            edits.append(_slip(document.text, word.start(), word.end(), rng))
    return apply_edits(document, edits)


def missing_punctuation(document: Document, seed: int = 0) -> Perturbed:
    """No `. , ; : ! ?` at the end of words; inside words (0.5, 10:30) and inside mentions (E. coli) they stay."""
    edits = [Edit(match.start(), match.end(), "") for match in re.finditer(r" ?[.,;:!?]+(?=\s|$)", document.text)]
    inside = [part for span in document.spans for part in fragments_of(span.key)]
    return apply_edits(
        document, [edit for edit in edits if not any(start < edit.end and edit.start < end for start, end in inside)]
    )


def abbreviations(document: Document, seed: int = 0) -> Perturbed:
    """Clinical shorthand for common words (`ABBREVIATIONS`), also for such words inside mentions."""
    pattern = "|".join(re.escape(phrase) for phrase in sorted(ABBREVIATIONS, key=len, reverse=True))
    edits = []
    for match in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", document.text, re.IGNORECASE):
        new = ABBREVIATIONS.get(match.group().lower())
        if new is None:  # a letter that only counts as a variant, such as the long s
            continue
        capital = match.group()[0].isupper() and new[0].islower() and new[1:2] != "/"
        edits.append(Edit(match.start(), match.end(), new[0].upper() + new[1:] if capital else new))
    return apply_edits(document, edits)


def line_breaks(document: Document, seed: int = 0) -> Perturbed:
    """A line break instead of a tenth of the single spaces, also inside mentions, as in text copied from a page."""
    rng = _rng("line breaks", document, seed)
    spaces = [match.start() for match in re.finditer(r"(?<!\s) (?!\s)", document.text)]
    return apply_edits(document, [Edit(at, at + 1, "\n") for at in spaces if rng.random() < LINE_BREAK_SHARE])


PERTURBATIONS: Mapping[str, Perturbation] = {
    "upper case": upper_case,
    "lower case": lower_case,
    "typos": typos,
    "missing punctuation": missing_punctuation,
    "abbreviations": abbreviations,
    "line breaks": line_breaks,
}


def perturbations_for(language: str) -> dict[str, Perturbation]:
    """The perturbations that make sense in a language (BCP 47 tag): the abbreviations are English ones."""
    english = primary(language) == "en"
    return {name: perturb for name, perturb in PERTURBATIONS.items() if english or perturb is not abbreviations}


def robustness(
    tagger: Tagger,
    documents: Sequence[Document],
    *,
    perturbations: Mapping[str, Perturbation] = PERTURBATIONS,
    mapping: Mapping[str, str] | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Robustness]:
    """Strict micro-F1 on perturbed text, and the loss against the text as it is.

    Args:
        tagger: The model.
        documents: Documents with gold spans.
        perturbations: Name -> function.
        mapping: Renames predicted types.
        seed: Seed of the random perturbations; each document draws on its own, so a subset is perturbed alike.
        progress: Called with the name of each text before it is tagged.

    Returns:
        `original` first, with loss 0, then every perturbation. A negative loss is a gain.
    """
    scores: dict[str, Robustness] = {}
    texts: dict[str, Sequence[Document]] = {"original": documents}
    for name, perturb in perturbations.items():
        texts[name] = [perturb(document, seed).document for document in documents]
    for name, changed in texts.items():
        if progress:
            progress(name)
        score = micro_f1(changed, rename_types(tag_documents(tagger, changed), mapping))
        original = scores["original"].micro_f1 if scores else score
        differ = sum(new.text != old.text for new, old in zip(changed, documents, strict=True))
        scores[name] = Robustness(score, original - score, differ)
    return scores


def _slip(text: str, start: int, end: int, rng: random.Random) -> Edit:
    at = rng.randrange(start + 1, end - 2)  # at and at + 1 are inner letters of a word of four or more
    kind = rng.choice(("swap", "drop", "double", "mistake"))
    letter, following = text[at], text[at + 1]
    if kind == "swap" and letter != following:
        return Edit(at, at + 2, following + letter)
    if kind == "mistake" and letter.lower() in NEIGHBOURS:
        wrong = rng.choice(NEIGHBOURS[letter.lower()])
        return Edit(at, at + 1, wrong.upper() if letter.isupper() else wrong)
    return Edit(at, at + 1, "" if kind == "drop" else letter * 2)


def _rng(name: str, document: Document, seed: int) -> random.Random:
    return random.Random(f"{seed}\n{name}\n{document.id}")
