"""Our score as an `evaluate.Metric`: it ships in the package, needs no Hub, and works with `evaluate.combine`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import evaluate
from datasets import Features, List, Value

from zoo.corpora.document import Key
from zoo.corpora.readers.conll import Tag, parse_tags, tags_to_spans
from zoo.errors import ZooError, did_you_mean
from zoo.evaluation.spans import count_documents, macro_f1, per_type, span_only_f1, total

CONFIGS = ("spans", "iob2")
_UNNAMED = "_"
"""Type of bare `B` and `I` tags, as seqeval calls it."""
_DESCRIPTION = """
Strict span F1: a prediction counts when start, end and type all agree with a gold mention; spans are compared as sets,
document by document, and micro-averaged.
"""
_INPUTS = """
Args:
    predictions: per document, with config "spans" a list of {"start": int, "end": int, "type": str}, offsets half-open
        [start, end); with config "iob2" a list of tags such as "B-Disease", "I-Disease", "O".
    references: the same for gold.
Returns:
    micro_f1, precision, recall, macro_f1 (unweighted mean over types), span_only_f1 (types ignored), and per_type:
    type -> f1, precision, recall, gold_mentions. All scores are fractions.
Examples:
    >>> from zoo.evaluation.metric import StrictSpanF1
    >>> metric = StrictSpanF1("iob2", keep_in_memory=True)
    >>> metric.compute(predictions=[["B-Disease", "O"]], references=[["B-Disease", "I-Disease"]])["micro_f1"]
    0.0
"""
_CITATION = """
@inproceedings{tjong-kim-sang-de-meulder-2003-introduction,
    title = "Introduction to the {C}o{NLL}-2003 Shared Task: Language-Independent Named Entity Recognition",
    author = "Tjong Kim Sang, Erik F. and De Meulder, Fien",
    booktitle = "Proceedings of {CoNLL} 2003",
    year = "2003"
}
"""


class TypeReport(TypedDict):
    """Scores of one type, as fractions."""

    f1: float
    precision: float
    recall: float
    gold_mentions: int


class StrictSpanF1(evaluate.Metric):  # type: ignore[misc]
    """Strict span F1 over documents given as spans (config `spans`, the default) or as tag sequences (config `iob2`).

    `iob2` equals seqeval with `mode="strict", scheme=IOB2`: an I- tag that continues no mention of its type makes no
    mention. (Reading a corpus is more lenient: there such a tag starts a mention and is counted as a repair.)

    Raises:
        ZooError: The config is unknown; a tag is not IOB2; a span is not `0 <= start < end`.
    """

    config_name: str

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name == "default":
            self.config_name = "spans"
        if self.config_name not in CONFIGS:
            raise ZooError(f"unknown config {self.config_name!r}", fix=did_you_mean(self.config_name, CONFIGS))
        item: Any = Value("string")
        if self.config_name == "spans":
            item = {"start": Value("int64"), "end": Value("int64"), "type": Value("string")}
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=Features({"predictions": List(item), "references": List(item)}),
        )

    def _compute(self, predictions: Sequence[Sequence[Any]], references: Sequence[Sequence[Any]]) -> dict[str, Any]:
        read = iob2_spans if self.config_name == "iob2" else _keys
        gold, predicted = [read(document) for document in references], [read(document) for document in predictions]
        overall, by_type = total(count_documents(gold, predicted)), per_type(gold, predicted)
        return {
            "micro_f1": overall.f1,
            "precision": overall.precision,
            "recall": overall.recall,
            "macro_f1": macro_f1(by_type),
            "span_only_f1": span_only_f1(gold, predicted),
            "per_type": {
                name: TypeReport(f1=c.f1, precision=c.precision, recall=c.recall, gold_mentions=c.tp + c.fn)
                for name, c in by_type.items()
            },
        }


def iob2_spans(tags: Sequence[str]) -> list[Key]:
    """Mentions of a tag sequence as strict IOB2 sees them, `[start, end)` in tokens.

    Raises:
        ZooError: A tag is not `O`, `B-<type>` or `I-<type>`.
    """
    if None in tags:
        raise ZooError("a tag is missing (None)", fix="every token has a tag; outside of mentions it is O")
    parsed = parse_tags(tags, default_type=_UNNAMED)
    strict: list[Tag] = []
    for index, (prefix, name) in enumerate(parsed):
        if prefix not in "BIO":
            raise ZooError(f"the tag {tags[index]!r} is not IOB2", fix="tags are O, B-<type>, I-<type>")
        # What came before is already strict: an I- of the same type there is itself part of a mention.
        continues = prefix == "I" and strict and strict[-1] in (("B", name), ("I", name))
        strict.append((prefix, name) if prefix == "B" or continues else ("O", ""))
    return [span.key for span in tags_to_spans(strict, [(index, index + 1) for index in range(len(tags))])]


def _keys(spans: Sequence[Mapping[str, Any]]) -> list[Key]:
    for span in spans:
        if None in (span["start"], span["end"], span["type"]) or not 0 <= span["start"] < span["end"]:
            raise ZooError(
                f"the span [{span['start']}, {span['end']}) of type {span['type']!r} is empty, backwards or incomplete",
                fix="offsets are half-open [start, end), 0 <= start < end",
            )
    return [(int(span["start"]), int(span["end"]), str(span["type"])) for span in spans]
