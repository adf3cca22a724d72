"""Build one checkpoint: base, training, score of the shipped adapter, card."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.build.layout import Layout, new_folder
from zoo.build.progress import Reporter
from zoo.corpora.document import Document, count_mentions
from zoo.corpora.leakage import leaked_test_documents
from zoo.corpora.load import Corpus
from zoo.corpora.originals import load_test_originals
from zoo.errors import ZooError
from zoo.evaluation.memorisation import seen_unseen, without_leaked
from zoo.evaluation.raw_text import RawTextScore, score_raw_text
from zoo.evaluation.scoring import gold_keys, score_predictions, tag_documents
from zoo.evaluation.spans import count_documents
from zoo.modeling.backbones import BASE_INFO, BackboneFiles, build_base, file_sha256, read_base_info
from zoo.modeling.labels import LabelSpace
from zoo.modeling.lora import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    attach_lora,
    check_foreign_rows,
    save_adapter,
    trained_share,
)
from zoo.modeling.tagger import Tagger
from zoo.modeling.windows import Entity, aggregation_strategy, encode, unaligned_mentions
from zoo.publishing.carbon import measure
from zoo.publishing.cards import render_card
from zoo.publishing.licenses import judge
from zoo.publishing.results import CorpusRecord, Decoding, EpochRecord, Result, Scores, write_text
from zoo.registry.loader import Checkpoint
from zoo.registry.recipes import Recipe
from zoo.registry.schema import SPLITS, Family
from zoo.settings import Settings
from zoo.training.finetune import Progress, TrainingLog, finetune

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_EXAMPLES_PER_TYPE = 8
BASE_SEED = 0
"""One base serves all recipes of a backbone, whatever their seeds."""
_LIBRARIES = ("torch", "transformers", "peft", "tokenizers")
PROTOCOL = (
    "Strict entity micro-F1: predicted and gold character spans [start, end) with type, compared as sets over the "
    "whole text of every test document; decoding as transformers' pipeline with the aggregation_strategy named in "
    "`decoding`. On token-column corpora the text is the tokens joined by spaces, where this equals seqeval in strict "
    "IOB2 mode."
)


def ensure_base(
    checkpoint: Checkpoint, files: BackboneFiles, family: Family, labels: LabelSpace, layout: Layout
) -> Path:
    """Build the base of a backbone unless the one on disk was made from the same things; its absolute folder."""
    folder = layout.base(checkpoint.backbone.id).resolve()
    fingerprint = base_fingerprint(checkpoint, files, labels)
    if read_base_info(folder).get("fingerprint") != fingerprint:
        with new_folder(folder) as temporary:
            build_base(files, family, labels, checkpoint.backbone.window_tokens, temporary, BASE_SEED)
            write_text(
                temporary / BASE_INFO, json.dumps({"origin": files.origin, "fingerprint": fingerprint}, indent=2) + "\n"
            )
    return folder


def base_fingerprint(checkpoint: Checkpoint, files: BackboneFiles, labels: LabelSpace) -> str:
    """Sha256 of all that determines a base."""
    weights = {
        path.name: file_sha256(path)
        for path in sorted(files.folder.iterdir())
        if path.suffix in (".safetensors", ".bin", ".json", ".txt", ".model")
    }
    return digest([weights, labels.labels, checkpoint.backbone.window_tokens, BASE_SEED, _versions()])


def build_checkpoint(
    checkpoint: Checkpoint,
    corpus: Corpus,
    files: BackboneFiles,
    family: Family,
    labels: LabelSpace,
    *,
    settings: Settings,
    reporter: Reporter,
) -> Result:
    """Train, score and document one checkpoint; its folder appears whole at the end.

    Raises:
        ZooError: Training failed, or the adapter that was written does not compute what was trained.
    """
    layout, recipe, types = Layout(settings.out), checkpoint.recipe, corpus.entry.entity_types
    recipe = recipe.model_copy(
        update={"lora": recipe.lora.model_copy(update={"targets": recipe.lora.targets or family.lora_targets})}
    )
    reporter.stage(checkpoint.id, "base")
    base = ensure_base(checkpoint, files, family, labels, layout)
    stride = checkpoint.backbone.stride_tokens
    destination = layout.checkpoint(checkpoint.backbone.id, corpus.entry.id).resolve()
    with new_folder(destination) as folder:
        with measure(settings.country) as meter:
            from transformers import AutoTokenizer

            reporter.stage(checkpoint.id, "train")
            model = attach_lora(base, family, recipe.lora, labels, types, recipe.seed)
            share = trained_share(model)
            log = finetune(
                model,
                AutoTokenizer.from_pretrained(base),
                corpus.splits["train"],
                corpus.splits["dev"],
                labels=labels,
                entity_types=types,
                recipe=recipe.finetune,
                stride_tokens=stride,
                seed=recipe.seed,
                progress=_training_progress(checkpoint.id, reporter),
            )
            check_foreign_rows(model, labels, types)
            save_adapter(model, folder / "adapter", str(base))
            shipped = Tagger.load(folder / "adapter", stride_tokens=stride)
            _check_exact(model, shipped, corpus.splits["dev"])
            del model
            reporter.stage(checkpoint.id, "score")
            scores, predictions = _score(shipped, corpus, labels, recipe)
            raw_text, notes = _raw_text(shipped, corpus, settings, recipe)
        test = corpus.splits["test"]
        counts = count_documents(gold_keys(test), [[entity.key for entity in entities] for entities in predictions])
        write_predictions(folder / "predictions.jsonl", test, predictions)
        verdict = judge(checkpoint.backbone, corpus.entry)
        result = Result(
            checkpoint_id=checkpoint.id,
            repo_id=checkpoint.repo_id(settings.org),
            base_repo_id=f"{settings.org}/{checkpoint.backbone.id}-ner",
            backbone=checkpoint.backbone.id,
            backbone_origin=files.origin,
            corpus=corpus.entry.id,
            entity_types=list(types),
            decoding=Decoding(
                aggregation_strategy=aggregation_strategy(shipped.tokenizer),
                window_tokens=shipped.window_tokens,
                stride_tokens=shipped.stride_tokens,
            ),
            scores=scores,
            memorisation=seen_unseen(corpus.splits["train"], test, predictions),
            without_leaked=without_leaked(counts, leaked_test_documents(corpus).leaked_documents),
            raw_text=raw_text,
            notes=notes,
            protocol=PROTOCOL,
            trained_parameters=share.trained_parameters,
            trained_share=share.share,
            adapter_bytes=sum((folder / "adapter" / name).stat().st_size for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)),
            train_seconds=log.train_seconds,
            precision=log.precision,
            best_epoch=log.best_epoch,
            training=_epochs(log),
            energy=meter.energy,
            recipe=recipe.model_dump(),
            seeds=[recipe.seed],
            corpus_record=_corpus_record(corpus),
            license=verdict.spdx,
            publishable=verdict.publishable,
            versions={"zoo": version("biomedical-ner-zoo"), **_versions()},
            fingerprints={
                **{f"split_{split}": corpus.fingerprints[split] for split in SPLITS},
                "base": read_base_info(base)["fingerprint"],
                "labels": digest(labels.labels),
                "recipe": digest(recipe.model_dump()),
                "adapter": file_sha256(folder / "adapter" / ADAPTER_WEIGHTS),
            },
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        result.save(folder)
        write_text(folder / "README.md", render_card(result, checkpoint))
    return result


def digest(value: object) -> str:
    """Sha256 of a JSON-like value, key order not counting."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def write_predictions(path: Path, documents: Sequence[Document], predictions: Sequence[Sequence[Entity]]) -> None:
    """Gold and predicted spans of each document, without the text (a licence may forbid copying it)."""
    with path.open("w", encoding="utf-8") as file:
        for document, entities in zip(documents, predictions, strict=True):
            gold = [{"start": s.start, "end": s.end, "type": s.type} for s in document.spans]
            predicted = [{"start": e.start, "end": e.end, "type": e.type, "score": round(e.score, 4)} for e in entities]
            file.write(json.dumps({"id": document.id, "gold": gold, "predicted": predicted}) + "\n")


