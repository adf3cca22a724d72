"""Peers trained on the same splits, on the same machine: a dictionary, spaCy, and full fine-tuning with the Trainer.

    python -m venv PEERS && PEERS/bin/pip install torch==2.13.0 'spacy[transformers]>=3.8,<4'
    ZOO_CORPORA=DIR python benchmarks/peers/measure.py ncbi-disease cll --spacy PEERS/bin/python --builds builds/zoo
    ZOO_CORPORA=DIR python benchmarks/peers/measure.py --ways trainer       # full fine-tuning, all eleven corpora
    python benchmarks/peers/measure.py --report

`zoo` is what `measured_zoo.py` built and kept; with `--builds`, the output folder of its builds, its speed is measured.
The Trainer and spaCy's transformer start from the same base and have the same epochs, batches of 16 sentences and one
learning rate; `--learning-rate` tries others, and the best on dev is reported. spaCy's tok2vec stops by its own rule.
Speed is that of the test split in words per CPU second of one thread, the best of three rounds, so that what else runs
on the machine counts little; energy is codecarbon's estimate for the processes of the training. GLiNER's weights come
from no package registry, so it is not here; its speed with random weights is in `speed/peers.py`.

Every run is kept in `benchmarks/results/peers.json` as soon as it is done; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))
from shared import RESULTS, alike, plain_script, prepared_base

from zoo.corpora.document import Document
from zoo.energy import measure
from zoo.evaluation.latency import processor_name
from zoo.evaluation.result import RESULT_FILE, Result
from zoo.evaluation.scoring import micro_f1, score_predictions
from zoo.files import write_whole
from zoo.modeling.labels import LabelSpace
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.windows import Entity
from zoo.pipeline.context import Context
from zoo.registry.loader import Checkpoint, load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger

HERE = Path(__file__).parent
PATH = RESULTS / "peers.json"
KEPT = RESULTS / "zoo"
CORPORA = (
    *("cll", "bionlp2013-cg", "bc5cdr-disease", "bc5cdr-chem", "ncbi-disease", "species-800", "anatem", "bc5cdr"),
    *("linnaeus", "bc2gm", "jnlpba"),
)
NAMES = {
    "dictionary": "dictionary of training's mentions",
    "tok2vec": "spaCy, tok2vec",
    "transformer": "spaCy, transformer",
    "trainer": "Trainer, all parameters",
    "zoo": "zoo, LoRA",
}
ROUNDS = 3
Predictions = dict[str, list[list[Entity]]]


@dataclass(frozen=True)
class Task:
    """One training of a peer."""

    context: Context
    checkpoint: Checkpoint
    seed: int
    learning_rate: float
    folder: Path
    python: str | None

    @property
    def splits(self) -> dict[str, Sequence[Document]]:
        """Documents of the corpus."""
        return dict(self.context.corpus(self.checkpoint.corpus).splits)


@dataclass
class Trained:
    """What a training left: bytes to ship, and what tags dev and test."""

    shipped: Path
    tag: Callable[[], tuple[Predictions, float]]
    """Entities of dev and test, CPU seconds on test."""


def main() -> None:
    """Measure what is missing, and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=CORPORA)
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument("--ways", nargs="+", choices=[*NAMES][:-1], default=[*NAMES][:-1])
    parser.add_argument("--seeds", nargs="+", type=int, default=[13])
    parser.add_argument("--learning-rate", type=float, default=2e-4, help="of the Trainer and spaCy's transformer")
    parser.add_argument("--spacy", metavar="PYTHON", help="interpreter that has spacy[transformers]")
    parser.add_argument("--builds", type=Path, help="where the zoo was built: its speed is measured")
    parser.add_argument("--report", action="store_true", help="write table and plot alone")
    arguments = parser.parse_args()
    if not arguments.report:
        quiet_libraries()
        settings = Settings.load()
        context = Context(load_registry(settings.registry), settings)
        for corpus in arguments.corpora:
            checkpoint_id = f"{arguments.backbone}/{corpus}"
            for seed in arguments.seeds:
                if (kept := _kept(checkpoint_id, seed)) is None:
                    sys.stderr.write(f"{checkpoint_id}, seed {seed}: measured_zoo.py has not built it yet\n")
                    continue
                _measure(context, kept, arguments)
    _report(_load())


