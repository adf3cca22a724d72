"""Noise of clinical notes in training text; gold spans move along.

Tests of robustness (`zoo.evaluation.robustness`) write text worse in other ways, so that what they measure is not what
was trained:

| | here | in the tests |
|---|---|---|
| shorthand | other words, and rules for any words but those of the tests and their kin; also written out | a list |
| typing errors | a letter too many, a far key, words torn or joined | letters swapped, dropped, doubled, the next key |
| misread characters (OCR) | l/1, O/0, rn/m | none |
| punctuation | brackets, quotes, dashes | . , ; : ! ? |
| lines | wrapped at a width, headings and bullets in front | breaks anywhere |
| case | word by word | the whole text |

`tests/training/test_noise.py` holds shorthand and typing errors apart.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from zoo.corpora.document import Document, fragments_of
from zoo.corpora.edits import ABBREVIATIONS, NEIGHBOURS, Edit, apply_edits
from zoo.language import primary

SHORTHAND: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "abdominal": ("abd", "abdo"),
        "acute": ("ac",),
        "admission": ("adm",),
        "admitted": ("adm'd", "adm"),
        "after": ("p/", "aft"),
        "although": ("altho", "tho"),
        "and": ("&", "+"),
        "approximately": ("approx", "~"),
        "because": ("b/c", "bc"),
        "because of": ("b/c of", "2° to"),
        "before": ("a/", "b4"),
        "between": ("btwn", "b/w"),
        "blood pressure": ("BP",),
        "blood sugar": ("BS",),
        "central nervous system": ("CNS",),
        "chronic": ("chr", "chron"),
        "computed tomography": ("CT",),
        "decreased": ("decr", "dec'd"),
        "developed": ("dev'd", "dvlpd"),
        "discharge": ("d/c", "disch"),
        "discontinued": ("d/c'd", "dc'd"),
        "due to": ("d/t",),
        "during": ("dur", "d/"),
        "electrocardiogram": ("ECG", "EKG"),
        "emergency department": ("ED",),
        "evaluation": ("eval",),
        "every": ("q",),
        "examination": ("exam",),
        "for": ("f/", "4"),
        "from": ("fr", "f/m"),
        "heart rate": ("HR",),
        "hospital": ("hosp",),
        "immediately": ("stat", "immed"),
        "including": ("incl",),
        "increased": ("incr", "inc'd"),
        "induced": ("ind'd", "ind"),
        "injection": ("inj",),
        "intensive care unit": ("ICU",),
        "intramuscular": ("IM",),
        "intravenous": ("i.v.", "iv"),
        "magnetic resonance imaging": ("MRI",),
        "medication": ("med", "rx"),
        "medications": ("meds",),
        "milligrams": ("mg",),
        "minutes": ("mins",),
        "moderate": ("mod",),
        "no evidence of": ("neo", "no e/o"),
        "normal": ("nl", "wnl"),
        "operation": ("op",),
        "presented": ("p/w", "pres'd"),
        "previous": ("prev",),
        "procedure": ("proc",),
        "received": ("rec'd",),
        "related to": ("r/t",),
        "respiratory": ("resp",),
        "resulting in": ("r/i",),
        "severe": ("sev",),
        "shown": ("shwn",),
        "significant": ("signif", "sig"),
        "significantly": ("signif",),
        "standard deviation": ("SD",),
        "subcutaneous": ("s.c.", "subq"),
        "surgery": ("surg",),
        "such as": ("s/a",),
        "suspected": ("susp",),
        "temperature": ("temp",),
        "therapy": ("thx", "ther"),
        "three times": ("3x",),
        "through": ("thru",),
        "underwent": ("u/w",),
        "versus": ("vs",),
        "ventricular": ("vent",),
        "white blood cell": ("WBC",),
    },
    "es": {
        "abdominal": ("abd",),
        "ambulatorio": ("amb",),
        "antecedentes": ("antec", "AP"),
        "aproximadamente": ("aprox",),
        "años": ("a", "aa"),
        "cada": ("c/",),
        "comprimidos": ("comp", "cp"),
        "con": ("c/",),
        "derecha": ("dcha", "drcha"),
        "derecho": ("dcho", "drcho"),
        "diagnóstico": ("dx", "dco"),
        "días": ("d",),
        "enfermedad": ("enf",),
        "exploración física": ("EF",),
        "frecuencia cardiaca": ("FC",),
        "frecuencia respiratoria": ("FR",),
        "horas": ("h", "hs"),
        "hospital": ("hosp",),
        "intravenosa": ("iv", "i.v."),
        "intravenoso": ("iv", "i.v."),
        "izquierda": ("izda",),
        "izquierdo": ("izdo",),
        "paciente": ("pte", "pac"),
        "para": ("p/",),
        "por": ("x",),
        "que": ("q",),
        "resonancia magnética": ("RM", "RMN"),
        "semanas": ("sem",),
        "sin": ("s/",),
        "tensión arterial": ("TA",),
        "tomografía computarizada": ("TC",),
        "tratamiento": ("tto", "ttº"),
        "urgencias": ("urg",),
        "vía oral": ("v.o.", "vo"),
    },
}
"""Language -> words, with what notes write for them; none is a word of the tests. Other languages have rules alone."""
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("HPI:", "Chief Complaint:", "PMH:", "Past Medical History:", "FAMILY HISTORY:", "Social History:"),
        *("MEDICATIONS:", "Allergies:", "Physical Exam:", "ROS:", "LABS:", "FINDINGS:", "Impression:", "A/P:"),
        *("Assessment and Plan:", "Plan:", "HOSPITAL COURSE:", "Discharge Diagnosis:", "Reason for visit:", "Note:"),
    ),
    "es": (
        *("MOTIVO DE CONSULTA:", "Antecedentes personales:", "Enfermedad actual:", "Exploración física:", "JC:"),
        *("TRATAMIENTO:", "Alergias:", "Pruebas complementarias:", "Evolución:", "Juicio clínico:", "Plan:"),
    ),
}
BULLETS = ("-", "*", "•", "1.", "2)", "#", ">")
"""What may stand in front in any language."""
MISREAD: tuple[tuple[str, str], ...] = (
    *(("l", "1"), ("l", "I"), ("I", "l"), ("i", "l"), ("1", "l"), ("O", "0"), ("o", "0"), ("0", "O"), ("S", "5")),
    *(("5", "S"), ("B", "8"), ("8", "B"), ("Z", "2"), ("rn", "m"), ("m", "rn"), ("cl", "d"), ("d", "cl"), ("vv", "w")),
    *(("w", "vv"), ("e", "c"), ("c", "e"), ("h", "b"), ("u", "ii"), ("n", "ri"), ("fi", "ﬁ"), ("fl", "ﬂ"), ("t", "f")),
    *(("a", "o"), ("g", "q"), ("y", "v"), ("ti", "h"), ("li", "h")),
)
"""What optical character recognition reads for something else."""

_KINDS = (*["extra"] * 3, *["far"] * 4, "torn", "joined")
"""Typing errors, each as often as it stands here."""
_WORD = re.compile(r"[^\W\d_]{4,}")
_STEM = 4
_TESTED = frozenset(word[:_STEM] for phrase in ABBREVIATIONS for word in re.findall(rf"[a-z]{{{_STEM},}}", phrase))
"""How the words of the tests begin: what begins so (weeks, weekly) is never shortened here."""
_TESTED_FORMS = frozenset(short.lower() for short in ABBREVIATIONS.values())
"""What the tests write: no word is shortened to it here."""

Operation = Callable[[Document, random.Random, str], list[Edit]]
"""From a document, a source of chance and a language (BCP 47 tag) to edits in order."""


def with_noise(
    runs: Sequence[tuple[Document, int]], share: float, rng: random.Random, language: str
) -> list[tuple[Document, int]]:
    """Training texts, and behind them a share of these a second time, written as notes may be; drawn anew at each call.

    A second time, for instead of clean text noise costs clean F1: of a model trained on each text as often as without.

    Args:
        runs: Texts with gold spans, each with the number of documents of the corpus that it holds.
        share: Share of the texts that come twice; 0 draws nothing from `rng`.
        rng: Source of the choice.
        language: Language of the text, a BCP 47 tag; without a table of its own, it has what needs none.
    """
    again = rng.sample(runs, round(share * len(runs))) if share else []
    return [*runs, *((_noisy(document, rng, primary(language)), held) for document, held in again)]


def _noisy(document: Document, rng: random.Random, language: str) -> Document:
    chosen = [operation for operation, chance in OPERATIONS.items() if rng.random() < chance]
    for operation in chosen:
        document = apply_edits(document, operation(document, rng, language)).document
    return document


def write_out(document: Document, rng: random.Random, language: str) -> list[Edit]:
    """Short forms written out, where a language's table knows one meaning of them."""
    long = _long_forms(language)
    edits = []
    for match in re.finditer(r"(?<![\w/'-])[^\W\d_][\w./'-]*(?<!\.)(?![\w/'-])", document.text):
        if match.group() in long:
            edits.append(Edit(match.start(), match.end(), long[match.group()]))
    return edits


