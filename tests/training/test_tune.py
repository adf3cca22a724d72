"""The search: seeded, pruned, shared, killed and gone on with; its trials are real trainings of a tiny model."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.training.conftest import Tiny, recipe, sentences
from zoo.errors import ZooError
from zoo.evaluation.result import EpochRecord
from zoo.registry.recipes import Recipe, with_values
from zoo.training.finetune import TrainingLog
from zoo.training.space import widened
from zoo.training.study import StudySummary, plot_study, search
from zoo.training.tune import JOURNAL, TuneProgress, open_study

SPACE = {
    "finetune.learning_rate": {"low": 1e-4, "high": 5e-2, "log": True},
    "lora.rank": {"choices": [2, 4, 8]},
    "finetune.batch_size": {"low": 2, "high": 6, "integer": True},
    "lora.targets": {"choices": [["query"], ["query", "value"]]},
}


class Stopped(BaseException):
    """As a kill: nobody catches it."""


def tune_recipe(**values: Any) -> Recipe:
    """A search of five trials of two epochs, of which two are drawn at random."""
    given = {"tune.trials": 5, "tune.startup_trials": 2, "tune.prune_after_epochs": 5, "tune.space": SPACE}
    given["tune.confirm_seeds"] = 0  # tests/training/test_confirmation.py
    own = recipe(epochs=2, join_sentences=0.0).model_dump()
    plain = Recipe.model_validate({**own, "lora": {**own["lora"], "targets": ["query"]}})
    return with_values(plain, {**given, **values}, where="tests")


@dataclass
class Work:
    """Trains trials as a build does, and keeps what it heard."""

    tiny: Tiny
    on_log: Callable[[int, EpochRecord], None] = lambda number, log: None
    epochs: list[tuple[int, int]] = field(default_factory=list)
    steps: Counter[int] = field(default_factory=Counter)
    started: list[int] = field(default_factory=list)
    returned: dict[int, TrainingLog] = field(default_factory=dict)
    results: list[tuple[int, str, float | None]] = field(default_factory=list)
    values: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def train(
        self, number: int, tried: Recipe, snapshot: Path, after_epoch: Callable[[EpochRecord], None]
    ) -> TrainingLog:
        from zoo.training.finetune import Progress

        def heard(log: EpochRecord) -> None:
            self.on_log(number, log)
            after_epoch(log)
            self.epochs.append((number, log.epoch))

        def step() -> None:
            self.steps[number] += 1

        self.started.append(number)
        progress = Progress(on_epoch=heard, on_step=step)
        _, log = self.tiny.train(tried, snapshot=snapshot, progress=progress, train=sentences(1))
        self.returned[number] = log
        return log

    def search(self, folder: Path, wanted: Recipe) -> StudySummary:
        progress = TuneProgress(
            on_trial=lambda number, values: self.values.update({number: values}),
            on_result=lambda *result: self.results.append(result),
        )
        return search(folder, wanted, self.train, country="DEU", progress=progress)


def timeless(summary: StudySummary) -> dict[str, Any]:
    """A summary without what differs from run to run: seconds and energy."""
    data = summary.model_dump(exclude={"seconds", "energy"})
    return {**data, "trials": [{k: v for k, v in t.items() if k not in ("seconds", "energy")} for t in data["trials"]]}


@pytest.fixture(scope="module")
def undisturbed(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudySummary, Work]:
    work, folder = Work(tiny), tmp_path_factory.mktemp("undisturbed")
    return folder, work.search(folder, tune_recipe()), work


Study = tuple[Path, StudySummary, Work]


def test_a_seed_decides_the_search(undisturbed: Study, tiny: Tiny, tmp_path: Path) -> None:
    summary = undisturbed[1]
    assert timeless(Work(tiny).search(tmp_path / "same", tune_recipe())) == timeless(summary)
    other = Work(tiny).search(tmp_path / "other", tune_recipe(seed=14, **{"tune.trials": 2}))
    assert other.trials[0].values == summary.trials[0].values, "the first is the recipe"
    assert other.trials[1].values != summary.trials[1].values


def test_the_summary_tells_what_happened(undisturbed: Study) -> None:
    _, summary, work = undisturbed
    assert [t.number for t in summary.trials] == work.started == list(range(5))
    assert summary.trials[0].values == {
        "finetune.learning_rate": 1e-2,
        "lora.rank": 4,
        "finetune.batch_size": 4,
        "lora.targets": ["query"],
    }
    best = summary.trials[summary.best_trial]
    assert summary.best_values == best.values == dict(work.values[best.number])
    found = {number: log.best_dev_micro_f1 for number, log in work.returned.items()}
    assert {t.number: t.dev_micro_f1 for t in summary.trials} == found
    assert summary.best_dev_micro_f1 == max(found.values()) == found[summary.best_trial]
    assert summary.recipe_dev_micro_f1 == found[0]
    assert work.results == [(t.number, "complete", t.dev_micro_f1) for t in summary.trials]
    assert all(t.epochs == 2 and t.seconds > 0 for t in summary.trials)
    assert summary.seconds == pytest.approx(sum(t.seconds for t in summary.trials))


def test_every_value_is_from_the_space_and_reaches_the_training(undisturbed: Study) -> None:
    summary, work = undisturbed[1:]
    for trial in summary.trials:
        values = trial.values
        assert 1e-4 <= values["finetune.learning_rate"] <= 5e-2
        assert values["lora.rank"] in (2, 4, 8) and values["finetune.batch_size"] in range(2, 7)
        assert values["lora.targets"] in (["query"], ["query", "value"])
        steps = -(-6 // values["finetune.batch_size"]) * 2
        assert work.steps[trial.number] == steps
    assert len({t.values["finetune.learning_rate"] for t in summary.trials}) == 5


def test_energy_is_summed_over_trials(undisturbed: Study) -> None:
    summary = undisturbed[1]
    energies = [t.energy for t in summary.trials]
    assert summary.energy is not None and all(e is not None and e.country == "DEU" for e in energies)
    assert summary.energy.energy_wh == pytest.approx(sum(e.energy_wh for e in energies if e))
    assert summary.energy.energy_wh > 0


def test_a_finished_study_is_not_gone_on_with(undisturbed: Study, tiny: Tiny, tmp_path: Path) -> None:
    folder, summary, _ = undisturbed
    shutil.copytree(folder, tmp_path / "copy")
    work = Work(tiny)
    assert work.search(tmp_path / "copy", tune_recipe()).model_dump() == summary.model_dump()
    assert not work.started
    more = work.search(tmp_path / "copy", tune_recipe(**{"tune.trials": 6}))
    assert work.started == [5] and timeless(more)["trials"][:5] == timeless(summary)["trials"]


@pytest.mark.parametrize("moment", ["before the first epoch", "once trained"])
def test_stopped_at_any_moment_of_a_trial_it_ends_as_if_undisturbed(
    moment: str, undisturbed: Study, tiny: Tiny, tmp_path: Path
) -> None:
    work = Work(tiny)

    def train(number: int, *rest: Any) -> TrainingLog:
        if number == 2 and moment == "before the first epoch":
            raise Stopped
        log = work.train(number, *rest)
        if number == 2 and moment == "once trained":
            raise Stopped
        return log

    with pytest.raises(Stopped):
        search(tmp_path, tune_recipe(), train, country=None)
    again = Work(tiny)
    assert timeless(again.search(tmp_path, tune_recipe())) == timeless(undisturbed[1])
    assert again.started == [2, 3, 4]
    assert again.epochs[:2] == [(2, 1), (2, 2)]
    runs = open_study(tmp_path, tune_recipe()).trials[2].user_attrs["energies"]
    assert len(runs) == (2 if moment == "once trained" else 1), "each run's energy counts from its first epoch on"


def test_of_any_first_records_of_the_journal_the_same_trial_comes(tiny: Tiny, tmp_path: Path) -> None:
    """The first records hold the study itself and trial 0, which is enqueued."""
    wanted = tune_recipe(**{"tune.trials": 1})
    whole = Work(tiny).search(tmp_path / "whole", wanted)
    records = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    for kept in range(min(7, len(records))):
        other = tmp_path / str(kept)
        other.mkdir()
        (other / JOURNAL).write_bytes(b"".join(records[:kept]))
        work = Work(tiny)
        assert timeless(work.search(other, wanted)) == timeless(whole), records[kept]
        assert work.started == [0]


WORKER = """
import sys, time
from pathlib import Path
from tests.training.conftest import Tiny
from tests.training.test_tune import RANDOM, Work, tune_recipe