def _score(tagger: Tagger, corpus: Corpus, labels: LabelSpace, recipe: Recipe) -> tuple[Scores, list[list[Entity]]]:
    scores, predictions = {}, []
    for split, documents in ((name, corpus.splits[name]) for name in SPLITS if name != "train"):
        predictions = tag_documents(tagger, documents)
        windows = encode(
            tagger.tokenizer,
            [d.text for d in documents],
            window_tokens=tagger.window_tokens,
            stride_tokens=tagger.stride_tokens,
        )
        scores[split] = score_predictions(
            documents,
            predictions,
            samples=recipe.evaluation.bootstrap_samples,
            seed=recipe.seed,
            unaligned=unaligned_mentions(documents, windows, labels),
        )
    return Scores(**scores), predictions


def _raw_text(
    tagger: Tagger, corpus: Corpus, settings: Settings, recipe: Recipe
) -> tuple[RawTextScore | None, list[str]]:
    """The raw-text score where the corpus has original documents and they can be had; else why not."""
    if corpus.entry.originals is None:
        return None, []
    try:
        documents = load_test_originals(corpus.entry, corpus.splits["test"], settings)
    except ZooError as error:
        return None, [f"raw text not scored: {error.what}"]
    return score_raw_text(tagger, documents, samples=recipe.evaluation.bootstrap_samples, seed=recipe.seed), []


