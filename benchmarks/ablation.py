r"""What pre-training, LoRA and search each bring: {no DAPT, DAPT} x {LoRA, full fine-tuning} on real corpora.

    ZOO_CORPORA=DIR python benchmarks/ablation.py --corpora cll ncbi-disease species-800
    ZOO_REGISTRY=benchmarks/registry ZOO_CORPORA=DIR ZOO_PASSAGES=DIR python benchmarks/ablation.py \
        --passages biomedical-mix --corpora cll ncbi-disease species-800

Each run is kept in `benchmarks/results/ablation.json` as soon as it is done, under all that determines it: killed, the
script goes on where it was; called with other corpora or seeds, it adds to what is there. Bases come from the artefact
store of `--out`. `--search ID --trials 20` compares the recipe with the best of a search, on the same seeds.
`--report` only writes the table and the plot.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from zoo.energy import measure
from zoo.errors import ZooError
from zoo.evaluation.result import EpochRecord
from zoo.evaluation.scoring import score_predictions, tag_documents
from zoo.evaluation.statistics import mean_and_spread
from zoo.files import write_whole
from zoo.modeling.device import best_device
from zoo.modeling.heads import heads_of
from zoo.modeling.lora import attach_lora, trained_share
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.pipeline.local import LocalEngine
from zoo.pipeline.plan import chain, make_plan
from zoo.pipeline.progress import ConsoleReporter
from zoo.pipeline.schedule import Schedule
from zoo.pipeline.stage import Stage, digest, library_versions
from zoo.pipeline.stages.dapt import KIND as DAPT
from zoo.pipeline.stages.tune import KIND as TUNE
from zoo.registry.loader import Checkpoint, load_registry
from zoo.registry.recipes import Recipe, with_values
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger
from zoo.training.finetune import Progress, finetune

RESULTS = Path(__file__).parent / "results"
METHODS = ("lora", "full")
FULL_LEARNING_RATE = 2e-4
"""Of full fine-tuning, chosen beforehand, not searched: a tenth of LoRA's and less, as is usual."""


