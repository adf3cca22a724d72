"""`zoo robustness`: score a model on worse spellings of the same text."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.opening import load_tagger, open_corpora
from zoo.cli.options import (
    AsJson,
    CorpusArgument,
    MapOption,
    ModelArgument,
    RegistryOption,
    SplitOption,
    parse_renames,
)
from zoo.cli.output import percent, print_json, print_step, print_table


def robustness(
    model: ModelArgument,
    corpus: CorpusArgument,
    split: SplitOption = "test",
    seed: Annotated[int, typer.Option("--seed", help="Seed of typos and line breaks.")] = 0,
    mapping: MapOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on the same text in other case, with typos, without punctuation, abbreviated, broken into lines."""
    loaded = open_corpora([corpus], registry)[0]
    documents, renames = loaded.documents(split), parse_renames(mapping)
    from zoo.evaluation.robustness import perturbations_for
    from zoo.evaluation.robustness import robustness as measure

    perturbations = perturbations_for(loaded.entry.language)
    tagger = load_tagger(model, renames)
    scores = measure(tagger, documents, perturbations=perturbations, mapping=renames, seed=seed, progress=print_step)
    if as_json:
        print_json(
            {
                "model": model,
                "corpus": corpus,
                "split": split,
                "seed": seed,
                "documents": len(documents),
                "scores": {name: score._asdict() for name, score in scores.items()},
            }
        )
        return
    print_table(
        ["text", "strict F1", "loss", "documents changed"],
        [
            [name, percent(s.micro_f1), percent(s.loss) if name != "original" else "", str(s.changed_documents)]
            for name, s in scores.items()
        ],
    )
