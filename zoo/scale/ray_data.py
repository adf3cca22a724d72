"""`zoo tag --engine ray`: files are read by tasks and tagged by actors of Ray Data, a file of answers a shard."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.scale.answers import Answers, Remote
from zoo.scale.cluster import joined
from zoo.scale.shards import Cutting, Folder, Shard, grouped, packed, unpacked
from zoo.tagging.inputs import InputFile

if TYPE_CHECKING:
    import pyarrow

_READERS = 2
"""Files that are read at a time: one reader gives work to many taggers."""

_RETRIES = 3
"""A shard whose worker dies is done again so often: one that kills each would be done for ever."""
_LOST_FIX = "if memory is short, take fewer --workers or a smaller --shard; the same command goes on from there"


@dataclass(frozen=True)
class Plan:
    """What workers need.

    Attributes:
        remote: What is asked.
        cutting: How files are cut into shards.
        folder: Where the answers go.
        done: Names of the shards that are there.
    """

    remote: Remote
    cutting: Cutting
    folder: Folder
    done: frozenset[str]


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        documents: All that the folder holds answers for.
        before: Of these, the ones that were there before.
        skipped: Records without a text.
        hidden: What this run has hidden, by kind.
        made_whole: Discontinuous mentions that the format could not hold as such.
    """

    documents: int = 0
    before: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    made_whole: int = 0


def tag_shards(
    files: Sequence[InputFile],
    remote: Remote,
    cutting: Cutting,
    folder: Folder,
    *,
    address: str | None = None,
    workers: int | None = None,
    progress: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Tag files into a folder of shards; those that are there already are not done again.

    Every node needs this package, the models at the same places (or the Hub), the files and the folder.

    Args:
        files: What is tagged, in the order of the answers.
        remote: What is asked.
        cutting: How files are cut into shards.
        folder: Where the answers go.
        address: Of the cluster, as of `joined`; nobody joins it where nothing is left to do.
        workers: Actors that tag, each with a core, and a GPU where the cluster has any; None: one for each of these.
        progress: Told after each shard.

    Raises:
        ZooError: There is no cluster, a file is malformed, a model is not on a node, or the folder has answers of
            another run.
    """
    groups, digest = grouped(files)
    question = asdict(remote.question) | {"models": list(zip(remote.question.models, remote.digests, strict=True))}
    manifest = folder.begin(json.loads(json.dumps({**question, **asdict(cutting), "input": digest})))
    if manifest.documents is not None:
        return Outcome(manifest.documents, manifest.documents, Counter(manifest.skipped))
    plan = Plan(remote, cutting, folder, frozenset(folder.names()))
    outcome, names = Outcome(), set[str]()
    with joined(address) as ray:
        for report in _reports(ray, plan, groups, workers):
            if "error" in report:
                raise ZooError(**report["error"])
            outcome.documents += report.get("documents", 0)
            outcome.before += report.get("before", 0)
            outcome.skipped.update(report.get("skipped", {}))
            outcome.hidden.update(report.get("hidden", {}))
            outcome.made_whole += report.get("made_whole", 0)
            names |= {report["name"]} if "name" in report else set()
            progress(outcome)
    folder.end(manifest, outcome.documents, names, outcome.skipped)
    return outcome


def _reports(
    ray: Any,  # noqa: ANN401 - the module
    plan: Plan,
    groups: Sequence[Sequence[InputFile]],
    workers: int | None,
) -> Iterator[dict[str, Any]]:
    """What workers say of each shard, as soon as it is done."""
    import ray.data as data

    resources = ray.cluster_resources()
    gpus = float(resources.get("GPU", 0) > 0)
    workers = workers or max(1, int(resources["GPU" if gpus else "CPU"]))
    readers = data.TaskPoolStrategy(min(_READERS, len(groups)))
    actors = data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2)
    rowwise: dict[str, Any] = {"batch_size": 1, "batch_format": "pyarrow"}
    tagging = {"num_cpus": 1, "num_gpus": gpus, "compute": actors, "max_task_retries": _RETRIES}
    with _one_shard_a_block(data):
        rows = (
            data.from_items([_group(*each) for each in enumerate(groups)], override_num_blocks=len(groups))
            .map_batches(_read, **rowwise, fn_args=(plan,), num_cpus=0, compute=readers)
            .map_batches(_Worker, **rowwise, fn_constructor_args=(plan,), **tagging)
        )
        try:
            for row in rows.iter_rows():
                yield json.loads(row["report"])
        except ray.exceptions.RayError as error:
            said = str(error).strip().splitlines()[0]
            raise ZooError(f"a shard was lost {_RETRIES + 1} times: {said}", fix=_LOST_FIX) from None


@contextmanager
def _one_shard_a_block(data: Any) -> Iterator[None]:  # noqa: ANN401 - the module
    """Rows are shards: each is a piece of work of its own, whatever Ray would put together; and no bars of Ray's."""
    context = data.DataContext.get_current()
    wanted = {"target_max_block_size": 1, "enable_progress_bars": False, "print_on_execution_start": False}
    before = {name: getattr(context, name) for name in wanted}
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    for name, value in wanted.items():
        setattr(context, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)


def _group(number: int, files: Sequence[InputFile]) -> dict[str, Any]:
    return {"group": number, "files": json.dumps([asdict(file) for file in files])}


def _read(batch: pyarrow.Table, plan: Plan) -> Iterator[pyarrow.Table]:
    """A task: the shards of a group of files, those that are there already by their names alone."""
    for row in batch.to_pylist():
        skipped: Counter[str] = Counter()
        try:
            files = [InputFile(**file) for file in json.loads(row["files"])]
            for shard in plan.cutting.shards(row["group"], files, skipped):
                if shard.name in plan.done:
                    size = len(shard.texts)
                    yield _row({"name": shard.name, "documents": size, "before": size})
                else:
                    yield _row({"name": shard.name, "documents": len(shard.texts)}, packed(shard))
            yield _row({"skipped": skipped})
        except ZooError as error:
            yield _row(_error(error))


class _Worker:
    """An actor: it tags and writes shards, and reports what it did."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._answers: Answers | None = None

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        (row,) = batch.to_pylist()
        if not row["shard"]:
            return _row(json.loads(row["report"]))
        report = json.loads(row["report"])
        try:
            return _row(report | self._tag(unpacked(row["shard"])))
        except ZooError as error:
            return _row(_error(error))

    def _tag(self, shard: Shard) -> dict[str, Any]:
        if self._answers is None:
            import torch

            if not torch.cuda.is_available():
                torch.set_num_threads(1)  # the core that the actor has
            self._answers = self._plan.remote.open()
        self._answers.hidden.clear()
        made_whole = self._plan.folder.tag(shard, self._answers)
        return {"hidden": self._answers.hidden, "made_whole": made_whole}


def _row(report: dict[str, Any], shard: str = "") -> pyarrow.Table:
    import pyarrow

    return pyarrow.table({"report": [json.dumps(report)], "shard": [shard]})


def _error(error: ZooError) -> dict[str, Any]:
    return {"error": {"what": error.what, "where": error.where, "fix": error.fix}}
