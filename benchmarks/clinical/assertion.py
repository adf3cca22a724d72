r"""Assertions on the NegEx kit: negation, temporality and experiencer of 2,376 phrases in 120 de-identified reports.

    python benchmarks/clinical/assertion.py negex-kit.tsv.gz [--system ContextFeatureCheckResults.txt]

The kit is `rsAnnotations-1-120-random.txt` of https://github.com/chapmanbe/negex (Apache-2.0): row number, phrase,
sentence, negation, temporality, experiencer, tab-separated; plain or gzip. Each sentence is one text, the phrase one
mention. `--system` scores the stored output of GenConText in the same repository (`genConText/`) beside it.

Its sentences are divided by a hash, so that all phrases of one sentence are on one side: a third may be looked at (its
errors led to rules), of the rest only the scores. Some sentences were printed before rules were written, while the
stored outputs were looked at; they are in the first part whatever their hash (`SEEN`).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.context.assertion import Assertion
from zoo.context.engine import assertions
from zoo.files import write_whole

RESULT = Path(__file__).parents[1] / "results" / "assertion.md"
RESAMPLES = 2000
SEEN = frozenset(
    """
    012f44ed 021a581b 045cd8aa 061573cd 0ac0b2e7 0b3d370d 0b9b1ba2 0c5fc31f 14ea3d66 17ec141c 1c453348 1d565175
    1f6b125a 22ede2a3 243e031f 250c05ae 26e1e70a 27f6a1be 2998d820 2b249ac7 2b831339 31ef605d 39d063b0 41dbc890
    43d764fb 52d740bd 5659c73a 56ee499c 5ab3b47b 5bdcf625 5d305107 6071e4b3 6758412f 69865467 6ce13797 6eaa0f3b
    6f2dbc07 72a8df66 72ae92be 750bea33 75cbfa32 7ae424d6 7de17f13 7e6fbfaa 807e4270 82fef76a 83fb135d 8c21b9de
    8c634dd3 90c046fd 90de5d22 9127463d 97cf39b4 994fe865 9a2102d5 9be41eed a0cea45e a33960a7 a6b56abc ac268749
    b385eaab b4cfa178 b4d26bdc b7ced522 ba00340d bb667e2c be2fdfd9 c0425855 c182a2d8 c4106d92 cc9fb17e cd84629f
    d2886c4d d82a561f dc219fe1 dd026423 dd5bf249 df7e0b5d f1d8fefe fdffaf81 ff5f5ad6
    """.split()  # noqa: SIM905
)
"""First eight digits of the hashes of sentences that were seen before the kit was divided."""
TEMPORALITY = {"Recent": "recent", "Historical": "historical", "Not particular": "hypothetical"}


@dataclass(frozen=True)
class Row:
    """A phrase of the kit, its gold values, and what the rules say.

    Attributes:
        sentence: Hash of its sentence.
        gold: Negation, temporality, experiencer.
        found: The same, by the rules.
    """

    sentence: str
    gold: tuple[str, str, str]
    found: tuple[str, str, str]

    @property
    def looked_at(self) -> bool:
        """Whether its errors may be read."""
        return self.sentence[:8] in SEEN or int(self.sentence, 16) % 3 == 0


def digest(sentence: str) -> str:
    """Hash of a sentence, the same for each phrase that stands in capitals in it."""
    return hashlib.sha256(" ".join(re.findall(r"\w+", sentence.lower())).encode()).hexdigest()


def place(sentence: str, phrase: str) -> tuple[int, int]:
    """Where a phrase stands: the last time in capitals, else by its words; all of a sentence that lacks it."""
    wanted = phrase.upper().strip()
    start = sentence.rfind(wanted)
    if start >= 0:
        return start, start + len(wanted)
    words = r"\s+".join(map(re.escape, wanted.split()))
    match = re.search(words, sentence) or re.search(words, sentence, re.IGNORECASE)
    return match.span() if match else (0, len(sentence))


def values(answer: Assertion) -> tuple[str, str, str]:
    """An answer as it is compared."""
    return answer.negation, answer.temporality, answer.experiencer


def read_kit(path: Path) -> list[Row]:
    """The rows of the kit with what the rules say."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = []
    for line in raw.decode("utf-8", "replace").split("\n")[1:]:
        if not line.strip():
            continue
        _, phrase, sentence, negation, temporality, experiencer = line.rstrip("\r").split("\t")
        gold = (negation.lower(), TEMPORALITY[temporality], "patient" if experiencer == "Patient" else "other")
        (answer,) = assertions(sentence, [place(sentence, phrase)], "en")
        rows.append(Row(digest(sentence), gold, values(answer)))
    return rows


