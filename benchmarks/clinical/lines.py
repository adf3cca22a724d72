r"""Entities over line breaks: what the second look at lines (`zoo.tagging.lines`) finds, and what it breaks.

    python benchmarks/clinical/lines.py builds/plain/checkpoints/minilm-l6/bc5cdr-disease [--split dev]

makes lists of mentions of a corpus, two to five on lines of their own, bare and with what notes write around them, and
breaks lines inside the mentions of its sentences; strict micro-F1 without and with the second look, written to
`benchmarks/results/clinical_lines.md`.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from zoo.corpora.document import Document, Span
from zoo.corpora.edits import Edit, apply_edits
from zoo.evaluation.result import RESULT_FILE, load_result
from zoo.evaluation.robustness import line_breaks
from zoo.evaluation.scoring import micro_f1
from zoo.files import write_whole
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.registry.loader import load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger
from zoo.training.noise import wrap_lines

RESULTS = Path(__file__).parents[1] / "results"
LISTS: dict[str, Callable[[int], tuple[str, str]]] = {
    "list": lambda number: ("", ""),
    "list under a heading": lambda number: ("" if number else "Problems:\n", ""),
    "list with dashes": lambda number: ("- ", ""),
    "numbered list": lambda number: (f"{number + 1}. ", ""),
    "list with remarks": lambda number: ("", (" since 2019", "", " , stable")[number % 3]),
}
MOST = 200
"""Texts of each kind."""


def main() -> None:
    """Measure one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    arguments = parser.parse_args()
    quiet_libraries()
    context = Context(load_registry(Settings.load().registry), Settings.load())
    result = load_result(arguments.checkpoint / RESULT_FILE)
    split = context.corpus(context.registry.corpora[result.corpus]).splits[arguments.split]
    tagger = Tagger.load(arguments.checkpoint)
    kinds = {name: _lists(split, around) for name, around in LISTS.items()}
    some = [document for document in split if document.spans][:: max(1, len(split) // 2 // MOST)]
    kinds["sentences, wrapped at a width"] = [
        apply_edits(document, wrap_lines(document, random.Random(document.id), "")).document for document in some
    ]
    kinds["sentences, a tenth of the spaces broken"] = [line_breaks(document, 0).document for document in some]
    kinds["sentences, every mention of several words broken"] = [_broken(document) for document in some]
    lines = [
        "# Entities over line breaks",
        "",
        f"Made by `python benchmarks/clinical/lines.py` on the {arguments.split} split of {result.corpus},",
        f"{result.checkpoint_id}, finetune.noise {result.recipe['finetune'].get('noise', 0.0)}. Strict micro-F1 as the",
        "labels say (what plain `pipeline()` finds), and after the second look at lines (what `zoo tag` finds).",
        "",
        "| text | texts | labels alone | second look |",
        "|---|---|---|---|",
    ]
    for name, documents in kinds.items():
        texts = [document.text for document in documents]
        plain = micro_f1(documents, tagger.tag_windows(texts, tagger.encode(texts)))
        looked = micro_f1(documents, tagger.tag(texts))
        lines.append(f"| {name} | {len(texts)} | {100 * plain:.2f} | {100 * looked:.2f} |")
    write_whole(RESULTS / "clinical_lines.md", "\n".join(lines) + "\n")


def _lists(documents: Sequence[Document], around: Callable[[int], tuple[str, str]]) -> list[Document]:
    mentions = [(document.text[s.start : s.end], s.type) for document in documents for s in document.spans]
    rng = random.Random(0)
    lists = []
    for number in range(MOST):
        text, spans = "", []
        for place, (mention, name) in enumerate(rng.sample(mentions, rng.randint(2, 5))):
            before, after = around(place)
            start = len(text) + len(before)
            spans.append(Span(start, start + len(mention), name))
            text += f"{before}{mention}{after}\n"
        lists.append(Document(str(number), text, tuple(spans)))
    return lists


def _broken(document: Document) -> Document:
    """One break inside each mention of several words."""
    rng, places = random.Random(document.id), set()
    for span in document.spans:
        spaces = [match.start() for match in re.finditer(" ", document.text[span.start : span.end])]
        places |= {span.start + rng.choice(spaces)} if spaces else set()
    return apply_edits(document, [Edit(at, at + 1, "\n") for at in sorted(places)]).document


if __name__ == "__main__":
    main()