@lru_cache
def _long_forms(language: str) -> dict[str, str]:
    table = SHORTHAND.get(language, {})
    meanings = Counter(form for forms in table.values() for form in forms)
    return {f: phrase for phrase, forms in table.items() for f in forms if meanings[f] == 1 and len(f) > 1}


@lru_cache
def _shortenable(language: str) -> re.Pattern[str]:
    """Phrases of a language's table, the longest first, and any word."""
    phrases = "|".join(map(re.escape, sorted(SHORTHAND.get(language, ()), key=len, reverse=True)))
    known = rf"(?<![\w-])(?:{phrases})(?![\w-])|" if phrases else ""
    return re.compile(rf"{known}(?<![\w-])[^\W\d_]{{3,}}(?![\w-])", re.IGNORECASE)


def shorten(document: Document, rng: random.Random, language: str) -> list[Edit]:
    """Words written short: by the language's table anywhere, by rules outside mentions."""
    table, rate = SHORTHAND.get(language, {}), rng.uniform(0.1, 0.6)
    inside = [part for span in document.spans for part in fragments_of(span.key)]
    edits: list[Edit] = []
    for match in _shortenable(language).finditer(document.text):
        word, (start, end) = match.group(), match.span()
        if rng.random() >= rate or word[:_STEM].lower() in _TESTED:
            continue
        if forms := table.get(word.lower()):
            new = rng.choice(forms)
        elif word[1:].islower() and not any(a < end and start < b for a, b in inside):
            new = _short(word, rng)
        else:
            continue
        if new.lower() not in _TESTED_FORMS:
            edits.append(Edit(start, end, new[0].upper() + new[1:] if word[0].isupper() else new))
    return edits


