"""Build many checkpoints: check everything first, then one after the other; a failure never stops the rest."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from zoo.build.layout import Layout
from zoo.build.progress import Reporter
from zoo.corpora.load import Corpus, load_corpus
from zoo.errors import ZooError
from zoo.modeling.backbones import BackboneFiles, locate_backbone
from zoo.modeling.labels import LabelSpace
from zoo.publishing.board import board_rows, write_board
from zoo.publishing.carbon import check_country
from zoo.publishing.results import Result, find_results, write_text
from zoo.registry.loader import Checkpoint, Registry
from zoo.registry.lock import LOCK_FILE, locked, read_lock
from zoo.settings import Settings

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Failure:
    """A checkpoint that was not built."""

    checkpoint_id: str
    message: str
    traceback: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run gave."""

    results: tuple[Result, ...]
    failures: tuple[Failure, ...]


@dataclass
class Inputs:
    """Corpora and backbones of a run, read and checked once; an error in their place if that failed."""

    registry: Registry
    settings: Settings

    def __post_init__(self) -> None:
        self._memory: dict[str, object] = {}

    def corpus(self, checkpoint: Checkpoint) -> Corpus:
        """The corpus of a checkpoint."""
        entry = checkpoint.corpus
        folder = self.registry.folders[f"corpora/{entry.id}"]
        return self._once(
            f"corpora/{entry.id}", lambda: load_corpus(entry, registry_folder=folder, local=self.settings.corpora)
        )

    def backbone(self, checkpoint: Checkpoint) -> BackboneFiles:
        """The files of a checkpoint's backbone, at the commit that the lock file of the current folder names."""
        key = f"backbones/{checkpoint.backbone.id}"

        def find() -> BackboneFiles:
            return locate_backbone(locked(checkpoint.backbone, read_lock(Path(LOCK_FILE))), self.registry.folders[key])

        return self._once(key, find)

    def _once(self, key: str, make: Callable[[], _Value]) -> _Value:
        if key not in self._memory:
            try:
                self._memory[key] = make()
            except ZooError as error:
                self._memory[key] = error
        value = self._memory[key]
        if isinstance(value, ZooError):
            raise value
        return value  # type: ignore[return-value]


def run(
    checkpoints: Sequence[Checkpoint], registry: Registry, settings: Settings, *, keep_going: bool, reporter: Reporter
) -> Outcome:
    """Build checkpoints and write board and failures.

    Args:
        checkpoints: What to build.
        registry: Registry they come from.
        settings: Output folder, corpora folder, country, org.
        keep_going: Treat an input that cannot be read as that checkpoint's failure; otherwise nothing starts.
        reporter: Told what happens.

    Raises:
        ZooError: The country is unknown, the output folder not writable, or (without `keep_going`) an input is bad.
    """
    check_country(settings.country)
    inputs = Inputs(registry, settings)
    if not keep_going:
        for checkpoint in checkpoints:
            inputs.corpus(checkpoint)
            inputs.backbone(checkpoint)
    layout = Layout(settings.out)
    layout.check_writable()
    labels = LabelSpace.from_entry(registry.labels)
    results: list[Result] = []
    failures: list[Failure] = []
    with reporter:
        reporter.begin(len(checkpoints))
        for checkpoint in checkpoints:
            try:
                from zoo.build.checkpoint import build_checkpoint
                from zoo.modeling.quiet import quiet_libraries

                quiet_libraries()
                result = build_checkpoint(
                    checkpoint,
                    inputs.corpus(checkpoint),
                    inputs.backbone(checkpoint),
                    registry.families[checkpoint.backbone.family],
                    labels,
                    settings=settings,
                    reporter=reporter,
                )
            except ZooError as error:
                failures.append(Failure(checkpoint.id, str(error)))
            except OSError as error:
                failures.append(
                    Failure(checkpoint.id, f"{error.strerror or error} (where: {error.filename or settings.out})")
                )
            except Exception as error:  # noqa: BLE001 - one checkpoint's bug must not stop the others; it is reported whole
                failures.append(Failure(checkpoint.id, f"{type(error).__name__}: {error}", traceback.format_exc()))
            else:
                results.append(result)
                low, high = result.scores.test.ci95
                reporter.done(
                    checkpoint.id,
                    f"test micro-F1 {100 * result.scores.test.micro_f1:.2f} [{100 * low:.2f}, {100 * high:.2f}]",
                )
                continue
            reporter.done(checkpoint.id, f"FAILED: {failures[-1].message}")
        try:
            refresh_board(settings.out)
        except ZooError as error:  # an older result beside the new ones must not spoil a run that went well
            reporter.note("board", f"not written: {error}")
    _write_failures(layout.failures, failures)
    return Outcome(tuple(results), tuple(failures))


def refresh_board(out: Path) -> list[dict[str, Any]]:
    """Write the board of everything built below `out`; its rows."""
    rows = board_rows(list(find_results(out)))
    write_board(rows, out)
    return rows


def _write_failures(path: Path, failures: Sequence[Failure]) -> None:
    if failures:
        write_text(path, json.dumps([asdict(failure) for failure in failures], indent=2) + "\n")
    else:
        path.unlink(missing_ok=True)
