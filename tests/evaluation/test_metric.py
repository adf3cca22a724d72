"""The metric class equals our own span functions, and seqeval in strict IOB2 mode."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import evaluate
import pytest
from seqeval.metrics import classification_report, f1_score
from seqeval.scheme import IOB2, Entities

from zoo.corpora.document import Document
from zoo.corpora.readers.conll import parse_tags, tags_to_spans
from zoo.errors import ZooError
from zoo.evaluation.metric import StrictSpanF1, iob2_spans
from zoo.evaluation.spans import count_documents, macro_f1, per_type, span_only_f1, total

TAGS = ["O", "O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical", "B-Cell_line", "I-Cell_line"]


def random_sequences(seed: int, number: int) -> list[list[str]]:
    """Tag sequences of 1 to 12 tokens, most of them breaking the IOB2 rules somewhere."""
    rng = random.Random(seed)
    return [rng.choices(TAGS, k=rng.randint(1, 12)) for _ in range(number)]


def likely(sequences: list[list[str]], seed: int) -> list[list[str]]:
    """Predictions: the gold sequences with every fifth tag replaced."""
    rng = random.Random(seed)
    return [[rng.choice(TAGS) if rng.random() < 0.2 else tag for tag in tags] for tags in sequences]


def test_iob2_equals_seqeval_strict_on_ten_thousand_random_sequences() -> None:
    gold = random_sequences(0, 10_000)
    predicted = likely(gold, 1)
    report = classification_report(gold, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
    ours = StrictSpanF1("iob2", keep_in_memory=True).compute(predictions=predicted, references=gold)
    assert 0.2 < ours["micro_f1"] < 0.9
    assert ours["micro_f1"] == pytest.approx(report["micro avg"]["f1-score"], abs=1e-12)
    assert ours["precision"] == pytest.approx(report["micro avg"]["precision"], abs=1e-12)
    assert ours["recall"] == pytest.approx(report["micro avg"]["recall"], abs=1e-12)
    assert ours["macro_f1"] == pytest.approx(report["macro avg"]["f1-score"], abs=1e-12)
    for name, scores in ours["per_type"].items():
        theirs = report[name]
        expected = [theirs["f1-score"], theirs["precision"], theirs["recall"], theirs["support"]]
        assert [scores[k] for k in ("f1", "precision", "recall", "gold_mentions")] == pytest.approx(expected, abs=1e-12)
    # Not only the sums: every single mention of every sequence.
    for tags, entities in zip(predicted, Entities(predicted, scheme=IOB2).entities, strict=True):
        assert iob2_spans(tags) == [(e.start, e.end, e.tag) for e in entities]


def test_a_corpus_scored_by_characters_equals_seqeval_strict_where_tags_are_iob2() -> None:
    """Tags -> characters by the reader -> strict span counts, as `zoo evaluate` does, against seqeval on the tags."""
    gold = [valid(tags) for tags in random_sequences(2, 10_000)]
    predicted = [valid(tags) for tags in likely(gold, 3)]
    counts = total(count_documents(*([list(map(characters, side)) for side in (gold, predicted)])))
    assert counts.f1 == pytest.approx(f1_score(gold, predicted, mode="strict", scheme=IOB2), abs=1e-12)


def test_the_reader_repairs_a_stray_inside_tag_as_seqeval_does_by_default() -> None:
    gold, predicted = random_sequences(4, 2000), random_sequences(5, 2000)
    predicted = [(p + ["O"] * 12)[: len(g)] for g, p in zip(gold, predicted, strict=True)]
    counts = total(count_documents([characters(g) for g in gold], [characters(p) for p in predicted]))
    assert counts.f1 == pytest.approx(f1_score(gold, predicted), abs=1e-12)


def valid(tags: list[str]) -> list[str]:
    """The same tags with stray I- tags made B-."""
    fixed: list[str] = []
    for tag in tags:
        stray = tag[0] == "I" and (not fixed or fixed[-1][2:] != tag[2:])
        fixed.append("B" + tag[1:] if stray else tag)
    return fixed


def characters(tags: list[str]) -> list[tuple[int, int, str]]:
    """Character spans of tags on tokens of different lengths, joined by spaces."""
    tokens, offset = [], 0
    for index in range(len(tags)):
        tokens.append((offset, offset + 1 + index % 4))
        offset = tokens[-1][1] + 1
    return [span.key for span in Document("d", "", tuple(tags_to_spans(parse_tags(tags), tokens))).spans]


def spans(*keys: tuple[int, int, str]) -> list[dict[str, Any]]:
    return [{"start": s, "end": e, "type": t} for s, e, t in keys]


def random_documents(seed: int, number: int) -> list[list[tuple[int, int, str]]]:
    rng = random.Random(seed)
    documents = []
    for _ in range(number):
        starts = [rng.randrange(20) for _ in range(rng.randrange(5))]
        documents.append([(s, s + rng.randint(1, 3), rng.choice("ABC")) for s in starts])
    return documents


@pytest.mark.parametrize("batches", [1, 7])
def test_spans_config_equals_our_functions(batches: int) -> None:
    gold, predicted = random_documents(1, 210), random_documents(2, 210)
    metric = StrictSpanF1(keep_in_memory=True)
    size = len(gold) // batches
    for start in range(0, len(gold), size):
        metric.add_batch(
            predictions=[spans(*keys) for keys in predicted[start : start + size]],
            references=[spans(*keys) for keys in gold[start : start + size]],
        )
    found = metric.compute()
    overall, by_type = total(count_documents(gold, predicted)), per_type(gold, predicted)
    assert found["micro_f1"] == overall.f1 > 0
    assert (found["precision"], found["recall"]) == (overall.precision, overall.recall)
    assert (found["macro_f1"], found["span_only_f1"]) == (macro_f1(by_type), span_only_f1(gold, predicted))
    assert found["per_type"]["A"]["gold_mentions"] == by_type["A"].tp + by_type["A"].fn
    assert json.loads(json.dumps(found)) == found
    assert all(type(found[name]) is float for name in ("micro_f1", "precision", "recall", "macro_f1", "span_only_f1"))


def test_it_works_on_disk_offline_in_combination_and_again(tmp_path: Path) -> None:
    metric = StrictSpanF1(cache_dir=str(tmp_path))
    gold, predicted = [spans((0, 4, "A")), []], [spans((0, 4, "B")), []]
    for _ in range(2):
        assert metric.compute(predictions=predicted, references=gold)["span_only_f1"] == 1.0
    other = StrictSpanF1(keep_in_memory=True)
    both = evaluate.combine({"first": metric, "second": other}).compute(predictions=predicted, references=gold)
    assert both["first_micro_f1"] == both["second_micro_f1"] == 0.0
    metric.add(prediction=gold[0], reference=gold[0])
    assert metric.compute()["micro_f1"] == 1.0


@pytest.mark.parametrize(("gold", "predicted"), [([], []), ([[]], [[]])])
def test_nothing_scores_zero(gold: list[Any], predicted: list[Any]) -> None:
    found = StrictSpanF1(keep_in_memory=True).compute(predictions=predicted, references=gold)
    assert found["micro_f1"] == 0.0
    assert found["per_type"] == {}


def test_bare_tags_are_one_type() -> None:
    found = StrictSpanF1("iob2", keep_in_memory=True).compute(
        predictions=[["B", "I", "O"]], references=[["B", "I", "O"]]
    )
    assert list(found["per_type"]) == ["_"]
    assert found["micro_f1"] == 1.0


@pytest.mark.parametrize(
    ("config", "document", "message"),
    [
        ("iob2", ["B-A", "E-A"], "not IOB2"),
        ("iob2", ["X"], "unknown tag"),
        ("iob2", ["O", None], "missing"),
        ("spans", spans((4, 1, "A")), "backwards"),
        ("spans", spans((-1, 1, "A")), "backwards"),
        ("spans", [{"start": 0, "end": None, "type": "A"}], "incomplete"),
    ],
)
def test_bad_input_is_one_clear_error(config: str, document: list[Any], message: str) -> None:
    with pytest.raises(ZooError, match=message):
        StrictSpanF1(config, keep_in_memory=True).compute(predictions=[document], references=[[]])


def test_unknown_config() -> None:
    with pytest.raises(ZooError, match="unknown config 'span'"):
        StrictSpanF1("span")
