"""Scores of linking: a worked example, what must hold whatever is linked, and the real corpora by exact names."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.linking import (
    ATAXIA,
    BREAST,
    DISEASES,
    FAMILIAL,
    HUMAN,
    OVARIAN,
    VOCABULARIES,
    NameLinker,
    document,
    link,
    linked,
)
from zoo.corpora.concepts import normalise_concept
from zoo.corpora.document import Document
from zoo.corpora.readers.pubtator import read_pubtator
from zoo.evaluation.linking import LinkingScores, measure_linking, mentions_of, score_linking
from zoo.evaluation.linking_rules import Vocabulary
from zoo.modeling.windows import Entity
from zoo.ontologies.concept import Concept
from zoo.ontologies.link import Link

NIL = Link((), 0.2)
FIRST = document(
    ("Breast cancer", "D001943"),
    ("A-T", "OMIM:208900"),
    ("breast and ovarian cancer", "D001943|D010051"),
    ("tumour", "-1"),
    ("patients", "9606", "Species"),
)
SECOND = document(("ovarian cancer", "D010051"), ("glioma", "D999999"), ("aspirin", "D001241", "Chemical"), name="2")
LINKS = (
    linked(FIRST, link(BREAST), link(BREAST, others=[ATAXIA], score=0.5), link(OVARIAN), NIL, link(HUMAN)),
    linked(SECOND, link(BREAST, score=0.7), link(FAMILIAL, score=0.4), None),
)
KNOWN = [document(("breast  CANCER", "D001943"), ("glioma", "D999999"), ("patients", "D001943"))]
"""A disease called `patients` tells nothing about the species."""


def score(**changes: Any) -> LinkingScores:
    given = {"known": KNOWN, "train_names": "none", "samples": 100}
    return score_linking([FIRST, SECOND], LINKS, VOCABULARIES, **(given | changes))


def test_a_worked_example_of_gold_mentions() -> None:
    diseases = score().per_type["Disease"]
    belb, biosyn = diseases.belb, diseases.biosyn
    # Of six with an id: right are the first and the composite; A-T at 2; ovarian cancer not; glioma is not in it.
    assert (belb.rule, belb.mentions, belb.left_out, belb.outside) == ("BELB", 5, 1, 1)
    assert (belb.accuracy_at_1, belb.accuracy_at_5, belb.accuracy_at_20) == pytest.approx((2 / 5, 3 / 5, 3 / 5))
    # BioSyn leaves glioma out, too, and wants both parts of the composite.
    assert (biosyn.rule, biosyn.mentions, biosyn.left_out, biosyn.outside) == ("BioSyn", 4, 2, 0)
    assert (biosyn.accuracy_at_1, biosyn.accuracy_at_5) == pytest.approx((1 / 4, 2 / 4))
    assert diseases.coverage == pytest.approx(4 / 5)
    assert belb.ci95[0] <= belb.accuracy_at_1 <= belb.ci95[1]


def test_an_id_that_the_vocabulary_lacks_is_right_where_a_name_of_training_has_it() -> None:
    glioma = document(("glioma", "D999999"), ("gliomas", "D999999"))
    links = [linked(glioma, link("MESH:D999999"), link(BREAST))]
    gold = score_linking([glioma], links, VOCABULARIES, known=[], train_names="train", samples=10).gold
    assert (gold.belb.mentions, gold.belb.outside, gold.belb.accuracy_at_1) == (2, 2, 0.5)
    assert (gold.biosyn.mentions, gold.coverage) == (0, 0)


def test_types_apart_together_and_those_without_a_vocabulary() -> None:
    scores = score()
    assert set(scores.per_type) == set(scores.vocabularies) == {"Disease", "Species"}
    assert scores.vocabularies["Disease"].model_dump() == {"id": "medic", "version": "2012", "fingerprint": "d" * 64}
    assert scores.per_type["Species"].belb.accuracy_at_1 == 1
    assert scores.gold.belb.mentions == 6 and scores.gold.belb.accuracy_at_1 == pytest.approx(3 / 6)
    every = score_linking([SECOND], LINKS[1:], {"*": DISEASES}, known=[], train_names="none", samples=10)
    assert set(every.per_type) == {"Chemical", "Disease"}


def test_seen_is_text_and_type_in_any_case() -> None:
    gold = score().gold
    assert (gold.seen.mentions, gold.seen.accuracy) == (2, pytest.approx(1 / 2))  # breast cancer; glioma
    assert (gold.unseen.mentions, gold.unseen.accuracy) == (4, pytest.approx(2 / 4))


def test_semantic_types_are_those_of_the_gold_concepts() -> None:
    groups = score().gold.semantic_types
    assert {name: group.mentions for name, group in groups.items()} == {
        "C04": 3, "C17": 2, "C13": 2, "C10": 1, "species": 1
    }  # fmt: skip
    assert groups["C04"].accuracy == pytest.approx(2 / 3)
    assert next(iter(groups)) == "C04"


def test_mentions_without_id_and_abstentions() -> None:
    nil = score().nil
    assert nil is not None and (nil.gold_mentions, nil.predicted_mentions) == (1, 1)
    assert (nil.precision, nil.recall) == (1, 1)
    assert (
        score_linking([KNOWN[0]], [linked(KNOWN[0], *[NIL] * 3)], VOCABULARIES, known=[], train_names="none").nil
        is None
    )


def test_a_threshold_answers_the_surest() -> None:
    abstention = score(threshold=0.7).abstention
    assert abstention.answered_share == pytest.approx(4 / 6) and abstention.precision == pytest.approx(3 / 4)
    assert score().abstention.threshold is None and score().abstention.answered_share == 0
    assert abstention.curve[-1].answered_share == 1
    assert abstention.curve[-1].precision == pytest.approx(score().gold.belb.accuracy_at_1)


def test_a_worked_example_end_to_end() -> None:
    found = [
        [
            replace(LINKS[0][0]),  # right
            replace(LINKS[0][1]),  # found, linked wrongly
            replace(LINKS[0][2]),  # one id of two: wrong
            replace(LINKS[0][3]),  # annotated without an id, linked to none: right
            replace(LINKS[0][4], end=LINKS[0][4].end + 1),  # wrong border
        ],
        [replace(LINKS[1][0], link=link(OVARIAN)), LINKS[1][2]],  # right; of a type that is not linked
    ]
    scores = score(found=found).end_to_end
    assert scores is not None
    assert (scores.gold_mentions, scores.predicted_mentions) == (7, 6)
    assert (scores.precision, scores.recall) == pytest.approx((3 / 6, 3 / 7))
    assert scores.f1 == pytest.approx(2 * 3 / 13) and scores.recognition_f1 == pytest.approx(2 * 5 / 13)
    assert score().end_to_end is None


def test_a_composite_is_right_end_to_end_with_all_its_ids_alone() -> None:
    composite = document(("breast and ovarian cancer", "D001943+D010051"))
    for ids, right in (
        ((BREAST, OVARIAN), 1),
        ((OVARIAN, BREAST), 1),
        ((BREAST,), 0),
        ((BREAST, OVARIAN, ATAXIA), 0),
    ):
        entities = [linked(composite, link(*ids))]
        scores = score_linking(
            [composite], entities, VOCABULARIES, known=[], train_names="none", found=entities, samples=10
        )
        assert scores.end_to_end is not None and scores.end_to_end.f1 == right, ids


def test_the_threshold_is_from_dev_and_never_from_names_known_by_heart() -> None:
    linker = NameLinker({"breast cancer": link(BREAST), "a-t": link(FAMILIAL, score=0.6), "glioma": link(BREAST)})
    dev = document(("breast cancer", "D001943"), ("A-T", "OMIM:208900"))
    splits = {"train": KNOWN, "dev": [dev], "test": [FIRST, SECOND]}

    def measured(**changes: Any) -> LinkingScores:
        given = {"train_names": "train", "samples": 10}
        return measure_linking(linker, VOCABULARIES, splits, **(given | changes))  # type: ignore[arg-type]

    assert measured().abstention.threshold == 0.9
    assert measured().gold.belb.accuracy_at_1 == pytest.approx(1 / 6)
    assert measured().gold.seen.mentions == 3, "A-T is in dev"
    assert measured(train_names="train+dev").abstention.threshold is None
    assert measured(train_names="train+dev", calibration=linker).abstention.threshold == 0.9
    assert measured(split="dev").abstention.threshold is None
    found = mentions_of([FIRST, SECOND])
    end_to_end = measured(found=found).end_to_end
    assert end_to_end is not None and end_to_end.recognition_f1 == 1 and 0 < end_to_end.f1 < 1


MENTIONS = (
    ("Breast cancer", "D001943"),
    ("breast and ovarian cancer", "D001943|D010051"),
    ("A-T", "OMIM:208900"),
    ("tumour", "-1"),
    ("glioma", "D999999"),
    ("patients", "9606", "Species"),
)
some_ids = st.sampled_from([BREAST, OVARIAN, ATAXIA, FAMILIAL, HUMAN])
some_links = st.builds(
    lambda given, others, sure: link(*dict.fromkeys(given), others=others, score=sure),
    st.lists(some_ids, max_size=2), st.lists(some_ids, max_size=4), st.floats(0, 1),
)  # fmt: skip


@st.composite
def splits(draw: st.DrawFn) -> tuple[list[Document], list[list[Entity]]]:
    documents = [
        document(*draw(st.lists(st.sampled_from(MENTIONS), max_size=5)), name=str(number))
        for number in range(draw(st.integers(1, 3)))
    ]
    return documents, [linked(one, *[draw(some_links) for _ in one.spans]) for one in documents]


@settings(max_examples=60, deadline=None)
@given(splits(), st.floats(0, 1))
def test_what_holds_whatever_is_linked(drawn: tuple[list[Document], list[list[Entity]]], threshold: float) -> None:
    documents, links = drawn
    scores = score_linking(
        documents, links, VOCABULARIES, known=KNOWN, train_names="none", found=links, threshold=threshold, samples=20
    )
    gold, end = scores.gold, scores.end_to_end
    mentions = sum(len(one.spans) for one in documents)
    for rule in (gold.belb, gold.biosyn):
        assert rule.accuracy_at_1 <= rule.accuracy_at_5 <= rule.accuracy_at_20
        assert rule.mentions + rule.left_out == mentions
    assert gold.belb.accuracy_at_20 <= gold.coverage + 1e-9
    assert gold.seen.mentions + gold.unseen.mentions == gold.belb.mentions
    right = sum(group.accuracy * group.mentions for group in (gold.seen, gold.unseen))
    assert right == pytest.approx(gold.belb.accuracy_at_1 * gold.belb.mentions)
    per_type = scores.per_type.values()
    assert sum(one.belb.accuracy_at_1 * one.belb.mentions for one in per_type) == pytest.approx(right)
    assert end is not None and end.f1 <= end.recognition_f1 == (1 if mentions else 0)
    shares = [point.answered_share for point in scores.abstention.curve]
    assert shares == sorted(shares) and (not gold.belb.mentions or shares[-1] == 1)
    assert LinkingScores.from_json(scores.to_json().encode(), what="no scores", where="x") == scores


@settings(max_examples=40, deadline=None)
@given(splits())
def test_linking_each_mention_to_its_ids_is_perfect(drawn: tuple[list[Document], list[list[Entity]]]) -> None:
    documents, _ = drawn
    links = [
        [
            Entity(
                *span.key, 1.0, link(*VOCABULARIES[span.type].resolve(span.concept_ids)) if span.concept_ids else NIL
            )
            for span in one.spans
        ]
        for one in documents
    ]
    scores = score_linking(documents, links, VOCABULARIES, known=[], train_names="none", found=links, samples=10)
    for rule in (scores.gold.belb, scores.gold.biosyn):
        assert rule.accuracy_at_1 == (1 if rule.mentions else 0)
    assert scores.end_to_end is not None and scores.end_to_end.f1 == scores.end_to_end.recognition_f1
    assert scores.nil is None or (scores.nil.precision, scores.nil.recall) == (1, 1)


@pytest.mark.parametrize(
    ("folder", "file", "vocabulary", "type", "exact", "covered", "mentions"),
    [
        ("ncbi-disease", "NCBI_test", "medic-2012", "Disease", 0.489, 1.0, 960),
        ("bc5cdr", "BC5CDR_Test", "medic-2012", "Disease", 0.562, 0.981, 4363),
        ("bc5cdr", "BC5CDR_Test", "mesh2024-descriptors", "Chemical", 0.729, 0.905, 5342),
    ],
)
def test_exact_names_on_real_corpora(
    folder: str, file: str, vocabulary: str, type: str, exact: float, covered: float, mentions: int, shared_data: Path
) -> None:
    """Figures of a spike of 60 lines that was written apart from this package; 960 and 4,363 are BELB's counts, too."""
    concepts: dict[str, Concept] = {}
    names: dict[str, Link] = {}
    with gzip.open(shared_data / "ontologies" / f"{vocabulary}.tsv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            (name,) = normalise_concept(row["id"] if row["id"][0] in "CD" else f"OMIM:{row['id']}")
            concepts[name] = Concept(name, row["name"])
            for other in filter(None, (row.get("alternative_ids") or "").split("|")):
                (spelt,) = normalise_concept(other if other[0] in "CD" else f"OMIM:{other}")
                concepts.setdefault(spelt, concepts[name])
            for text in (row["name"], *filter(None, row["synonyms"].split("|"))):
                names.setdefault(text.lower(), link(name))
    documents = [
        replace(one, spans=tuple(replace(span, type=type) for span in one.spans if kind(span.type) == type))
        for one in read_pubtator(shared_data / "standoff" / folder / f"{file}.PubTator.gz")
    ]
    used = {type: Vocabulary(vocabulary, "1", "f" * 64, concepts.get)}
    links = NameLinker(names).link([one.text for one in documents], mentions_of(documents))
    gold = score_linking(documents, links, used, known=[], train_names="none", samples=10).gold
    assert gold.belb.mentions == mentions
    assert gold.belb.accuracy_at_1 == pytest.approx(exact, abs=5e-4)
    assert gold.coverage == pytest.approx(covered, abs=5e-4)


def kind(type: str) -> str:
    return type if type in ("Chemical", "Disease") else "Disease"