folder = Path(sys.argv[2])

def wait(number, log):
    if (number, log.epoch) == (2, 2):
        (folder / "waits").touch()
        while True:
            time.sleep(1)

Work(Tiny(Path(sys.argv[1])), wait).search(folder, tune_recipe(**RANDOM))
"""
RANDOM = {"tune.startup_trials": 10}
"""What a trial tries then depends on its number alone, whichever worker ends its trials first."""


def test_two_workers_share_a_study_and_one_takes_over_from_the_killed_other(tiny: Tiny, tmp_path: Path) -> None:
    """The other worker hangs in trial 2, and is killed with -9 when this one is in trial 3, which takes 2 up then."""
    reference = Work(tiny).search(tmp_path / "undisturbed", tune_recipe(**RANDOM))
    folder = tmp_path / "shared"
    folder.mkdir()
    command = [sys.executable, "-c", WORKER, str(tiny.folder), str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as other:
        while not (folder / "waits").exists():
            assert other.poll() is None, other.stderr and other.stderr.read().decode()
            time.sleep(0.01)

        def kill(number: int, log: EpochRecord) -> None:
            if (number, log.epoch) == (3, 1):
                other.kill()
                other.wait()

        work = Work(tiny, kill)
        summary = work.search(folder, tune_recipe(**RANDOM))
    assert other.returncode == -signal.SIGKILL
    assert work.started == [3, 2, 4], "a trial was repeated or lost"
    assert work.epochs[2:4] == [(2, 1), (2, 2)] and not work.steps[2], "its snapshot held both epochs"
    assert timeless(summary) == timeless(reference)
    assert not list(folder.glob("trial-*/")), "states of finished trials are left"


def test_a_worker_that_finds_nothing_to_do_says_nothing(tiny: Tiny, tmp_path: Path) -> None:
    """The only trial is another worker's, and not done: that is no failure of the search."""
    wanted = tune_recipe(**{"tune.trials": 1})
    idle = Work(tiny)

    def meanwhile(number: int, log: EpochRecord) -> None:
        from zoo.training.tune import work_on

        work_on(tmp_path, wanted, idle.train, country=None)

    summary = Work(tiny, meanwhile).search(tmp_path, wanted)
    assert [t.number for t in summary.trials] == [0] and not idle.started