def read_system(path: Path) -> list[Row]:
    """The rows of GenConText's stored output; its tabs are one or more, as its own scorer reads them."""
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        cells = [cell.strip() for cell in re.split(r"\t+", line.strip())]
        negation, temporality, experiencer, *found = cells[4:10]
        gold = (negation.lower(), TEMPORALITY[temporality], "patient" if experiencer == "Patient" else "other")
        time = "hypothetical" if found[1] == "not particular" else found[1]
        rows.append(Row(digest(cells[3]), gold, (found[0], time, found[2])))
    return rows


def counts(rows: Sequence[Row], axis: int, value: set[str]) -> tuple[int, int, int]:
    """Right, wrong and missed answers of some values on an axis."""
    pairs = [(row.gold[axis] in value, row.found[axis] in value) for row in rows]
    return (
        sum(gold and found for gold, found in pairs),
        sum(found and not gold for gold, found in pairs),
        sum(gold and not found for gold, found in pairs),
    )


def f1(right: int, wrong: int, missed: int) -> float:
    """F1 in percent."""
    return 200 * right / (2 * right + wrong + missed) if right else 0.0


def interval(rows: Sequence[Row], score: Callable[[Sequence[Row]], float]) -> tuple[float, float]:
    """95 % bootstrap interval over sentences."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.sentence, []).append(row)
    each, random = list(groups.values()), np.random.default_rng(13)
    scores = [
        score([row for number in random.integers(len(each), size=len(each)) for row in each[number]])
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


MEASURES: dict[str, tuple[int, set[str]]] = {
    "negated": (0, {"negated"}),
    "negated, possible counted as negated": (0, {"negated", "possible"}),
    "historical": (1, {"historical"}),
    "hypothetical": (1, {"hypothetical"}),
    "someone else": (2, {"other"}),
}


def table(parts: dict[str, list[Row]]) -> list[str]:
    """Scores of each part."""
    lines = ["| what | part | phrases | gold | P | R | F1 | 95 % |", "|---|---|---|---|---|---|---|---|"]
    for name, (axis, value) in MEASURES.items():
        for part, rows in parts.items():
            right, wrong, missed = counts(rows, axis, value)
            low, high = interval(rows, lambda some, axis=axis, value=value: f1(*counts(some, axis, value)))
            precision = f"{100 * right / (right + wrong):.1f}" if right + wrong else "-"
            recall = f"{100 * right / (right + missed):.1f}" if right + missed else "-"
            lines.append(
                f"| {name} | {part} | {len(rows):,} | {right + missed} | {precision} | {recall} | "
                f"**{f1(right, wrong, missed):.1f}** | {low:.1f} to {high:.1f} |"
            )
    return lines


HEAD = """# Assertion on the NegEx kit

Made by `python benchmarks/clinical/assertion.py KIT`; its docstring says what the kit is. **Short sentences**: each
text is one sentence of a report without what stands around it, so that headers and sections are mostly missing.

Strict on the value named, all other values together are the rest; intervals by bootstrap over sentences. The kit has
no phrase whose gold value is "possible": in the first rows what the rules call possible is not counted as negated, in
the second it is, as the kit's own scorers do. "Looked at" is the third of the sentences whose errors led to rules, with
those seen before the kit was divided; the scores of "held out" are the ones to go by. Errors there were never read; its
scores were seen five times while this was made, and after the second, for the sake of "hypothetical", what ends the
reach of a phrase was told apart by what the phrase says.

"""
TAIL = """
The stored outputs of two systems on the whole kit: GenNegEx negation F1 95.6 (not scored here); GenConText negation
98.1, historical 66.5. Their scorers count "possible" as negated, and **their rules were developed around this kit**, so
that no part of it is held out for them. Ours are medspaCy's, of the same descent, and our own.

A quarter of the historical phrases that were looked at are bare items ("HYPERTENSION.") of a list whose header is not
in the kit; no rule can know. Six phrases are of someone else: too few for a figure.
"""


def main() -> None:
    """Score the rules, and a stored output, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kit", type=Path)
    parser.add_argument("--system", type=Path, help="stored output of GenConText")
    parser.add_argument("--print", action="store_true", help="print, and leave the table as it is")
    arguments = parser.parse_args()
    rows = read_kit(arguments.kit)
    parts = {
        "held out": [row for row in rows if not row.looked_at],
        "looked at": [row for row in rows if row.looked_at],
        "all": rows,
    }
    lines = table(parts)
    if arguments.system:
        stored = read_system(arguments.system)
        lines += ["", "GenConText, its stored output scored in the same way:", ""]
        lines += table({"held out": [row for row in stored if not row.looked_at], "all": stored})
    sys.stdout.write("\n".join(lines) + "\n")
    if not arguments.print:
        write_whole(RESULT, HEAD + "\n".join(lines) + "\n" + TAIL)


if __name__ == "__main__":
    main()