def _measure(context: Context, kept: Result, arguments: argparse.Namespace) -> None:
    """The ways that are missing, with the epochs of what is kept of the zoo."""
    seed, epochs = kept.seeds[0], kept.recipe["finetune"]["epochs"]
    checkpoint = context.registry.checkpoint(kept.checkpoint_id, {"finetune.epochs": epochs, "dapt.passages": ()})
    for way in arguments.ways:
        rate = arguments.learning_rate if way in ("trainer", "transformer") else None
        key = {"checkpoint_id": checkpoint.id, "way": way, "seed": seed, "learning_rate": rate}
        if any(all(run[name] == value for name, value in key.items()) for run in _load()["runs"]):
            continue
        if way != "trainer" and not arguments.spacy:
            sys.stderr.write(f"{way}: needs --spacy\n")
            continue
        sys.stderr.write(f"{time.strftime('%H:%M')} {key}\n")
        with tempfile.TemporaryDirectory() as scratch:
            task = Task(context, checkpoint, seed, arguments.learning_rate, Path(scratch), arguments.spacy)
            started = time.perf_counter()
            with measure(context.settings.country, alone=False) as meter:
                trained = _trainer(task) if way == "trainer" else _spacy(task, way)
            seconds = time.perf_counter() - started
            outcome = _scored(task, trained)
        energy = meter.energy
        shown = {**key, "epochs": epochs if rate else None, **outcome, "train_seconds": seconds}
        _add({**shown, "energy_wh": energy.energy_wh, "energy_method": energy.method, "hardware": energy.hardware})
    folder = arguments.builds and arguments.builds / "checkpoints" / checkpoint.id
    if folder and folder.is_dir() and checkpoint.id not in _load()["zoo_words_per_cpu_second"]:
        with tempfile.TemporaryDirectory() as scratch:
            task = Task(context, checkpoint, seed, arguments.learning_rate, Path(scratch), arguments.spacy)
            tagger = Tagger.load(str(folder))
            outcome = _scored(task, Trained(folder, lambda: _tag(tagger, task)))
        if abs(outcome["test_micro_f1"] - kept.scores.test.micro_f1) > 1e-4:
            raise SystemExit(f"{folder} is not what is kept: test F1 {100 * outcome['test_micro_f1']:.2f}")
        data = _load()
        data["zoo_words_per_cpu_second"][checkpoint.id] = outcome["words_per_cpu_second"]
        write_whole(PATH, json.dumps(data, indent=1) + "\n")


def _trainer(task: Task) -> Trained:
    from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification, AutoTokenizer, set_seed

    base, types = prepared_base(task.context, task.checkpoint), task.checkpoint.corpus.entity_types
    set_seed(task.seed)
    labels, tokenizer = LabelSpace(tuple(types), len(types)), AutoTokenizer.from_pretrained(base)
    encoder = AutoModel.from_pretrained(base)  # without the head that a prepared base has for all types
    model = AutoModelForTokenClassification.from_config(
        AutoConfig.from_pretrained(base, id2label=labels.id2label, label2id=labels.label2id)
    )
    model.base_model.load_state_dict(encoder.state_dict(), strict=False)  # the pooler of BERT has no use here
    plain = alike(task.checkpoint, learning_rate=task.learning_rate)
    options = {"model": model, "labels": labels, "train_sampling_strategy": "group_by_length"}
    plain_script(task.context, plain, base, task.splits["train"], task.seed, **options)
    model.save_pretrained(task.folder / "model")
    tokenizer.save_pretrained(task.folder / "model")
    tagger = Tagger.of(model, tokenizer, stride_tokens=task.checkpoint.backbone.stride_tokens)
    return Trained(task.folder / "model", lambda: _tag(tagger, task))


