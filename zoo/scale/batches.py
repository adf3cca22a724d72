"""A callable for `datasets.Dataset.map`: a column of texts in, a column of their entities out."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.modeling.device import Precision
from zoo.scale.answers import Answers, Question, model_digest
from zoo.tagging.outputs.format import entity_records
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text

if TYPE_CHECKING:
    from datasets import Features

_FIELDS = {"start": "int64", "end": "int64", "type": "string", "text": "string", "score": "float64"}


class BatchTagger:
    """Finds the entities of a column; `dataset.map(tag, batched=True, features=tag.features(dataset.features))`.

    What `datasets` hashes to find an earlier result in its cache is what determines the answer: the models by their
    weights, columns and precision; whether the models are loaded makes no difference. They are loaded at the first
    batch, in the process that has it.

    Args:
        models: Checkpoint folders, adapters, model folders or Hub ids; where there are several, entities say which.
        text: Column of the texts; a missing one (None) has no entities.
        entities: Column for the entities: `[start, end)` in characters, type, text, score.
        precision: Number format, as of `Tagger.tag`.

    Raises:
        ZooError: There is no such model.
    """

    def __init__(
        self,
        models: Sequence[str],
        *,
        text: str = "text",
        entities: str = "entities",
        precision: Precision = "auto",
    ) -> None:
        self._question = Question(tuple(map(str, models)), precision)
        self._digests = tuple(map(model_digest, self._question.models))
        self._text, self._entities = text, entities
        self._answers: Answers | None = None
        self._lock = threading.Lock()

    def features(self, others: Mapping[str, Any]) -> Features:
        """The columns that `map` gives: an empty first batch alone would not tell them.

        Args:
            others: Features of the dataset.
        """
        from datasets import Features, List, Value

        names = _FIELDS | ({"model": "string"} if len(self._question.models) > 1 else {})
        return Features({**others, self._entities: List({name: Value(kind) for name, kind in names.items()})})

    def __call__(self, batch: Mapping[str, Sequence[str | None]]) -> dict[str, list[Any]]:
        """The entities of a batch.

        Raises:
            ZooError: A model cannot be loaded.
        """
        with self._lock:
            self._answers = self._answers or self._load()
        run = self._answers.run
        found = self._answers(Text("", text or "") for text in batch[self._text])
        return {self._entities: [[_flat(record) for record in entity_records(tagged, run)] for tagged in found]}

    def _load(self) -> Answers:
        workers = sys.modules.get("multiprocess")  # of `datasets`
        if workers and workers.parent_process():
            import torch

            torch.set_num_threads(1)  # one of several processes; and threads of before the fork are not there any more
        return Answers(self._question, Tagger.load_all(self._question.models))

    def __getstate__(self) -> dict[str, Any]:
        """What determines the answer, and nothing else."""
        return {key: value for key, value in self.__dict__.items() if key not in ("_answers", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= {**state, "_answers": None, "_lock": threading.Lock()}


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record without what features cannot hold."""
    return {name: value for name, value in record.items() if name in (*_FIELDS, "model")}