def test_a_bad_trial_is_pruned(tiny: Tiny, tmp_path: Path) -> None:
    """The first four are never pruned; a fifth that learns nothing ends below their median."""
    space = {"finetune.learning_rate": {"low": 1e-7, "high": 3e-2, "log": True}}
    wanted = tune_recipe(
        **{
            "tune.space": space,
            "tune.trials": 10,
            "tune.startup_trials": 10,
            "tune.prune_after_epochs": 1,
            "finetune.epochs": 6,
            "finetune.learning_rate": 2e-2,
        }
    )
    work = Work(tiny)
    summary = work.search(tmp_path, wanted)
    pruned = [t for t in summary.trials if t.state == "pruned"]
    assert pruned and all(t.number >= 4 and 1 <= t.epochs < 6 for t in pruned)
    assert all(t.number not in work.returned for t in pruned)
    assert {(n, "pruned", None) for n in (t.number for t in pruned)} <= set(work.results)
    assert summary.trials[summary.best_trial].state == "complete"
    rest = [t for t in summary.trials if t.state == "complete"]
    assert len(rest) + len(pruned) == 10 and all(t.epochs == 6 for t in rest)


def test_a_trial_that_ends_in_an_error_is_a_finding(tiny: Tiny, tmp_path: Path) -> None:
    """At this learning rate the loss is not finite: the search goes on."""
    space = {"finetune.learning_rate": {"choices": [1e-2, 1e25]}}
    wanted = tune_recipe(**{"tune.space": space, "tune.trials": 6, "finetune.warmup_share": 0.0})
    summary = Work(tiny).search(tmp_path, wanted)
    states = {t.values["finetune.learning_rate"]: t.state for t in summary.trials}
    assert states == {1e-2: "complete", 1e25: "failed"}
    assert summary.best_values == {"finetune.learning_rate": 1e-2}
    assert all(t.dev_micro_f1 is None and not t.epochs for t in summary.trials if t.state == "failed")


def test_a_search_without_a_complete_trial_says_why(tiny: Tiny, tmp_path: Path) -> None:
    wanted = tune_recipe(**{"tune.trials": 1, "finetune.learning_rate": 1e25, "finetune.warmup_share": 0.0})
    with pytest.raises(ZooError, match=r"no trial of the search was completed: the loss became nan in epoch"):
        Work(tiny).search(tmp_path, wanted)


def test_a_budget_in_minutes_ends_the_search(undisturbed: Study, tiny: Tiny, tmp_path: Path) -> None:
    """No trial starts once all trials have taken so long, those of earlier runs counted; the one that runs is ended."""
    folder, summary, _ = undisturbed
    for name, seconds, more in (("spent", 0.999 * summary.seconds, []), ("nearly", summary.seconds + 1e-3, [5])):
        shutil.copytree(folder, tmp_path / name)
        work = Work(tiny)
        found = work.search(tmp_path / name, tune_recipe(**{"tune.trials": 60, "tune.minutes": seconds / 60}))
        assert work.started == more
        assert [t.state for t in found.trials] == ["complete"] * (5 + len(more))


class Counted(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] += 1