def _short(word: str, rng: random.Random) -> str:
    """A short form that nobody need have seen: a stump, what is left without vowels, a letter and a slash."""
    kind = rng.random()
    if kind < 0.3 and len(word) < 9:
        return word[: rng.choice((1, 1, 2))] + "/"
    if kind < 0.5 and len(word) > 5:
        return word[: rng.randint(3, len(word) - 2)][:5] + rng.choice(("", "", "."))
    if kind < 0.6 and word.endswith("ed"):
        return word[: rng.randint(1, 3)] + "'d"
    bare = word[0] + re.sub(r"[aeiouyáéíóúü]", "", word[1:])
    kept = sorted(rng.sample(range(1, len(bare)), min(rng.randint(1, 3), len(bare) - 1)))
    return word[0] + "".join(bare[at] for at in kept) if len(bare) > 1 else word[:2]


def mistype(document: Document, rng: random.Random, language: str) -> list[Edit]:
    """A letter too many, a letter from a far key, a space too many or too few; in words of four or more letters."""
    text, rate = document.text, rng.uniform(0.03, 0.15)
    letters = sorted({letter for letter in text.lower() if letter.isalpha()})
    borders = {border for span in document.spans for part in fragments_of(span.key) for border in part}
    edits: list[Edit] = []
    for match in _WORD.finditer(text):
        if rng.random() >= rate:
            continue
        start, end = match.span()
        at, kind = rng.randrange(start, end), rng.choice(_KINDS)
        letter, following = text[at], text[at + 1 : at + 2]
        if kind == "joined" and text[end : end + 1] == " " and not {end, end + 1} & borders:
            edits.append(Edit(end, end + 1, ""))
        elif kind == "torn" and at + 1 < end:
            edits.append(Edit(at, at + 1, letter + " "))
        else:
            near = letter.lower() + NEIGHBOURS.get(letter.lower(), "") + (following.lower() if kind == "extra" else "")
            if others := [each for each in letters if each not in near]:
                wrong = rng.choice(others)
                wrong = wrong.upper() if letter.isupper() and kind == "far" else wrong
                edits.append(Edit(at, at + 1, letter + wrong if kind == "extra" else wrong))
    return edits


