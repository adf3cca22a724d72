"""What stands in the way of a build: inputs that are neither on this machine nor to be fetched. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from zoo.corpora.sources import availability
from zoo.errors import ZooError
from zoo.passages.load import find_passages
from zoo.pipeline.context import Context
from zoo.pipeline.plan import Plan, Status
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages import stage_kind
from zoo.pipeline.stages.dapt import KIND as DAPT
from zoo.pipeline.stages.dapt import passage_entries, test_corpora
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.schema import Backbone, CorpusEntry


def obstacles(plan: Plan, statuses: Sequence[Status], context: Context) -> dict[str, list[str]]:
    """Each obstacle once -> ids of the checkpoints that it stops.

    Args:
        plan: The plan.
        statuses: Of its stages.
        context: Where inputs are looked for.
    """
    found: dict[str, list[str]] = {}
    for name, error in plan.unreadable.items():
        found.setdefault(error.what, []).append(name)
    missing = {status.stage.fingerprint for status in statuses if status.state != "cached"}
    inputs = _Inputs(context)
    for name in plan.last:
        stages = {stage.fingerprint: stage for stage in plan.of(name) if stage.fingerprint in missing}
        for what in dict.fromkeys(what for stage in stages.values() for what in inputs.missing(stage)):
            found.setdefault(what, []).append(name)
    return found


class _Inputs:
    """Looks for inputs, for each once."""

    def __init__(self, context: Context) -> None:
        self._context, self._known = context, dict[str, str | None]()
        self._offline = context.settings.offline

    def missing(self, stage: Stage) -> Iterator[str]:
        """What a stage reads beside artefacts, and cannot."""
        looked = list(self._of(stage))
        yield from (what for what in looked if what)

    def _of(self, stage: Stage) -> Iterator[str | None]:
        checkpoint, context = stage.checkpoint, self._context
        serves = stage_kind(stage.kind).serves
        if serves == "checkpoint":
            yield self._corpus(checkpoint.corpus)
        if serves != "backbone":
            return  # an ontology that cannot be had stops nothing: no stage is planned for it
        backbone = checkpoint.backbone
        yield self._once(f"backbones/{backbone.id}", lambda: self._look_for_backbone(backbone))
        if stage.kind == DAPT.name:
            for entry in passage_entries(checkpoint.recipe.dapt, context):
                yield self._passages(entry)
            for corpus in test_corpora(checkpoint.recipe.dapt, context):
                yield self._corpus(corpus)

    def _corpus(self, entry: CorpusEntry) -> str | None:
        return self._once(f"corpora/{entry.id}", lambda: self._look_for_corpus(entry))

    def _passages(self, entry: PassageEntry) -> str | None:
        return self._once(f"passages/{entry.id}", lambda: self._look_for_passages(entry))

    def _once(self, name: str, look: Callable[[], str | None]) -> str | None:
        if name not in self._known:
            try:
                self._known[name] = look()
            except ZooError as error:
                self._known[name] = error.what + (f" ({error.where})" if error.where else "")
        return self._known[name]

    def _look_for_backbone(self, backbone: Backbone) -> str | None:
        if self._offline or backbone.package or backbone.path:
            self._context.backbone(backbone)
        return None

    def _look_for_corpus(self, entry: CorpusEntry) -> str | None:
        context = self._context
        place = availability(entry, context.registry.folders, context.settings.corpora, cache=context.settings.cache)
        if place in ("to fetch", "no source"):
            return self._absent("corpus", entry.id, place)
        if not all(info.fingerprint for info in entry.splits.values()) or not entry.splits:
            context.corpus(entry)
        return None

    def _look_for_passages(self, entry: PassageEntry) -> str | None:
        context = self._context
        if find_passages(entry, context.registry.folders[f"passages/{entry.id}"], context.settings.passages):
            return None
        return self._absent("passages", entry.id, "to fetch" if entry.remote else "no source")

    def _absent(self, kind: str, name: str, place: str) -> str | None:
        if place == "to fetch" and not self._offline:
            return None
        offline = ", and this machine is offline" if self._offline else ""
        return f"the {kind} {name} {'are' if kind == 'passages' else 'is'} not on this machine ({place}{offline})"
