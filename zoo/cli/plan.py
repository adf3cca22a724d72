"""`zoo plan`: what a build would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.cli.opening import choose, open_context
from zoo.cli.options import (
    AllOption,
    AsJson,
    FastOption,
    IdsArgument,
    OutOption,
    RegistryOption,
    SetOption,
    SuiteOption,
)
from zoo.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.pipeline.estimate import BackboneTotal, Estimate, Total
    from zoo.pipeline.plan import Status
    from zoo.pipeline.stage import Stage


def plan(
    ids: IdsArgument = None,
    build_all: AllOption = False,
    suite: SuiteOption = None,
    out: OutOption = None,
    settings_: SetOption = None,
    fast: FastOption = False,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Say which stages a build would run and why, and about what they take; nothing is written or fetched."""
    from zoo.energy import check_country, figures_of, grams_per_wh
    from zoo.pipeline.estimate import estimate, totals
    from zoo.pipeline.gpus import EFFICIENCY, GPUS, PAPER_EMISSIONS_G, PAPER_HOURS
    from zoo.pipeline.languages import mismatches
    from zoo.pipeline.obstacles import obstacles
    from zoo.pipeline.plan import inspect, make_plan

    context = open_context(registry, out, may_fetch=False)
    checkpoints = choose(context.registry, ids or [], build_all, suite, settings_ or [], fast=fast)
    country = check_country(context.settings.country)
    made = make_plan(checkpoints, context)
    statuses = inspect(made, context)
    estimates = estimate(statuses, context)
    warnings = mismatches(checkpoints, context.registry)
    missing = obstacles(made, statuses, context)
    sums = totals(statuses, estimates, country)
    stopped = {name for names in missing.values() for name in names}
    unlinked: dict[str, list[str]] = {}
    for name, linking in made.linking.items():
        for note in linking.notes:
            unlinked.setdefault(note, []).append(name)
    if as_json:
        print_json(
            {
                "stages": [_record(status, estimates) for status in statuses],
                "unreadable": {name: str(error) for name, error in made.unreadable.items()},
                "unlinked": unlinked,
                "obstacles": missing,
                "warnings": warnings,
                "totals": [_total_record(total) for total in sums],
                "electricity": {"of": figures_of(country), "g_per_kwh": 1000 * grams_per_wh(country)},
                "gpus": {"efficiency": EFFICIENCY, "boards": [vars(gpu) for gpu in GPUS]},
                "paper": {"hours": PAPER_HOURS, "emissions_g": PAPER_EMISSIONS_G},
            }
        )
        return
    if statuses:
        rows = [_stage_row(status, estimates) for status in statuses]
        print_table(["stage", "of", "state", "why", "about"], rows)
    if sums:
        print_table(
            ["backbone", "on", "hours", "Wh", "g CO2e", "MB of disk", "of the paper's 12 h and 1.2 kg"],
            [row for total in sums for row in _total_rows(total)],
        )
        print_line(
            f"GPUs are estimated from peak figures: {EFFICIENCY:.0%} of the board's rate, at its full power, nothing "
            "for the rest of the computer (zoo/pipeline/gpus.py). One stage after another. Electricity: "
            f"{figures_of(country)}, {1000 * grams_per_wh(country):.0f} g CO2e/kWh"
            + ("." if country else " (ZOO_COUNTRY is not set).")
        )
        print_line(
            f"The paper (arXiv 2508.01630) says under {PAPER_HOURS:g} h on one GPU and {PAPER_EMISSIONS_G / 1000:g} "
            "kg: 0.4 kW x 12 h x 242 g/kWh a session. Whether that is one model or a backbone with all its corpora it "
            "does not say; here it is the latter."
        )
    for what, names in warnings.items():
        print_line(f"warning for {_first(names)}: {what}", wrap=False)
    for what, names in missing.items():
        print_line(f"cannot build {_first(names)}: {what}", wrap=False)
    for what, names in unlinked.items():
        print_line(f"without linking, {_first(names)}: {what}", wrap=False)
    if not estimates:
        if not missing:
            print_line("everything is done; a build would do nothing")
        return
    rough = (
        ""
        if all(e.known for e in estimates.values())
        else " (rough: rates of a small machine without GPU, until each kind of stage has run here)"
    )
    seconds = _duration(sum(e.seconds for e in estimates.values()))
    print_line(
        f"{len(estimates)} of {len(statuses)} stages would run: about {seconds} with --jobs 1, "
        f"{sum(e.energy_wh for e in estimates.values()):.1f} Wh, "
        f"{sum(e.disk_bytes for e in estimates.values()) / 1e6:,.0f} MB of disk{rough}"
    )
    if stopped:
        print_line(f"{len(stopped)} of {len(checkpoints)} checkpoints wait for what is not here")


def _first(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} checkpoints, the first {names[0]}"


def _stage_row(status: Status, estimates: Mapping[str, Estimate]) -> list[str]:
    expected = estimates.get(status.stage.fingerprint)
    about = _duration(expected.seconds) if expected else ""
    return [status.stage.kind, _title(status.stage), status.state, status.reason, about]


def _title(stage: Stage) -> str:
    """What a stage is of, with its seed where there are several."""
    return stage.name if stage.seed is None else f"{stage.name}, seed {stage.seed}"


def _total_rows(total: BackboneTotal) -> Sequence[list[str]]:
    rows: list[list[str]] = []
    for name, on in total.machines.items():
        first = not rows
        rows.append(
            [
                f"{total.backbone}: {total.checkpoints} checkpoints" if first else "",
                name + (" (rough)" if first and not on.known else ""),
                f"{on.seconds / 3600:,.2f}",
                f"{on.energy_wh:,.1f}",
                f"{on.emissions_g:,.1f}",
                f"{total.disk_bytes / 1e6:,.0f}" if first else "",
                ", ".join(f"over {limit}" for limit in on.breaks) or "within",
            ]
        )
    return rows


def _total_record(total: BackboneTotal) -> dict[str, Any]:
    machines = {name: _machine_record(on) for name, on in total.machines.items()}
    return {**vars(total), "machines": machines}


def _machine_record(on: Total) -> dict[str, Any]:
    return {"hours": on.seconds / 3600, **vars(on), "over": on.breaks}


def _record(status: Status, estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    expected = estimates.get(status.stage.fingerprint)
    return {
        "kind": status.stage.kind,
        "name": status.stage.name,
        "seed": status.stage.seed,
        "fingerprint": status.stage.fingerprint,
        "known": status.stage.is_known,
        "state": status.state,
        "reason": status.reason,
        "needs": [need.fingerprint for need in status.stage.needs],
        "estimate": vars(expected) if expected else None,
    }


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
