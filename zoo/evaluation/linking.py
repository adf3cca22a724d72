"""Scores of linking: gold mentions by each rule apart, end to end, seen and unseen, by type, and of abstaining."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol

from pydantic import Field

from zoo.corpora.document import Document, Key
from zoo.evaluation.abstention import Abstention, NilScore, choose_threshold, score_abstention, score_nil
from zoo.evaluation.judged_links import Form, Judged, answers_of, form_of, judge, vocabulary_of
from zoo.evaluation.linking_rules import Vocabulary
from zoo.evaluation.spans import Counts, count_documents, total
from zoo.evaluation.statistics import bootstrap_interval
from zoo.modeling.windows import Entity
from zoo.records import Record
from zoo.registry.schema import SplitName

_KNOWN: tuple[SplitName, ...] = ("train", "dev")
"""Splits whose mentions count as seen."""
_MOST_SEMANTIC_TYPES = 40
TrainNames = Literal["none", "train", "train+dev"]


class VocabularyInfo(Record):
    """What mentions were linked to."""

    id: str
    version: str
    fingerprint: str = Field(description="sha256 of its concepts")


class RuleScore(Record):
    """Gold mentions by one published rule (zoo/evaluation/linking_rules.py), as fractions; figures of two rules differ.

    A linker that abstains is scored by its best candidate: systems that the rule was made for always answer.
    """

    rule: Literal["BELB", "BioSyn"]
    mentions: int = Field(ge=0, description="that are scored")
    left_out: int = Field(ge=0, description="without id; by BioSyn's rule also those with one that no concept has")
    outside: int = Field(
        ge=0, description="of those scored: no id is in the vocabulary; a name of training may have it"
    )
    accuracy_at_1: float = Field(ge=0, le=1)
    accuracy_at_5: float = Field(ge=0, le=1)
    accuracy_at_20: float = Field(ge=0, le=1)
    ci95: tuple[float, float] = Field(description="of accuracy_at_1; 95% percentile bootstrap over documents")


class GroupAccuracy(Record):
    """Accuracy at 1 of a part of the mentions, by BELB's rule, as a fraction; 0 where the part is empty."""

    mentions: int = Field(ge=0)
    accuracy: float = Field(ge=0, le=1)
    ci95: tuple[float, float] = Field(description="95% percentile bootstrap interval over documents")


class GoldMentions(Record):
    """Scores of linking the annotated mentions."""

    belb: RuleScore
    biosyn: RuleScore
    coverage: float = Field(ge=0, le=1, description="share of mentions with an id of which one is in the vocabulary")
    seen: GroupAccuracy = Field(description="mentions whose text training has as one of the same type, case-folded")
    unseen: GroupAccuracy
    semantic_types: dict[str, GroupAccuracy] = Field(
        description="by semantic type of the gold concepts, the 40 of most mentions; of MeSH's tree its first level"
    )


class EndToEnd(Record):
    """Mentions found and linked: strict micro-F1 of start, end, type and ids, as fractions.

    The ids of a mention are compared as a set: all must be there, and no other. A mention annotated without an id is
    right where it was found and linked to none. `recognition` counts the same mentions without their ids.
    """

    f1: float = Field(ge=0, le=1)
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    ci95: tuple[float, float] = Field(description="of f1; 95% percentile bootstrap over documents")
    gold_mentions: int = Field(ge=0)
    predicted_mentions: int = Field(ge=0)
    recognition_f1: float = Field(ge=0, le=1, description="strict: start, end and type")
    recognition_ci95: tuple[float, float]


class LinkingScores(Record):
    """How well mentions of some types were linked to their vocabularies."""

    split: str
    documents: int = Field(ge=0)
    vocabularies: dict[str, VocabularyInfo] = Field(description="entity type -> what it was linked to")
    train_names: TrainNames = Field(description="splits whose mentions the linker has among its names")
    linker: str = Field(default="", description="what linked, in words")
    gold: GoldMentions = Field(description="all types together")
    per_type: dict[str, GoldMentions]
    end_to_end: EndToEnd | None = Field(default=None, description="null: no mentions were recognised for it")
    abstention: Abstention
    nil: NilScore | None = Field(default=None, description="null: every gold mention has an id")


