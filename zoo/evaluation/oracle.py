"""The score on original documents through the plain `transformers` pipeline, as a user would call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from zoo.corpora.document import Document
from zoo.evaluation.scoring import SplitScore, score_predictions
from zoo.modeling.windows import Entity, aggregation_strategy, finish, join_heads
from zoo.records import Record
from zoo.tagging.tagger import Tagger


class RawTextScore(Record):
    """Strict scores on the original running text of the test documents."""

    score: SplitScore
    pipeline_call: str = Field(description="how the predictions were made")
    differing_documents: int = Field(ge=0, description="documents in which our own decoding finds others, in one piece")


def pipeline_entities(
    tagger: Tagger, texts: Sequence[str], *, aggregation_strategy: str, stride: int
) -> list[list[Entity]]:
    """What transformers' plain pipeline finds in each text, given alone as a user would give it.

    Of several heads, what one pipeline of each finds, together.

    Args:
        tagger: The model and its tokenizer.
        texts: Texts of any length.
        aggregation_strategy: As of the pipeline.
        stride: As of the pipeline, in tokens.
    """
    from transformers import pipeline

    models: list[Any] = [head.adapter for head in tagger.heads] if len(tagger.heads) > 1 else [tagger.model]
    call: dict[str, Any] = {"aggregation_strategy": aggregation_strategy, "stride": stride}
    found: list[list[list[Entity]]] = [[] for _ in texts]
    for model in models:
        ner = pipeline("token-classification", model=model, tokenizer=tagger.tokenizer, **call)
        for text, per_head in zip(texts, found, strict=True):
            # SentencePiece lets an entity begin with the space before it: users strip it, so do we
            plain = ner(text) if text else []
            entities = [Entity(int(e["start"]), int(e["end"]), e["entity_group"], float(e["score"])) for e in plain]
            per_head.append(finish(text, [entities]))
    return [join_heads(per_head) for per_head in found]


def score_raw_text(tagger: Tagger, documents: Sequence[Document], *, samples: int, seed: int) -> RawTextScore:
    """Score the plain pipeline on whole documents, and compare it with our own decoding.

    Args:
        tagger: The model.
        documents: Original documents with gold spans.
        samples: Bootstrap resamples.
        seed: Seed of the bootstrap.
    """
    call: dict[str, Any] = {
        "aggregation_strategy": aggregation_strategy(tagger.tokenizer),
        "stride": tagger.stride_tokens,
    }
    tagger.tokenizer.model_max_length = tagger.window_tokens
    texts = [document.text for document in documents]
    predictions = pipeline_entities(tagger, texts, **call)
    ours = tagger.tag(texts)
    whole = [{entity.key for entity in found if not entity.fragments} for found in ours]
    differing = sum({e.key for e in a} != b for a, b in zip(predictions, whole, strict=True))
    score = score_predictions(documents, predictions, samples=samples, seed=seed)
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.items())
    each = ", one for each head" if len(tagger.heads) > 1 else ""
    return RawTextScore(score=score, pipeline_call=f"pipeline(..., {arguments}){each}", differing_documents=differing)