def main() -> None:
    """Run what is missing, then write table and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument("--corpora", nargs="*", default=["cll", "ncbi-disease", "species-800"])
    parser.add_argument("--passages", nargs="*", default=[], help="registry entries; none: the arms without DAPT alone")
    parser.add_argument("--seeds", nargs="*", type=int, default=[13, 14, 15])
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--set", nargs="*", default=[], metavar="PATH=VALUE", help="recipe of every arm")
    parser.add_argument("--search", metavar="CORPUS", help="also: the recipe against a search on this corpus")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("builds"))
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        _run(arguments)
    _report()


def _run(arguments: argparse.Namespace) -> None:
    from zoo.registry.recipes import parse_settings

    quiet_libraries()
    settings = replace(Settings.load(), out=arguments.out)
    context = Context(load_registry(settings.registry), settings)
    values = parse_settings(arguments.set)
    arms = {"no DAPT": (), **({"DAPT": tuple(arguments.passages)} if arguments.passages else {})}
    for corpus in arguments.corpora:
        for arm, passages in arms.items():
            recipe_values = {**values, "dapt.passages": passages, "tune.trials": 0}
            checkpoint = context.registry.checkpoint(f"{arguments.backbone}/{corpus}", recipe_values)
            for seed in arguments.seeds:
                for method in arguments.methods:
                    _one(context, checkpoint, arm, method, seed)
    if arguments.search:
        _search(context, f"{arguments.backbone}/{arguments.search}", values, arguments)


def _search(context: Context, checkpoint_id: str, values: dict[str, Any], arguments: argparse.Namespace) -> None:
    """A search on one corpus, and the best of it trained with each seed."""
    plain = context.registry.checkpoint(checkpoint_id, {**values, "dapt.passages": (), "tune.trials": 0})
    searched = context.registry.checkpoint(
        checkpoint_id, {**values, "dapt.passages": (), "tune.trials": arguments.trials}
    )
    stages = _stages(context, searched)
    _do(context, [stages["base"], stages["tune"]])
    study = TUNE.read(context.store.get("tune", stages["tune"].fingerprint))
    best = with_values(plain.recipe, study.best_values, where="search")
    for seed in arguments.seeds:
        _one(context, replace(plain, recipe=best), f"search of {len(study.trials)} trials", "lora", seed)
    _add("studies", {checkpoint_id: study.model_dump(mode="json", exclude={"trials": {"__all__": {"energy"}}})})


def _one(context: Context, checkpoint: Checkpoint, arm: str, method: str, seed: int) -> None:
    """One training, unless it is done."""
    family = context.registry.families[checkpoint.backbone.family]
    given: dict[str, Any] = {"seed": seed, "lora.targets": checkpoint.recipe.lora.targets or family.lora_targets}
    if method == "full":
        given |= {"finetune.learning_rate": FULL_LEARNING_RATE}
    recipe = with_values(checkpoint.recipe, given, where="ablation")
    base = _stages(context, checkpoint)["base"]
    key = {
        "base": base.fingerprint,
        "method": method,
        "corpus": {split: info.fingerprint for split, info in checkpoint.corpus.splits.items()},
        "recipe": recipe.model_dump(mode="json", include={"lora", "finetune", "seed"}),
        "versions": library_versions(),
    }
    name = digest(key)
    if name in _load()["runs"]:
        return
    sys.stderr.write(f"{checkpoint.id}: {arm}, {method}, seed {seed}\n")
    _do(context, [stage for kind, stage in _stages(context, checkpoint).items() if kind in ("dapt", "base")])
    folder = context.store.get("base", base.fingerprint) / "model"
    with measure(context.settings.country) as meter:
        outcome = _train(context, checkpoint, recipe, folder, method)
    entry = {
        "checkpoint_id": checkpoint.id,
        "arm": arm,
        "method": method,
        "seed": seed,
        "recipe": key["recipe"],
        "energy": meter.energy.model_dump(mode="json"),
        **outcome,
    }
    pretraining = {}
    if dapt := base.inputs.get("dapt"):
        record = DAPT.read(context.store.get("dapt", dapt.fingerprint))
        pretraining[checkpoint.backbone.id] = {
            **record.model_dump(mode="json", exclude={"losses"}),
            "energy": (energy := context.store.read("dapt", dapt.fingerprint).energy)
            and energy.model_dump(mode="json"),
        }
    _add("runs", {name: entry})
    _add("dapt", pretraining)


def _train(context: Context, checkpoint: Checkpoint, recipe: Recipe, base: Path, method: str) -> dict[str, Any]:
    from transformers import AutoTokenizer

    corpus, labels = context.corpus(checkpoint.corpus), context.labels
    heads = heads_of("flat", checkpoint.corpus.entity_types)
    family = context.registry.families[checkpoint.backbone.family]
    model: Any = attach_lora(base, family, recipe.lora, labels, heads, recipe.seed)
    if method == "full":
        model = model.merge_and_unload()  # LoRA starts at zero: the base itself, with the same head as the other arm's
        model.requires_grad_(True).to(best_device())
    share = trained_share(model)
    tokenizer = AutoTokenizer.from_pretrained(base)
    stride = checkpoint.backbone.stride_tokens
    log = finetune(
        model,
        tokenizer,
        corpus.splits["train"],
        corpus.splits["dev"],
        labels=labels,
        heads=heads,
        recipe=recipe.finetune,
        stride_tokens=stride,
        seed=recipe.seed,
        progress=Progress(on_epoch=_say),
    )
    test = corpus.splits["test"]
    predictions = tag_documents(Tagger.of(model, tokenizer, stride_tokens=stride), test)
    score = score_predictions(test, predictions, samples=2000, seed=recipe.seed)
    return {
        "dev_micro_f1": log.best_dev_micro_f1,
        "test_micro_f1": score.micro_f1,
        "test_ci95": score.ci95,
        "trained_parameters": share.trained_parameters,
        "trained_share": share.share,
        "train_seconds": log.train_seconds,
        "epochs": len(log.epochs),
        "best_epoch": log.best_epoch,
    }


def _say(log: EpochRecord) -> None:
    sys.stderr.write(f"  epoch {log.epoch}: dev F1 {100 * log.dev_micro_f1:.2f}\n")
    sys.stderr.flush()


def _stages(context: Context, checkpoint: Checkpoint) -> dict[str, Stage]:
    plan = make_plan([checkpoint], context)
    for error in plan.unreadable.values():
        raise error
    return {str(kind): stage for kind, stage in chain(plan.last[checkpoint.id]).items()}


def _do(context: Context, stages: Sequence[Stage]) -> None:
    """Run the stages that are not done."""
    from rich.console import Console

    missing = [stage for stage in stages if not context.store.has(stage.kind, stage.fingerprint)]
    schedule, reporter = Schedule(missing), ConsoleReporter(Console(stderr=True))
    with reporter:
        LocalEngine().run(schedule, context, reporter)
    for failure in schedule.failures.values():
        raise ZooError(failure.message)


def _load() -> dict[str, Any]:
    path = RESULTS / "ablation.json"
    data: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return {"runs": {}, "dapt": {}, "studies": {}, **data}


def _add(part: str, entries: dict[str, Any]) -> None:
    """Under a lock: several scripts may share the runs between them."""
    RESULTS.mkdir(exist_ok=True)
    with FileLock(RESULTS / ".ablation.lock"):
        data = _load()
        data[part] |= entries
        write_whole(RESULTS / "ablation.json", json.dumps(data, indent=1) + "\n")


def _report() -> None:
    data = _load()
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in data["runs"].values():
        groups.setdefault((run["checkpoint_id"], run["arm"], run["method"]), []).append(run)
    lines = [
        "# Ablation: pre-training, LoRA, search",
        "",
        "Made by `python benchmarks/ablation.py` (its docstring says how); strict test micro-F1 in percent, mean and",
        "standard deviation over seeds; the interval is the 95% document bootstrap of the median seed; seconds and Wh",
        "are means per training, without DAPT and search themselves. Hardware: "
        + ", ".join(sorted({r["energy"]["hardware"] for r in data["runs"].values()}))
        + ".",
        "",
        "| checkpoint | base | trained | seeds | test F1 | 95% interval | dev F1 | parameters "
        "| epochs | seconds | Wh |",
        "|" + "---|" * 11,
    ]
    for (checkpoint, arm, method), runs in sorted(groups.items()):
        spread = mean_and_spread([100 * r["test_micro_f1"] for r in runs])
        middle = sorted(runs, key=lambda r: float(r["test_micro_f1"]))[(len(runs) - 1) // 2]
        low, high = (100 * x for x in middle["test_ci95"])
        deviation = f" ± {spread.std:.2f}" if spread.std is not None else ""
        lines.append(
            f"| {checkpoint} | {arm} | {method} | {_seeds(runs)} "
            f"| **{spread.mean:.2f}**{deviation} | {low:.2f} to {high:.2f} "
            f"| {statistics.fmean(100 * r['dev_micro_f1'] for r in runs):.2f} | {runs[0]['trained_parameters']:,} "
            f"| {runs[0]['epochs']} of {runs[0]['recipe']['finetune']['epochs']} "
            f"| {statistics.fmean(r['train_seconds'] for r in runs):.0f} "
            f"| {statistics.fmean(r['energy']['energy_wh'] for r in runs):.2f} |"
        )
    lines += ["", *_recipes(data["runs"].values())]
    for backbone, dapt in data["dapt"].items():
        lines += [
            "",
            f"DAPT of {backbone}: {dapt['counts']['total']['kept_train']:,} passages of "
            f"{', '.join(dapt['passages'])}, "
            f"{dapt['steps']} steps, {dapt['tokens']:,} tokens; held-out perplexity {dapt['perplexity_before']:.2f} -> "
            f"{dapt['perplexity_after']:.2f} "
            f"({100 * (dapt['perplexity_after'] / dapt['perplexity_before'] - 1):+.1f} %), "
            f"{dapt['train_seconds']:.0f} s, {dapt['energy']['energy_wh']:.2f} Wh.",
        ]
    for checkpoint, study in data["studies"].items():
        first = study["recipe_dev_micro_f1"]
        lines += [
            "",
            f"Search on {checkpoint}: {len(study['trials'])} trials in {study['seconds']:.0f} s; dev F1 "
            f"{100 * study['best_dev_micro_f1']:.2f} in trial {study['best_trial']}"
            + (f", {100 * first:.2f} with the recipe." if first is not None else ".")
            + "".join(
                f" Trial {each['trial']} over {len(each['seeds'])} seeds: {100 * each['mean']:.2f} ± "
                f"{100 * each['std']:.2f}."
                for each in study.get("confirmed", ())
            ),
        ]
    write_whole(RESULTS / "ablation.md", "\n".join([*lines, "", "![test F1 of each arm](ablation.png)", ""]))
    if groups:
        _plot(groups)


def _recipes(runs: Iterable[dict[str, Any]]) -> list[str]:
    """In what the recipes of the runs differ from the registry's, search apart."""
    registry, lines = load_registry(Settings.load().registry), {}
    for run in runs:
        if run["arm"].startswith("search"):
            continue
        own = registry.checkpoint(run["checkpoint_id"]).recipe.model_dump(mode="json")
        family = registry.families[registry.checkpoint(run["checkpoint_id"]).backbone.family]
        own["lora"]["targets"] = own["lora"]["targets"] or list(family.lora_targets)
        changed = {
            f"{part}.{name}={value}": None
            for part in ("lora", "finetune")
            for name, value in run["recipe"][part].items()
            if value != own[part][name] and not (run["method"] == "full" and name == "learning_rate")
        }
        lines[f"Recipe of {run['checkpoint_id']}: the registry's, with {', '.join(changed) or 'no change'}."] = None
    full = f"Full fine-tuning: learning rate {FULL_LEARNING_RATE:g}, set beforehand and not searched."
    return [line for recipe in sorted(lines) for line in (recipe, "")] + [full]