def _tag(tagger: Tagger, task: Task) -> tuple[Predictions, float]:
    """By the tagger of the toolkit, whose entities are those of `pipeline()`."""
    found, seconds = {}, []
    for split in ("dev", *["test"] * ROUNDS):
        started = time.process_time()
        found[split] = tagger.tag([document.text for document in task.splits[split]])
        seconds.append(time.process_time() - started)
    return found, min(seconds[1:])


def _spacy(task: Task, way: str) -> Trained:
    for split, documents in task.splits.items():
        lines = (
            json.dumps({"text": d.text, "spans": [{"start": s.start, "end": s.end, "type": s.type} for s in d.spans]})
            for d in documents
        )
        (task.folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    options = ["--seed", str(task.seed)]
    if way == "transformer":
        base = prepared_base(task.context, task.checkpoint)
        options += ["--base", str(base), "--epochs", str(task.checkpoint.recipe.finetune.epochs)]
        options += ["--learning-rate", str(task.learning_rate)]
    script = [str(task.python), str(HERE / "with_spacy.py")]
    subprocess.run([*script, "train", way, str(task.folder), *options], check=True, stdout=sys.stderr)

    def tag() -> tuple[Predictions, float]:
        subprocess.run([*script, "tag", str(task.folder), "--rounds", str(ROUNDS)], check=True)
        tagged = json.loads((task.folder / "tagged.json").read_text())
        found = {
            split: [[Entity(start, end, name, 1.0) for start, end, name in each] for each in per_text]
            for split, per_text in tagged["entities"].items()
        }
        return found, tagged["cpu_seconds"]

    return Trained(task.folder / "model", tag)


def _scored(task: Task, trained: Trained) -> dict[str, Any]:
    found, seconds = trained.tag()
    test = score_predictions(task.splits["test"], found["test"], samples=1000, seed=task.seed)
    words = sum(len(document.text.split()) for document in task.splits["test"])
    return {
        "dev_micro_f1": micro_f1(task.splits["dev"], found["dev"]),
        "test_micro_f1": test.micro_f1,
        "test_ci95": test.ci95,
        "bytes": sum(path.stat().st_size for path in trained.shipped.rglob("*") if path.is_file()),
        "words_per_cpu_second": words / seconds,
    }


def _kept(checkpoint_id: str, seed: int) -> Result | None:
    path = KEPT / f"seed-{seed}" / "checkpoints" / checkpoint_id / RESULT_FILE
    return Result.model_validate_json(path.read_bytes()) if path.is_file() else None


def _load() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(PATH.read_text()) if PATH.is_file() else {}
    machine = {"processor": processor_name(), "threads": 1}
    return {"machine": machine, "runs": [], "zoo_words_per_cpu_second": {}, **data}


def _add(run: dict[str, Any]) -> None:
    data = _load()
    data["runs"].append(run)
    write_whole(PATH, json.dumps(data, indent=1) + "\n")


def _rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each checkpoint, way and seed the run with the best learning rate on dev, and beside it the zoo's."""
    best: dict[tuple[str, str, int], dict[str, Any]] = {}
    for run in data["runs"]:
        key = (run["checkpoint_id"], run["way"], run["seed"])
        if key not in best or run["dev_micro_f1"] > best[key]["dev_micro_f1"]:
            best[key] = run
    rows = list(best.values())
    for checkpoint_id, seed in dict.fromkeys((run["checkpoint_id"], run["seed"]) for run in rows):
        if kept := _kept(checkpoint_id, seed):
            rows.append(
                {
                    "checkpoint_id": checkpoint_id,
                    "way": "zoo",
                    "seed": seed,
                    "learning_rate": kept.recipe["finetune"]["learning_rate"],
                    "epochs": kept.recipe["finetune"]["epochs"],
                    "dev_micro_f1": kept.scores.dev.micro_f1,
                    "test_micro_f1": kept.scores.test.micro_f1,
                    "test_ci95": kept.scores.test.ci95,
                    "bytes": kept.adapter_bytes,
                    "words_per_cpu_second": data["zoo_words_per_cpu_second"].get(checkpoint_id),
                    "energy_wh": kept.energy.energy_wh,
                }
            )
    return rows


def _report(data: dict[str, Any]) -> None:
    rows = _rows(data)
    checkpoints = sorted({row["checkpoint_id"] for row in rows})
    lines = [
        "# Peers on the same test sets",
        "",
        f"Made by `python benchmarks/peers/measure.py` (its docstring says how) on {data['machine']['processor']}; "
        "strict entity micro-F1 in percent, with 95 % document bootstraps; words of the test split per CPU second of "
        "one thread; MB to ship (of `zoo` the adapter: its base of some 90 MB serves all); Wh of the training, "
        "estimated by codecarbon. Of several learning rates in `peers.json` the best on dev is shown.",
        "",
        "| checkpoint | way | seeds | test F1 | 95 % interval | dev F1 | epochs | learning rate | words/s | MB | Wh |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for checkpoint in checkpoints:
        for way, name in NAMES.items():
            own = [row for row in rows if (row["checkpoint_id"], row["way"]) == (checkpoint, way)]
            if own:
                lines.append(f"| {checkpoint} | {name} | {' | '.join(_cells(own))} |")
    lines += ["", *_means(rows, checkpoints), "", "![test F1 by corpus and way](peers.png)", ""]
    write_whole(PATH.with_suffix(".md"), "\n".join(lines))
    sys.stdout.write("\n".join(lines))
    if rows:
        _plot(rows, checkpoints)


def _cells(runs: Sequence[dict[str, Any]]) -> list[str]:
    first = runs[0]
    low, high = (100 * value for value in first["test_ci95"])
    speed = first["words_per_cpu_second"]
    return [
        ", ".join(str(run["seed"]) for run in runs),
        f"**{_mean(runs, 'test_micro_f1'):.2f}**",
        f"{low:.2f} to {high:.2f}",
        f"{_mean(runs, 'dev_micro_f1'):.2f}",
        str(first["epochs"] or ""),
        f"{first['learning_rate']:g}" if first["learning_rate"] else "",
        f"{speed:,.0f}" if speed else "",
        f"{first['bytes'] / 1e6:.1f}",
        f"{statistics.fmean(run['energy_wh'] for run in runs):.2f}",
    ]


def _mean(runs: Iterable[dict[str, Any]], name: str) -> float:
    return 100 * statistics.fmean(run[name] for run in runs)


def _means(rows: Sequence[dict[str, Any]], checkpoints: Sequence[str]) -> list[str]:
    """Of LoRA and of all parameters over the corpora that have both, each corpus counting once."""
    scores = {
        way: {
            checkpoint: _mean(own, "test_micro_f1")
            for checkpoint in checkpoints
            if (own := [row for row in rows if (row["checkpoint_id"], row["way"]) == (checkpoint, way)])
        }
        for way in ("zoo", "trainer")
    }
    both = [checkpoint for checkpoint in checkpoints if all(checkpoint in found for found in scores.values())]
    if not both:
        return []
    zoo, trainer = (statistics.fmean(scores[way][checkpoint] for checkpoint in both) for way in ("zoo", "trainer"))
    return [
        f"LoRA beside all parameters, mean test F1 over {len(both)} corpora with the same epochs: {zoo:.2f} and "
        f"{trainer:.2f}, {zoo - trainer:+.2f} points."
    ]


def _plot(rows: Sequence[dict[str, Any]], checkpoints: Sequence[str]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = dict(zip(NAMES, ("#999999", "#e69f00", "#d55e00", "#56b4e9", "#0072b2"), strict=True))  # Okabe and Ito
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.45 * len(checkpoints)), layout="constrained")
    for way, name in NAMES.items():
        own = [row for row in rows if row["way"] == way]
        places = [checkpoints.index(row["checkpoint_id"]) for row in own]
        marker = "D" if way == "zoo" else "o"
        axes.scatter([100 * row["test_micro_f1"] for row in own], places, color=colours[way], marker=marker, label=name)
    axes.set_yticks(range(len(checkpoints)), [checkpoint.partition("/")[2] for checkpoint in checkpoints])
    axes.set_xlabel("strict test micro-F1, %")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.22), ncols=3, frameon=False)
    figure.savefig(PATH.with_suffix(".png"), dpi=150)


if __name__ == "__main__":
    main()
