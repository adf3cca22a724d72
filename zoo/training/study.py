"""A whole search: trials, the best of them trained again, what was found, and plots of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from zoo.energy import Energy
from zoo.errors import ZooError
from zoo.evaluation.result import Confirmed
from zoo.records import Record
from zoo.registry.recipes import Recipe
from zoo.training.confirmation import Repeat, confirm, ranked
from zoo.training.space import decoded
from zoo.training.tune import Train, TuneProgress, open_study, work_on

if TYPE_CHECKING:
    import optuna


class Trial(Record):
    """One trial of a finished study."""

    number: int
    state: str = Field(description="complete, pruned or failed")
    values: dict[str, Any] = Field(description="dotted path of the recipe -> value")
    dev_micro_f1: float | None = Field(description="best epoch; of a pruned trial, so far")
    epochs: int
    seconds: float
    energy: Energy | None


class StudySummary(Record):
    """What a search found."""

    trials: list[Trial]
    best_trial: int = Field(description="what was chosen: of trials trained again that with the best mean")
    best_values: dict[str, Any]
    best_dev_micro_f1: float = Field(description="of the chosen trial's own training")
    recipe_dev_micro_f1: float | None = Field(description="of trial 0, the recipe as it stood before the search")
    importances: dict[str, float] = Field(description="PED-ANOVA; empty where there are too few trials")
    confirmed: list[Confirmed] = Field(
        default_factory=list, description="trials whose values were trained again, the chosen one first"
    )
    seconds: float = Field(description="sum over trials and repeats")
    energy: Energy | None


def search(
    folder: Path,
    recipe: Recipe,
    train: Train,
    *,
    country: str | None,
    alone: bool = True,
    progress: TuneProgress | None = None,
) -> StudySummary:
    """Work on a study until its budget is spent, train its best trials again with other seeds, and sum it up.

    Args:
        folder: Where journal and states of running trials are kept; a study that is there is gone on with.
        recipe: Values of everything that is not searched; trial 0 is the recipe itself.
        train: Trains one trial.
        country: Validated ISO 3166 alpha-3 code, or None for the world average.
        alone: Whether nothing else is built on this machine at the same time (for the energy).
        progress: Callbacks.

    Raises:
        ZooError: The search space holds what the recipe may not have, or no trial was completed.
    """
    given: dict[str, Any] = {"country": country, "alone": alone, "progress": progress}
    study = work_on(folder, recipe, train, **given)
    return summarize(study, recipe, confirm(folder, study, recipe, train, **given))


def summarize(study: optuna.Study, recipe: Recipe, repeats: Sequence[Repeat] = ()) -> StudySummary:
    """Trials, best values and importances of a study; the best are those with the best mean where some were repeated.

    Raises:
        ZooError: No trial was completed.
    """
    from optuna.trial import TrialState

    trials = []
    for frozen in study.get_trials(deepcopy=False):
        if not frozen.state.is_finished():
            continue
        reported = frozen.intermediate_values
        energies = [Energy.model_validate_json(text) for text in frozen.user_attrs.get("energies", [])]
        trials.append(
            Trial(
                number=frozen.number,
                state={"FAIL": "failed"}.get(frozen.state.name, frozen.state.name.lower()),
                values={path: decoded(value) for path, value in frozen.params.items()},
                dev_micro_f1=max(reported.values(), default=None),
                epochs=len(reported),
                seconds=float(frozen.user_attrs.get("seconds", 0.0)),
                energy=Energy.total(energies),
            )
        )
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        errors = {t.user_attrs["error"] for t in study.get_trials(deepcopy=False) if "error" in t.user_attrs}
        raise ZooError(
            "no trial of the search was completed" + (f": {sorted(errors)[0]}" if errors else ""),
            where="tune",
            fix="narrow tune.space, or give tune.trials and tune.minutes more room",
        )
    confirmed = ranked(study, recipe, repeats)
    best = min(complete, key=lambda trial: (-float(trial.value or 0.0), trial.number))
    if confirmed:
        best = study.trials[confirmed[0].trial]
    first = next((t.dev_micro_f1 for t in trials if t.number == 0 and t.state == "complete"), None)
    return StudySummary(
        trials=trials,
        best_trial=best.number,
        best_values={path: decoded(value) for path, value in best.params.items()},
        best_dev_micro_f1=float(best.value or 0.0),
        recipe_dev_micro_f1=first,
        importances=_importances(study, len(complete)),
        confirmed=confirmed,
        seconds=sum(t.seconds for t in trials) + sum(repeat.seconds for repeat in repeats),
        energy=Energy.total([*(t.energy for t in trials if t.energy), *(e for r in repeats for e in r.energies)]),
    )


def _importances(study: optuna.Study, completed: int) -> dict[str, float]:
    """Share of the variance that each value explains (PED-ANOVA, arXiv 2304.10255)."""
    import warnings

    import optuna

    if completed < 5:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
    except (ValueError, RuntimeError):  # all values alike
        return {}
    return {path: float(share) for path, share in found.items()}


def plot_study(folder: Path, destination: Path, recipe: Recipe, confirmed: Sequence[Confirmed] = ()) -> list[str]:
    """Write history, importances, parallel coordinates and repeats of a study as HTML and PNG; names of the files."""
    import warnings

    os.environ.setdefault("MPLBACKEND", "Agg")
    import matplotlib.pyplot as plt
    import optuna.visualization as interactive
    import optuna.visualization.matplotlib as static

    study = open_study(folder, recipe)
    drawn = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental marks of the plots
        for name in ("optimization_history", "param_importances", "parallel_coordinate"):
            if name == "param_importances" and not _importances(study, len(study.trials)):
                continue
            getattr(interactive, f"plot_{name}")(study).write_html(destination / f"{name}.html", include_plotlyjs=True)
            getattr(static, f"plot_{name}")(study)
            plt.savefig(destination / f"{name}.png", dpi=120, bbox_inches="tight")
            plt.close("all")
            drawn += [f"{name}.html", f"{name}.png"]
    return [*drawn, *_plot_confirmed(destination, confirmed)] if confirmed else drawn


def _plot_confirmed(destination: Path, confirmed: Sequence[Confirmed]) -> list[str]:
    """Dev F1 by seed, mean and standard deviation of what was trained again."""
    import matplotlib.pyplot as plt
    import plotly.graph_objects as go

    names = [f"trial {each.trial}" + (" (recipe)" if not each.trial else "") for each in confirmed]
    title, means = "dev F1 by seed; mean and standard deviation", [each.mean for each in confirmed]
    deviations = [each.std for each in confirmed]
    dots = [(name, value) for name, each in zip(names, confirmed, strict=True) for value in each.dev_micro_f1]
    figure = go.Figure(layout={"title": title, "showlegend": False})
    figure.add_scatter(x=names, y=means, error_y={"array": deviations}, mode="markers", marker={"size": 12})
    figure.add_scatter(x=[name for name, _ in dots], y=[value for _, value in dots], mode="markers")
    figure.write_html(destination / "confirmed.html", include_plotlyjs=True)
    plt.errorbar(names, means, deviations, fmt="o", capsize=4)
    plt.plot([name for name, _ in dots], [value for _, value in dots], "x")
    plt.title(title)
    plt.savefig(destination / "confirmed.png", dpi=120, bbox_inches="tight")
    plt.close("all")
    return ["confirmed.html", "confirmed.png"]
