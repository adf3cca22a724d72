"""The scores of a checkpoint's linker on test: of gold mentions, and end to end of what its first adapter found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from zoo.errors import ZooError
from zoo.evaluation.linking import LinkingScores, measure_linking
from zoo.evaluation.linking_rules import Vocabulary
from zoo.evaluation.predictions import read_predictions
from zoo.linking.beside import LINKER_FOLDER
from zoo.linking.linker import Linker
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Job, Stage, StageKind, split_fingerprints
from zoo.pipeline.stages.evaluate import KIND as EVALUATE
from zoo.pipeline.stages.linker import KIND as LINKER_STAGE
from zoo.pipeline.stages.linker import by_type, concepts_fingerprint, indexes_of, open_indexes
from zoo.registry.link_recipe import LinkRecipe
from zoo.registry.loader import Checkpoint
from zoo.tagging.models import Base
from zoo.training.linker import without_dev

_DISK_BYTES = 1e5
_UNKNOWN_MENTIONS = 1_000
_TOKENS_PER_MENTION = 400
"""Twenty candidates of ten tokens, of gold mentions and of what was found."""


class LinkEvaluate(StageKind[LinkingScores]):
    """Links gold and found mentions of test, and scores the concepts."""

    name = "link-evaluate"
    code = 1
    record = LinkingScores
    record_file = "linking.json"
    default_rate = 6e-6
    flop_per_work = 2e6

    @override
    def plan(self, checkpoint: Checkpoint, context: Context) -> Stage:
        """The linking scores, with the mentions that the adapter of the first seed found.

        Raises:
            ZooError: No ontology of the checkpoint can be had, or another input.
        """
        linker, evaluate = LINKER_STAGE.plan(checkpoint, context), EVALUATE.plan(checkpoint, context)
        key = {
            "linker": linker.fingerprint,
            "evaluate": evaluate.fingerprint,
            "splits": split_fingerprints(checkpoint.corpus, context, ("train", "test")),
            "code": self.code,
        }
        needs = (evaluate, linker, *(need for need in linker.needs if need.kind == "index"))
        return Stage(self.name, checkpoint.id, key, needs, checkpoint)

    @override
    def run(self, job: Job) -> None:
        checkpoint, context, stage = job.stage.checkpoint, job.context, job.stage.inputs["linker"]
        folder, corpus = job.input("linker") / LINKER_FOLDER, context.corpus(checkpoint.corpus)
        base = Base.load(context.store.get("base", stage.key["base"]) / "model")
        indexes = open_indexes(job)
        vocabularies = {
            name: Vocabulary(
                id=ontology,
                version=indexes[ontology].info.version,
                fingerprint=concepts_fingerprint(stage, ontology),
                concept=indexes[ontology].concept,
                id_prefix=context.registry.ontology(ontology).id_prefix,
            )
            for name, ontology in stage.key["ontologies"].items()
        }
        names = checkpoint.recipe.link.train_names
        scores = measure_linking(
            Linker.load(folder, indexes, base=base),
            vocabularies,
            corpus.splits,
            train_names="train+dev" if names else "none",
            found=[line.entities for line in read_predictions(job.input("evaluate"))],
            calibration=without_dev(folder, by_type(stage, indexes), corpus.splits["train"], base) if names else None,
            described=_words(checkpoint.recipe.link),
            samples=checkpoint.recipe.evaluation.bootstrap_samples,
        )
        self.write(job.work, scores)

    @override
    def work(self, checkpoint: Checkpoint, key: Mapping[str, Any], context: Context) -> float:
        info = checkpoint.corpus.splits.get("test")
        mentions = (info and info.mentions) or _UNKNOWN_MENTIONS
        return checkpoint.backbone.parameters_million * _TOKENS_PER_MENTION * mentions

    @override
    def disk_bytes(self, stage: Stage) -> float:
        return _DISK_BYTES

    @override
    def describe(self, record: LinkingScores) -> str:
        belb, both = record.gold.belb, record.end_to_end
        end = f", end to end F1 {100 * both.f1:.2f}" if both else ""
        return f"{100 * belb.accuracy_at_1:.2f} % of gold mentions right (BELB's rule){end}"


KIND = LinkEvaluate()


@dataclass(frozen=True)
class Linking:
    """How the mentions of a checkpoint are linked.

    Attributes:
        stage: The last stage of linking; None: they are not linked.
        notes: What is not linked and why, a line each.
    """

    stage: Stage | None = None
    notes: tuple[str, ...] = ()

    def because(self, why: str) -> Linking:
        """None at all, for a reason."""
        return Linking(None, (f"not linked: {why.splitlines()[0]}",))


NOT_LINKED = Linking()


def _words(recipe: LinkRecipe) -> str:
    """What links, for people."""
    return "names, trigrams" + (" and an encoder of names on the same base" if recipe.reranker else "")


def plan_linking(checkpoint: Checkpoint, context: Context) -> Linking:
    """The linking of a checkpoint, as far as its ontologies can be had."""
    indexes, missing = indexes_of(checkpoint, context)
    notes = tuple(f"{name} is not linked: {error.what}" for name, error in missing.items())
    if not indexes:
        return Linking(None, notes)
    try:
        return Linking(KIND.plan(checkpoint, context), notes)
    except ZooError as error:
        return NOT_LINKED.because(error.what)
