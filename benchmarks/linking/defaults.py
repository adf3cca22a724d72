r"""From which probability on linkers without training link (`LEXICAL` in zoo/linking/ranking.py).

    ZOO_CORPORA=DIR ZOO_ONTOLOGIES=DIR python benchmarks/linking/defaults.py

Its weights are set by hand: fitted on NCBI-Disease and BC5CDR, they are as sure of names that look like none, which
those corpora hardly have. It prints the threshold with the highest F1 of links on each dev split.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measure import indexes_of

from zoo.corpora.load import open_corpus
from zoo.linking.trained_names import TrainedNames
from zoo.registry.loader import load_registry
from zoo.settings import Settings
from zoo.training.linker import assemble_linker, best_threshold

CORPORA = ("ncbi-disease-abstracts", "bc5cdr-abstracts")


def main() -> None:
    """Choose and print."""
    settings = Settings.load()
    registry = load_registry(settings.registry)
    with tempfile.TemporaryDirectory() as work:
        for name in CORPORA:
            corpus = open_corpus(registry.corpus(name), registry, settings)
            for type, (index, _) in indexes_of(corpus, settings).items():
                linker = assemble_linker({type: index}, {type: TrainedNames({})}, None, Path(work), None)
                threshold = best_threshold(linker, corpus.splits["dev"], type, index)
                sys.stdout.write(f"{corpus.entry.id} {type}: threshold {threshold}\n")


if __name__ == "__main__":
    main()
