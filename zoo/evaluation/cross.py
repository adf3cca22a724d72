"""Cross-corpus scores: every model on the test split of every corpus that annotates a type the model knows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from zoo.corpora.load import Corpus
from zoo.errors import ZooError
from zoo.evaluation.scoring import (
    SplitScore,
    check_renames,
    rename_types,
    renamed_types,
    score_predictions,
    tag_documents,
)
from zoo.modeling.windows import parse_label
from zoo.registry.schema import CorpusEntry
from zoo.tagging.tagger import Tagger

DISABLED_BIAS = -1e3
"""A head row with a bias below this is never predicted (rows of foreign types have -1e4)."""
Status = Literal["comparable", "reduced", "not comparable"]
REDUCED_NOTE = "over the types that model and corpus have in common; does not compare with others of its column"


@dataclass(frozen=True)
class Model:
    """A model to be scored.

    Attributes:
        name: Shown in the matrix: the checkpoint id, folder name or Hub id; no path of this machine.
        source: What `Tagger.load` takes.
        corpus: Corpus it was trained on, where `result.json` says so.
        entity_types: Types that `result.json` names; empty where there is none.
        members: Where that corpus joins others, these.
        languages: BCP 47 tags of that corpus, where `result.json` says so.
    """

    name: str
    source: str
    corpus: str | None = None
    entity_types: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    def was_trained_on(self, corpus: CorpusEntry) -> bool:
        """Whether it was trained on a corpus, or on all that it joins."""
        return corpus.id == self.corpus or all(part.id in (self.corpus, *self.members) for part in corpus.parts)


@dataclass(frozen=True)
class Cell:
    """One model on one corpus.

    Attributes:
        model: Name of the model.
        corpus: Id of the corpus.
        status: `comparable`: the model knows every type of the corpus; `reduced`: only some, gold and predictions are
            cut down to these; `not comparable`: none, and there is no score.
        types: Types that were scored.
        in_domain: The model was trained on this corpus.
        score: Scores on the test split.
        note: Why the pair is reduced or not comparable.
    """

    model: str
    corpus: str
    status: Status
    types: tuple[str, ...]
    in_domain: bool
    score: SplitScore | None
    note: str


@dataclass(frozen=True)
class Matrix:
    """Models x corpora, one cell each; languages are BCP 47 tags, by model and by corpus, of a model where known."""

    models: tuple[str, ...]
    corpora: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    model_languages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    corpus_languages: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def rows(self) -> list[str]:
        """Names of the models for people: with their languages, where there are several in the matrix."""
        return [self._titled(name, self.model_languages) for name in self.models]

    @property
    def columns(self) -> list[str]:
        """The same of the corpora."""
        return [self._titled(name, self.corpus_languages) for name in self.corpora]

    def _titled(self, name: str, languages: Mapping[str, Sequence[str]]) -> str:
        every = {
            tag for known in (self.model_languages, self.corpus_languages) for own in known.values() for tag in own
        }
        own = languages.get(name)
        return f"{name} ({', '.join(own)})" if own and len(every) > 1 else name

    def to_json(self) -> dict[str, Any]:
        """Every cell with its full score, as JSON-like data."""
        rows = [self.cells[model, corpus] for model in self.models for corpus in self.corpora]
        return {
            "metric": "strict span micro-F1 on the test split, as a fraction",
            "models": list(self.models),
            "corpora": list(self.corpora),
            "rows": self.rows,
            "columns": self.columns,
            "languages": {"models": dict(self.model_languages), "corpora": dict(self.corpus_languages)},
            "cells": [
                {
                    **{k: v for k, v in vars(cell).items() if k != "score"},
                    "types": list(cell.types),
                    "score": cell.score.model_dump(mode="json") if cell.score else None,
                }
                for cell in rows
            ],
        }

    def to_csv(self) -> str:
        """One row a model, one column a corpus with micro-F1 as a fraction, empty where not comparable; notes last."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["model", *self.columns, "notes"])
        for model, title in zip(self.models, self.rows, strict=True):
            cells = [self.cells[model, corpus] for corpus in self.corpora]
            notes = "; ".join(f"{cell.corpus}: {cell.note}" for cell in cells if cell.note)
            writer.writerow([title, *(f"{cell.score.micro_f1:.6f}" if cell.score else "" for cell in cells), notes])
        return text.getvalue()