def misread(document: Document, rng: random.Random, language: str) -> list[Edit]:
    """Characters taken for others that look alike, one in a word."""
    rate = rng.uniform(0.02, 0.1)
    edits = []
    for match in re.finditer(r"\w{3,}", document.text):
        if rng.random() < rate:
            found = [
                Edit(match.start() + hit.start(), match.start() + hit.end(), new)
                for old, new in MISREAD
                for hit in re.finditer(old, match.group())
            ]
            edits += [rng.choice(found)] if found else []
    return edits


def wrap_lines(document: Document, rng: random.Random, language: str) -> list[Edit]:
    """Lines wrapped at a width, as a form or a mail program does, also inside mentions."""
    width, begin, last = rng.randint(20, 90), 0, -1
    edits = []
    for match in re.finditer(r"(?<!\s) (?!\s)|$", document.text):
        if match.start() - begin > width and last >= begin:
            edits.append(Edit(last, last + 1, "\n"))
            begin = last + 1
        last = match.start()
    return edits


def put_heading(document: Document, rng: random.Random, language: str) -> list[Edit]:
    """The heading of a section, or a bullet, in front."""
    return [Edit(0, 0, rng.choice(HEADINGS.get(language, ()) + BULLETS) + rng.choice((" ", "\n")))]


def drop_marks(document: Document, rng: random.Random, language: str) -> list[Edit]:
    """Brackets and quotes left out; a dash between words may become a space."""
    rate = rng.uniform(0.3, 1.0)
    found = [match for match in re.finditer(r"[()\[\]\"“”] ?| - |(?<=\w)-(?=\w)", document.text) if rng.random() < rate]
    return [Edit(match.start(), match.end(), " " if "-" in match.group() else "") for match in found]


def mix_case(document: Document, rng: random.Random, language: str) -> list[Edit]:
    """Words in lower case, some with a capital letter."""
    rate = rng.uniform(0.2, 0.8)
    edits = []
    for match in re.finditer(r"[^\W\d_]+", document.text):
        if rng.random() < rate:
            new = match.group().lower()
            new = new.capitalize() if rng.random() < 0.1 else new
            if new != match.group() and len(new) == len(match.group()):
                edits.append(Edit(match.start(), match.end(), new))
    return edits


OPERATIONS: Mapping[Operation, float] = {
    write_out: 0.2,
    shorten: 0.6,
    drop_marks: 0.2,
    mistype: 0.6,
    misread: 0.2,
    mix_case: 0.2,
    wrap_lines: 0.2,
    put_heading: 0.2,
}
"""What is done to a document, in this order, each with its chance."""