def _seeds(runs: Sequence[dict[str, Any]]) -> str:
    return ", ".join(str(seed) for seed in sorted(run["seed"] for run in runs))


def _plot(groups: dict[tuple[str, str, str], list[dict[str, Any]]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    checkpoints = sorted({checkpoint for checkpoint, _, _ in groups})
    all_arms = sorted({(arm, method) for _, arm, method in groups})
    colours = ["#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73"]  # Okabe and Ito: told apart by the colour-blind
    figure, axes = plt.subplots(1, len(checkpoints), figsize=(4 * len(checkpoints), 3.6), squeeze=False)
    for axis, checkpoint in zip(axes[0], checkpoints, strict=True):
        arms = [key for key in all_arms if (checkpoint, *key) in groups]
        for place, key in enumerate(arms):
            values = [100 * r["test_micro_f1"] for r in groups[(checkpoint, *key)]]
            colour = colours[all_arms.index(key) % len(colours)]
            axis.scatter([place] * len(values), values, color=colour, s=28, zorder=3)
            axis.hlines(statistics.fmean(values), place - 0.3, place + 0.3, color=colour)
        axis.set_title(checkpoint, fontsize=10)
        names = [f"{arm}\n{method}".replace(" of ", "\n") for arm, method in arms]
        axis.set_xticks(range(len(arms)), names, fontsize=7)
        axis.grid(axis="y", alpha=0.3)
    axes[0][0].set_ylabel("test strict micro-F1, %\n(points: seeds; lines: means)")
    figure.tight_layout()
    figure.savefig(RESULTS / "ablation.png", dpi=140)


if __name__ == "__main__":
    try:
        main()
    except ZooError as error:
        sys.exit(f"error: {error}")