class Links(Protocol):
    """What links mentions: `Linker`, or several of them."""

    def link(self, texts: Sequence[str], entities: Sequence[Sequence[Entity]]) -> list[list[Entity]]:
        """The entities of each text, in order of their start, with their links."""


def mentions_of(documents: Sequence[Document]) -> list[list[Entity]]:
    """Gold mentions as a linker takes them."""
    return [
        [Entity(s.start, s.end, s.type, 1.0, fragments=s.fragments) for s in document.spans] for document in documents
    ]


def measure_linking(
    linker: Links,
    vocabularies: Mapping[str, Vocabulary],
    splits: Mapping[SplitName, Sequence[Document]],
    *,
    train_names: TrainNames,
    split: SplitName = "test",
    found: Sequence[Sequence[Entity]] | None = None,
    calibration: Links | None = None,
    described: str = "",
    samples: int = 10_000,
) -> LinkingScores:
    """Link a split's gold mentions, and those that a tagger found in it, and score both.

    Args:
        linker: Links them.
        vocabularies: Entity type (`*`: any other) -> what it is linked to.
        splits: Documents of each split; `train` and `dev` say what is seen, `dev` gives the threshold of abstaining.
        train_names: Splits whose mentions are among the linker's names.
        split: Which is scored.
        found: Mentions that a tagger found in it; None: nothing end to end.
        calibration: The same linker without the names of dev, to choose the threshold with; None: `linker`, or no
            threshold where it has names of dev: it would be chosen on what it knows by heart.
        described: What the linker is, in words.
        samples: Bootstrap resamples.
    """
    documents = splits[split]

    def linked(by: Links, documents: Sequence[Document], mentions: Sequence[Sequence[Entity]]) -> list[list[Entity]]:
        return by.link([document.text for document in documents], mentions)

    by = calibration or (linker if train_names != "train+dev" else None)
    threshold = None
    if by and split != "dev" and (dev := splits.get("dev")):
        threshold = choose_threshold(answers_of(judge(dev, linked(by, dev, mentions_of(dev)), vocabularies)))
    return score_linking(
        documents,
        linked(linker, documents, mentions_of(documents)),
        vocabularies,
        known=(document for name in _KNOWN if name != split for document in splits.get(name, ())),
        found=None if found is None else linked(linker, documents, found),
        threshold=threshold,
        train_names=train_names,
        split=split,
        described=described,
        samples=samples,
    )


def score_linking(
    documents: Sequence[Document],
    links: Sequence[Sequence[Entity]],
    vocabularies: Mapping[str, Vocabulary],
    *,
    known: Iterable[Document],
    train_names: TrainNames,
    found: Sequence[Sequence[Entity]] | None = None,
    threshold: float | None = None,
    split: str = "test",
    described: str = "",
    samples: int = 10_000,
) -> LinkingScores:
    """Scores of links.

    Args:
        documents: Documents whose spans have concept ids.
        links: Of each document its gold mentions, linked, in the order of its spans.
        vocabularies: Entity type (`*`: any other) -> what it is linked to; mentions of other types are not scored.
        known: Documents whose mentions count as seen: train and dev.
        train_names: Splits whose mentions are among the linker's names.
        found: Of each document the mentions that a tagger found, linked; None: nothing end to end.
        threshold: Lowest score that is answered, chosen on dev.
        split: Name of the split that the documents are.
        described: What the linker is, in words.
        samples: Bootstrap resamples.
    """
    judged = judge(documents, links, vocabularies)
    forms = {form_of(document, span.key) for document in known for span in document.spans}
    types = sorted({mention.type for mention in judged})
    nil = [not mention.gold for mention in judged]

    def gold_mentions(mentions: Sequence[Judged]) -> GoldMentions:
        return _gold_mentions(mentions, forms, len(documents), samples)

    return LinkingScores(
        split=split,
        documents=len(documents),
        vocabularies={
            name: VocabularyInfo(id=used.id, version=used.version, fingerprint=used.fingerprint)
            for name in types
            if (used := vocabulary_of(name, vocabularies))
        },
        train_names=train_names,
        linker=described,
        gold=gold_mentions(judged),
        per_type={name: gold_mentions([mention for mention in judged if mention.type == name]) for name in types},
        end_to_end=None if found is None else _end_to_end(documents, found, vocabularies, samples),
        abstention=score_abstention(answers_of(judged), threshold),
        nil=score_nil(nil, [not mention.answered for mention in judged]) if any(nil) else None,
    )