def _check_exact(trained: PreTrainedModel, shipped: Tagger, documents: Sequence[Document]) -> None:
    """What was written must compute exactly what was trained: logits differ by 0.0."""
    import torch

    from zoo.modeling.tagger import forward

    windows = encode(
        shipped.tokenizer,
        [d.text for d in documents[:8]],
        window_tokens=shipped.window_tokens,
        stride_tokens=shipped.stride_tokens,
    )[:8]
    pad_id = int(shipped.tokenizer.pad_token_id or 0)
    with torch.inference_mode():
        difference = (forward(trained, windows, pad_id) - forward(shipped.model, windows, pad_id)).abs().max().item()
    if difference != 0.0:
        raise ZooError(
            f"the adapter on disk differs from the trained model by {difference:.3g} in its logits",
            fix="check head_modules of the backbone's family",
        )


def _training_progress(checkpoint_id: str, reporter: Reporter) -> Progress:
    return Progress(
        on_start=lambda steps: reporter.steps(checkpoint_id, steps),
        on_step=lambda: reporter.step(checkpoint_id),
        on_epoch=lambda log: reporter.note(
            checkpoint_id, f"epoch {log.epoch}: loss {log.loss:.3f}, dev F1 {100 * log.dev_micro_f1:.2f}"
        ),
    )


def _corpus_record(corpus: Corpus) -> CorpusRecord:
    train = corpus.splits["train"]
    frequent: dict[str, Counter[str]] = {name: Counter() for name in corpus.entry.entity_types}
    for document in train:
        for span in document.spans:
            frequent[span.type][document.text[span.start : span.end]] += 1
    examples: Mapping[str, Sequence[str]] = corpus.entry.examples
    if not examples and corpus.entry.license.publishable:
        examples = {
            name: [text for text, _ in sorted(c.items(), key=lambda item: (-item[1], item[0]))[:_EXAMPLES_PER_TYPE]]
            for name, c in frequent.items()
        }
    return CorpusRecord(
        title=corpus.entry.title,
        unit=corpus.entry.unit,
        source=corpus.source,
        license=corpus.entry.license.spdx,
        documents={split: len(documents) for split, documents in corpus.splits.items()},
        mentions={split: count_mentions(documents) for split, documents in corpus.splits.items()},
        mentions_per_type={name: c.total() for name, c in frequent.items()},
        examples={name: list(texts) for name, texts in examples.items()},
        repairs=dict(corpus.repairs),
    )


def _epochs(log: TrainingLog) -> list[EpochRecord]:
    return [EpochRecord(**{name: getattr(epoch, name) for name in EpochRecord.model_fields}) for epoch in log.epochs]


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}
