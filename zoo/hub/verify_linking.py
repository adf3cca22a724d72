"""Linking, verified: mentions of the test split are linked again by the files of a repository."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from zoo.corpora.document import Document
from zoo.errors import ZooError
from zoo.evaluation.linking import LinkingScores, measure_linking
from zoo.evaluation.linking_rules import Vocabulary
from zoo.evaluation.result import Result
from zoo.hub.verification import LinkingCheck
from zoo.linking.beside import LINKER_FOLDER, find_indexes
from zoo.linking.index import Index
from zoo.linking.indexes import open_index
from zoo.linking.linker import LINKER_FILE, Linker
from zoo.linking.published import with_vectors
from zoo.linking.trained_names import NAMES_FILE
from zoo.modeling.windows import Entity
from zoo.registry.loader import Registry
from zoo.settings import Settings


def link_again(
    folder: Path,
    result: Result,
    documents: Sequence[Document],
    found: Sequence[Sequence[Entity]],
    registry: Registry,
    settings: Settings,
) -> LinkingCheck | None:
    """Compare the linking scores of a result with those of the downloaded linker; None: the result has none.

    An ontology that may not be published is read from this machine, if it is here in the same version; nothing is
    fetched for it.

    Args:
        folder: The downloaded repository.
        result: Its record.
        documents: The test split.
        found: Of each document the mentions that the downloaded adapter found.
        registry: It has the ontologies.
        settings: Where local ones are.
    """
    expected = result.linking
    if expected is None:
        return None
    linker = folder / LINKER_FOLDER
    if not (linker / LINKER_FILE).is_file():
        return LinkingCheck(status="differs", why="the repository has no linker")
    if expected.train_names != "none" and not (linker / NAMES_FILE).stat().st_size:
        return LinkingCheck(status="not checked", why="the licence of the corpus keeps names of training to itself")
    with tempfile.TemporaryDirectory(prefix="zoo-link-") as scratch:
        try:
            indexes = dict(_indexes(linker, expected, registry, settings))
        except ZooError as error:
            return LinkingCheck(status="not checked", why=f"for want of the vocabulary: {error.what}")
        measured = measure_linking(
            Linker.load(with_vectors(linker, indexes, Path(scratch)), indexes),
            {
                name: Vocabulary(
                    id=used.id,
                    version=used.version,
                    fingerprint=used.fingerprint,
                    concept=indexes[used.id].concept,
                    id_prefix=registry.ontologies[used.id].id_prefix if used.id in registry.ontologies else "",
                )
                for name, used in expected.vocabularies.items()
            },
            {"test": documents},
            train_names=expected.train_names,
            found=found,
        )
    figures = [(name, *pair) for name, *pair in zip(_NAMES, _figures(expected), _figures(measured), strict=True)]
    differ = [f"{name} {after:.4f} instead of {before:.4f}" for name, before, after in figures if before != after]
    return LinkingCheck(
        status="differs" if differ else "reproduced", why="; ".join(differ), accuracy=measured.gold.belb.accuracy_at_1
    )


_NAMES = ("accuracy by BELB's rule", "at 5", "at 20", "accuracy by BioSyn's rule", "end to end F1")


def _figures(scores: LinkingScores) -> list[float]:
    """Figures that are compared, in the order of their names, as they are shown."""
    gold, both = scores.gold, scores.end_to_end
    at = (gold.belb.accuracy_at_1, gold.belb.accuracy_at_5, gold.belb.accuracy_at_20, gold.biosyn.accuracy_at_1)
    return [round(value, 6) for value in (*at, both.f1 if both else 0.0)]


def _indexes(
    linker: Path, expected: LinkingScores, registry: Registry, settings: Settings
) -> Iterator[tuple[str, Index]]:
    """Ontology -> its index: the published one, else one that is made of what is on this machine.

    Raises:
        ZooError: An ontology is not here, or in another version.
    """
    published = find_indexes(linker, None)
    for used in {vocabulary.id: vocabulary for vocabulary in expected.vocabularies.values()}.values():
        if used.id in published:
            yield used.id, Index.open(published[used.id])
            continue
        here = open_index(used.id, registry, replace(settings, offline=True))
        if here.fingerprint != used.fingerprint:
            raise ZooError(f"{used.id} is here in another version than {used.version}")
        yield used.id, here.index