def _gold_mentions(judged: Sequence[Judged], forms: Collection[Form], documents: int, samples: int) -> GoldMentions:
    with_id = [mention for mention in judged if mention.gold]
    covered = sum(bool(mention.concepts) for mention in with_id)
    by_type: dict[str, list[Judged]] = defaultdict(list)
    for mention in with_id:
        for name in {_top(name) for concept in mention.concepts for name in concept.types}:
            by_type[name].append(mention)
    frequent = sorted(by_type, key=lambda name: (-len(by_type[name]), name))

    def group(mentions: Sequence[Judged]) -> GroupAccuracy:
        counts = _counts(mentions, documents, lambda mention: mention.place == 1)
        interval = bootstrap_interval(counts, samples=samples)
        return GroupAccuracy(mentions=len(mentions), accuracy=total(counts).f1, ci95=interval)

    return GoldMentions(
        belb=_rule("BELB", with_id, len(judged), documents, samples),
        biosyn=_rule(
            "BioSyn",
            [replace(mention, place=mention.biosyn_place) for mention in judged if mention.in_biosyn],
            len(judged),
            documents,
            samples,
        ),
        coverage=covered / len(with_id) if with_id else 0.0,
        seen=group([mention for mention in with_id if mention.form in forms]),
        unseen=group([mention for mention in with_id if mention.form not in forms]),
        semantic_types={name: group(by_type[name]) for name in frequent[:_MOST_SEMANTIC_TYPES]},
    )


def _rule(
    rule: Literal["BELB", "BioSyn"], mentions: Sequence[Judged], every: int, documents: int, samples: int
) -> RuleScore:
    def at(most: int) -> list[Counts]:
        return _counts(mentions, documents, lambda mention: mention.place is not None and mention.place <= most)

    return RuleScore(
        rule=rule,
        mentions=len(mentions),
        left_out=every - len(mentions),
        outside=sum(not mention.concepts for mention in mentions),
        accuracy_at_1=total(at(1)).f1,
        accuracy_at_5=total(at(5)).f1,
        accuracy_at_20=total(at(20)).f1,
        ci95=bootstrap_interval(at(1), samples=samples),
    )


def _counts(mentions: Iterable[Judged], documents: int, right: Callable[[Judged], bool]) -> list[Counts]:
    """Counts of each document, whose F1 is accuracy: one answer a mention, so a wrong one is a missed one too."""
    hits, misses = [0] * documents, [0] * documents
    for mention in mentions:
        (hits if right(mention) else misses)[mention.document] += 1
    return [Counts(hit, miss, miss) for hit, miss in zip(hits, misses, strict=True)]


def _top(semantic_type: str) -> str:
    """First level of a tree number of MeSH (`C04.588.180`: `C04`); another type as it is."""
    return semantic_type.partition(".")[0]


def _end_to_end(
    documents: Sequence[Document],
    found: Sequence[Sequence[Entity]],
    vocabularies: Mapping[str, Vocabulary],
    samples: int,
) -> EndToEnd:
    def keys(mentions: Iterable[tuple[Key, Collection[str]]]) -> dict[Key, set[str]]:
        """Spans and ids of mentions of types that are linked; of a span that is there twice the ids of both."""
        ids: dict[Key, set[str]] = defaultdict(set)
        for key, written in mentions:
            if vocabulary := vocabulary_of(key[2], vocabularies):
                ids[key].update(vocabulary.resolve(written))
        return ids

    gold = [keys((span.key, span.concept_ids) for span in document.spans) for document in documents]
    predicted = [keys((entity.key, entity.concept_ids) for entity in entities) for entities in found]
    spans = count_documents(gold, predicted)
    linked = count_documents(
        *([{(*k, *sorted(ids)) for k, ids in one.items()} for one in s] for s in (gold, predicted))
    )
    overall = total(linked)
    return EndToEnd(
        f1=overall.f1,
        precision=overall.precision,
        recall=overall.recall,
        ci95=bootstrap_interval(linked, samples=samples),
        gold_mentions=overall.tp + overall.fn,
        predicted_mentions=overall.tp + overall.fp,
        recognition_f1=total(spans).f1,
        recognition_ci95=bootstrap_interval(spans, samples=samples),
    )