def describe_model(source: str) -> Model:
    """Name a model, and read the `result.json` beside its adapter where there is one.

    Raises:
        ZooError: `result.json` is damaged.
    """
    folder = Path(source).expanduser()
    for candidate in (folder, folder.parent) if folder.is_dir() else ():
        path = candidate / "result.json"
        if not path.is_file():
            continue
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            return Model(
                result["checkpoint_id"],
                source,
                result["corpus"],
                tuple(result["entity_types"]),
                members=tuple(result.get("scores", {}).get("members", ())),
                languages=tuple(result.get("corpus_record", {}).get("languages", ())),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ZooError(
                f"cannot read the result of this model: {type(error).__name__}: {error}",
                where=path,
                fix="build the checkpoint again",
            ) from None
    return Model(folder.resolve().name if folder.is_dir() else source, source)


def predictable_types(tagger: Tagger, recorded: Sequence[str] = ()) -> tuple[str, ...]:
    """Types that a model can predict: those of its labels, without those that each of its heads switches off.

    Args:
        tagger: The model.
        recorded: Types that `result.json` names; taken where the head cannot be read.
    """
    from zoo.modeling.classifier import classifier

    try:
        with tagger.base.using(*(member.adapter for member in tagger.heads)) as (model, names):
            biases = [classifier(model, name).bias for name in names]
        rows: list[list[float] | None] = [None if bias is None else bias.tolist() for bias in biases]
    except ZooError:
        if recorded:
            return tuple(recorded)
        rows = [None]
    live = [i for i in range(len(tagger.labels)) if any(row is None or row[i] > DISABLED_BIAS for row in rows)]
    return tuple(dict.fromkeys(name for index in live if (name := parse_label(tagger.labels[index])[1])))


def score_pair(
    model: Model,
    known: Sequence[str],
    tagger: Tagger,
    corpus: Corpus,
    *,
    mapping: Mapping[str, str] | None = None,
    samples: int = 10_000,
) -> Cell:
    """Score a model on a corpus over the types they have in common; predictions of other types are dropped.

    Args:
        model: The model.
        known: Types that it can predict, before renaming.
        tagger: The model, loaded.
        corpus: The corpus; its test split is scored.
        mapping: Renames predicted types, those that the corpus annotates excepted.
        samples: Bootstrap resamples of the interval.
    """
    entry = corpus.entry
    mapping = {old: new for old, new in (mapping or {}).items() if old not in entry.entity_types}
    renamed = renamed_types(known, mapping)
    common = tuple(name for name in entry.entity_types if name in renamed)
    unknown = [name for name in entry.entity_types if name not in renamed]
    in_domain = model.was_trained_on(entry)
    if not common:
        finds = ", ".join(sorted(renamed)) or "nothing"
        note = f"not comparable: the corpus annotates {', '.join(unknown)}, the model finds {finds}"
        return Cell(model.name, entry.id, "not comparable", (), in_domain, None, note)
    documents = [
        replace(document, spans=tuple(span for span in document.spans if span.type in common))
        for document in corpus.splits["test"]
    ]
    predictions = [
        [entity for entity in entities if entity.type in common]
        for entities in rename_types(tag_documents(tagger, documents), mapping)
    ]
    score = score_predictions(documents, predictions, samples=samples)
    note = f"over {', '.join(common)} alone: the model does not know {', '.join(unknown)}" if unknown else ""
    return Cell(model.name, entry.id, "reduced" if unknown else "comparable", common, in_domain, score, note)


def cross(
    sources: Sequence[str],
    corpora: Sequence[Corpus],
    *,
    mapping: Mapping[str, str] | None = None,
    samples: int = 10_000,
    progress: Callable[[str, str], None] | None = None,
) -> Matrix:
    """Score every model on every corpus; one model is in memory at a time.

    Args:
        sources: Checkpoint folders, adapters, model folders or Hub ids.
        corpora: Corpora, read already.
        mapping: Renames predicted types (`{"Protein": "Gene"}` lets a protein model be scored on genes); on a corpus
            that annotates a type by its own name it keeps that.
        samples: Bootstrap resamples of each interval.
        progress: Called with the names of model and corpus before each pair.

    Raises:
        ZooError: A model cannot be loaded, two models have one name, or no model predicts a type that is renamed.
    """
    models = [describe_model(source) for source in sources]
    names = [model.name for model in models]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated:
        raise ZooError(f"two models have the name {repeated!r}", fix="name each model once; rename one of the folders")
    if mapping:  # before hours of scoring
        types = [name for m in models for name in predictable_types(Tagger.load(m.source), m.entity_types)]
        check_renames(mapping, types)
    cells: dict[tuple[str, str], Cell] = {}
    for model in models:
        tagger = Tagger.load(model.source)
        known = predictable_types(tagger, model.entity_types)
        for corpus in corpora:
            if progress:
                progress(model.name, corpus.entry.id)
            cells[model.name, corpus.entry.id] = score_pair(
                model, known, tagger, corpus, mapping=mapping, samples=samples
            )
    spoken = {corpus.entry.id: corpus.entry.languages for corpus in corpora}
    return Matrix(
        tuple(names),
        tuple(spoken),
        cells,
        # results of before the field say no languages: those of its corpus, if that is here
        {model.name: model.languages or spoken.get(model.corpus or "", ()) for model in models},
        spoken,
    )


def heat_map(matrix: Matrix) -> bytes:
    """The matrix as a PNG: F1 in points, empty where not comparable, framed where a model was trained on the corpus."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows, columns = len(matrix.models), len(matrix.corpora)
    figure = Figure(figsize=(3.4 + 0.95 * columns, 2.2 + 0.45 * rows), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    scores = [[matrix.cells[model, corpus].score for corpus in matrix.corpora] for model in matrix.models]
    values = [[100 * score.micro_f1 if score else float("nan") for score in row] for row in scores]
    image = axes.imshow(values, cmap="cividis", vmin=0, vmax=100, aspect="auto")  # readable without colour vision
    figure.colorbar(image, ax=axes, label="strict micro-F1")
    axes.set_xticks(range(columns), matrix.columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(rows), matrix.rows)
    axes.set_xlabel("test split of")
    axes.set_xticks([column - 0.5 for column in range(1, columns)], minor=True)
    axes.set_yticks([row - 0.5 for row in range(1, rows)], minor=True)
    axes.grid(which="minor", color="#c8c8c8", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    footnotes = []
    for row, model in enumerate(matrix.models):
        for column, corpus in enumerate(matrix.corpora):
            cell = matrix.cells[model, corpus]
            if cell.score:
                text = f"{100 * cell.score.micro_f1:.1f}{'*' if cell.status == 'reduced' else ''}"
                colour = "black" if cell.score.micro_f1 > 0.55 else "white"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
            if cell.in_domain:
                frame = Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor="#d55e00", linewidth=2)
                axes.add_patch(frame)
    cells = matrix.cells.values()
    if any(cell.in_domain for cell in cells):
        footnotes.append("framed: trained on this corpus")
    if any(cell.status == "reduced" for cell in cells):
        footnotes.append(f"* {REDUCED_NOTE}")
    if any(cell.status == "not comparable" for cell in cells):
        footnotes.append("empty: no type in common")
    figure.supxlabel("\n".join(footnotes), fontsize=8, x=0.01, ha="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