def test_plots_are_written_and_not_empty(undisturbed: Study, tmp_path: Path) -> None:
    import matplotlib.image

    folder, summary, _ = undisturbed
    assert set(summary.importances) == set(SPACE) and sum(summary.importances.values()) == pytest.approx(1)
    names = plot_study(folder, tmp_path, tune_recipe())
    plots = ("optimization_history", "param_importances", "parallel_coordinate")
    assert sorted(names) == sorted(f"{name}.{kind}" for name in plots for kind in ("html", "png"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in plots:
        text = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        parser = Counted()
        parser.feed(text)
        assert parser.tags["script"] and "Plotly.newPlot" in text
        assert "https://cdn" not in text.lower().partition("plotly.newplot")[2], "it should be read without a network"
        image = matplotlib.image.imread(tmp_path / f"{name}.png")
        assert min(image.shape[:2]) > 100 and image.std() > 0.01, "a blank picture"
    coordinates = (tmp_path / "parallel_coordinate.html").read_text(encoding="utf-8")
    assert all(path[:15] in coordinates for path in SPACE), "labels are cut at some twenty letters"


def test_plots_of_a_study_of_one_trial(tiny: Tiny, tmp_path: Path) -> None:
    """There is nothing to explain yet, so no importances."""
    wanted = tune_recipe(**{"tune.trials": 1})
    assert Work(tiny).search(tmp_path / "study", wanted).importances == {}
    (tmp_path / "plots").mkdir()
    names = plot_study(tmp_path / "study", tmp_path / "plots", wanted)
    assert "optimization_history.png" in names and not any("importances" in name for name in names)


BAD_SPACES: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt path": ({"lora.rnk": {"choices": [2, 4]}}, "'lora.rnk'"),
    "a branch": ({"lora": {"choices": [2, 4]}}, "'lora'"),
    "a value that is not allowed": ({"lora.rank": {"choices": [4, 9000]}}, "lora.rank"),
    "a value of another kind": ({"finetune.batch_size": {"choices": [4, "many"]}}, "finetune.batch_size"),
    "an end that is not allowed": ({"lora.dropout": {"low": 0.0, "high": 1.5}}, "lora.dropout"),
    "fractions of whole numbers": ({"finetune.epochs": {"low": 1, "high": 4}}, "finetune.epochs"),
    "an interval of names": ({"finetune.precision": {"low": 1, "high": 4}}, "finetune.precision"),
    "an interval of lists": ({"lora.targets": {"low": 1, "high": 4}}, "lora.targets"),
    "what makes the base": ({"dapt.rank": {"choices": [2, 4]}}, "dapt.rank"),
    "the seed": ({"seed": {"low": 0, "high": 9, "integer": True}}, "seed"),
}


@pytest.mark.parametrize("case", BAD_SPACES)
def test_a_bad_space_is_one_clear_message_before_anything_is_trained(case: str, tiny: Tiny, tmp_path: Path) -> None:
    space, named = BAD_SPACES[case]
    work = Work(tiny)
    with pytest.raises(ZooError) as caught:
        work.search(tmp_path / "study", tune_recipe(**{"tune.space": space}))
    assert named in str(caught.value) and "tune.space" in str(caught.value)
    assert not work.started and not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"lora.rank": {"low": 4, "high": 2}}, "low 4 is not below high 2"),
        ({"finetune.learning_rate": {"low": 0, "high": 1, "log": True}}, "above 0"),
        ({"lora.rank": {"choices": [2]}}, "at least 2 items"),
        ({"lora.rank": {"chocies": [2, 4]}}, "chocies"),
        ({"lora.rank": [2, 4]}, "lora.rank"),
    ],
)
def test_a_space_that_is_none_is_refused_by_the_schema(space: dict[str, Any], message: str) -> None:
    with pytest.raises(ZooError, match=message):
        tune_recipe(**{"tune.space": space})


def test_the_space_is_widened_to_hold_the_recipe(tiny: Tiny) -> None:
    space = {
        "finetune.learning_rate": {"low": 0.1, "high": 0.2},
        "lora.rank": {"choices": [16, 32]},
        "lora.targets": {"choices": [["key"], ["value"]]},
        "finetune.batch_size": {"choices": [2, 4]},
    }
    wide: dict[str, Any] = dict(widened(tune_recipe(**{"tune.space": space})))
    assert (wide["finetune.learning_rate"].low, wide["finetune.learning_rate"].high) == (1e-2, 0.2)
    assert wide["lora.rank"].choices == (16, 32, 4)
    assert [list(each) for each in wide["lora.targets"].choices] == [["key"], ["value"], ["query"]]
    assert wide["finetune.batch_size"].choices == (2, 4)


def test_the_default_space_is_a_good_one(tiny: Tiny, tmp_path: Path) -> None:
    """Trial 0 is the recipe, and the second is drawn from all of the space."""
    wanted = with_values(recipe(epochs=1), {"tune.trials": 2, "tune.confirm_top": 1}, where="tests")
    summary = Work(tiny).search(tmp_path, wanted)
    assert [set(t.values) for t in summary.trials] == [set(wanted.tune.space)] * 2
    assert len(open_study(tmp_path, wanted).trials) == 2
