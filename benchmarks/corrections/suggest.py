"""Annotation simulated: F1 by the share of a corpus's sentences that `zoo suggest` chose, beside random choice and all.

    ZOO_CORPORA=DIR python benchmarks/corrections/suggest.py [minilm-l6/ncbi-disease] [--seeds 13,14,15]

The gold mentions of the training split play the annotator. The first sentences are drawn at random; then the model
that was trained on what is annotated so far chooses the next, round by round. Every training is the same recipe with
the same number of epochs, on a fresh adapter; the best epoch is chosen on every fourth sentence of dev.

With `--choosing` the ways to choose are compared on dev, from the first two rounds of one seed on; test is not read.

Writes `benchmarks/results/suggest.{json,md}` (or `suggest_ways`) after each training; what is there is not run again,
so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))
from shared import RESULTS, prepared_base, run_finetune, threads

from zoo.evaluation.latency import processor_name
from zoo.evaluation.scoring import micro_f1
from zoo.modeling.quiet import quiet_libraries
from zoo.pipeline.context import Context
from zoo.registry.loader import Checkpoint, load_registry
from zoo.settings import Settings
from zoo.tagging.suggestion import suggest
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text
from zoo.tagging.uncertainty import Unsure, read_unsure

ROUNDS = (0.05, 0.1, 0.2, 0.4)
SHOWN_DEV = 4
"""Every fourth sentence of dev chooses the epoch: an annotator has few."""


def _doubt(unsure: Unsure) -> float:
    return sum(each.probability for each in unsure.doubts)


WAYS: dict[str, tuple[Callable[[Unsure], float], bool]] = {
    "zoo": (lambda unsure: unsure.uncertainty, True),
    "zoo without diversity": (lambda unsure: unsure.uncertainty, False),
    "doubtful words": (_doubt, True),
    "mean doubt of likely words": (lambda unsure: _doubt(unsure) / max(1, len(unsure.doubts)), True),
    "doubtful words by length": (lambda unsure: _doubt(unsure) / max(1, unsure.words), True),
}
"""How sure a model is of a sentence, and whether unlike ones are sought."""


@dataclass
class Simulation:
    """One corpus, its base, and what was measured so far."""

    context: Context
    checkpoint: Checkpoint
    split: str
    path: Path
    data: dict[str, Any]
    base: Path = field(init=False)
    _read: dict[tuple[int, tuple[int, ...]], list[Unsure]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = prepared_base(self.context, self.checkpoint)
        self.splits = self.context.corpus(self.checkpoint.corpus).splits
        self.texts = [Text(str(number), document.text) for number, document in enumerate(self.splits["train"])]

    def size(self, share: float) -> int:
        """Sentences of a share of the training split."""
        return round(share * len(self.texts))

    def first(self, seed: int, share: float) -> list[int]:
        """A random share; larger ones hold the smaller."""
        order = random.Random(seed).sample(range(len(self.texts)), len(self.texts))
        return sorted(order[: self.size(share)])

    def train(self, way: str, seed: int, share: float, chosen: Sequence[int]) -> Tagger:
        """Train on the chosen sentences, and note the score."""
        from transformers import AutoTokenizer

        documents = [self.splits["train"][index] for index in sorted(chosen)]
        started = time.process_time()
        log, model = run_finetune(
            self.context, self.checkpoint, self.base, documents, self.splits["dev"][::SHOWN_DEV], seed
        )
        seconds = time.process_time() - started
        tokenizer = AutoTokenizer.from_pretrained(self.base)
        tagger = Tagger.of(model, tokenizer, stride_tokens=self.checkpoint.backbone.stride_tokens)
        scored = self.splits[self.split]
        run = {
            "way": way,
            "seed": seed,
            "share": share,
            "sentences": len(documents),
            "mentions": sum(len(document.spans) for document in documents),
            "characters": sum(len(document.text) for document in documents),
            "best_epoch": log.best_epoch,
            "cpu_seconds": round(seconds, 1),
            f"{self.split}_micro_f1": micro_f1(scored, tagger.tag([document.text for document in scored])),
            "chosen": sorted(chosen),
        }
        self.data["runs"].append(run)
        shown = {key: value for key, value in run.items() if key != "chosen"}
        sys.stderr.write(f"{time.strftime('%H:%M')} {shown}\n")
        self.write()
        return tagger

    def known(self, way: str, seed: int, share: float) -> dict[str, Any] | None:
        """What an earlier run of the command measured."""
        key = (way, seed, share)
        return next((run for run in self.data["runs"] if (run["way"], run["seed"], run["share"]) == key), None)

    def choose(self, tagger: Tagger | None, way: str, seed: int, chosen: Sequence[int], count: int) -> list[int]:
        """What is annotated next; the model is trained again where it was not kept."""
        score, unlike = WAYS[way]
        key = (seed, tuple(sorted(chosen)))
        if key not in self._read:
            self._read = {key: list(read_unsure([tagger or self._again(seed, chosen)], self.texts))}
        read = self._read[key]
        embeddings = np.stack([unsure.embedding for unsure in read])
        if not unlike:
            embeddings = np.zeros_like(embeddings)
        rest = sorted(set(range(len(self.texts))) - set(chosen))
        values = np.array([score(read[index]) for index in rest])
        found = suggest(values, embeddings[rest], count, annotated=embeddings[list(chosen)])
        picked = [rest[place] for place, _ in found]
        picked += [index for index in rest if index not in set(picked)][: count - len(picked)]  # nothing likely in them
        return picked

    def rounds(self, way: str, seed: int, shares: Sequence[float], start: dict[float, str] | None = None) -> None:
        """Annotate round by round; what another way has in common is taken from it."""
        chosen, tagger = self.first(seed, shares[0]), None
        for number, share in enumerate(shares):
            if run := self.known((start or {}).get(share, way), seed, share):
                chosen, tagger = run["chosen"], None
                continue
            if number:
                chosen = [*chosen, *self.choose(tagger, way, seed, chosen, self.size(share) - len(chosen))]
            tagger = self.train(way, seed, share, chosen)

    def beside(self, way: str, seed: int, share: float) -> None:
        """Train on sentences drawn at random, if that is not measured yet."""
        if not self.known(way, seed, share):
            self.train(way, seed, share, self.first(seed, share))

    def _again(self, seed: int, chosen: Sequence[int]) -> Tagger:
        from transformers import AutoTokenizer

        documents = [self.splits["train"][index] for index in sorted(chosen)]
        dev = self.splits["dev"][::SHOWN_DEV]
        model = run_finetune(self.context, self.checkpoint, self.base, documents, dev, seed)[1]
        return Tagger.of(
            model, AutoTokenizer.from_pretrained(self.base), stride_tokens=self.checkpoint.backbone.stride_tokens
        )

    def write(self) -> None:
        """Write what there is."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.data) + "\n")
        partial.replace(self.path)
        self.path.with_suffix(".md").write_text(_page(self.data, len(self.texts), self.split))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?", default="minilm-l6/ncbi-disease")
    parser.add_argument("--seeds", default="13,14,15", help="with commas")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--choosing", action="store_true", help="compare the ways to choose, on dev")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet_libraries()
    settings = Settings.load()  # bases are kept in its output folder
    context = Context(load_registry(settings.registry), settings)
    changes = {"finetune.epochs": arguments.epochs, "finetune.loraplus_lr_ratio": 4, "dapt.passages": ()}
    checkpoint = context.registry.checkpoint(arguments.checkpoint, changes)
    path = arguments.results / ("suggest_ways.json" if arguments.choosing else "suggest.json")
    data: dict[str, Any] = {
        "command": " ".join(["python", "benchmarks/corrections/suggest.py", *_words()]),
        "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": threads()},
        "checkpoint": checkpoint.id,
        "recipe": checkpoint.recipe.model_dump(mode="json", include={"lora", "finetune"}),
        "runs": [],
    }
    if path.exists():
        earlier = json.loads(path.read_text())
        if (earlier["checkpoint"], earlier["recipe"]) != (data["checkpoint"], data["recipe"]):
            parser.error(f"{path} is of another checkpoint or recipe: remove it, or name another folder with --results")
        data["runs"] = earlier["runs"]
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    simulation = Simulation(context, checkpoint, "dev" if arguments.choosing else "test", path, data)
    if arguments.choosing:
        _compare(simulation, seeds[0])
        return
    for seed in seeds:
        simulation.rounds("zoo", seed, ROUNDS)
        simulation.beside("random", seed, 0.2)
        simulation.beside("all", seed, 1.0)
    for seed in seeds:
        simulation.beside("random", seed, 0.4)


def _compare(simulation: Simulation, seed: int) -> None:
    first = ROUNDS[:2]
    simulation.rounds("zoo", seed, first)
    common = dict.fromkeys(first, "zoo")
    simulation.beside("random", seed, 0.2)
    for way in WAYS:
        simulation.rounds(way, seed, ROUNDS[:3], common)


def _words() -> list[str]:
    words = sys.argv[1:]
    if "--results" in words:
        place = words.index("--results")
        del words[place : place + 2]
    return words


def _page(data: dict[str, Any], sentences: int, split: str) -> str:
    fine = data["recipe"]["finetune"]
    lines = [
        "# Annotation simulated",
        "",
        f"`{data['command']}`: {data['machine']['processor']}, threads: {data['machine']['threads']}; "
        f"{data['checkpoint']}, {sentences:,} sentences; every training {fine['epochs']} epochs, LoRA+ "
        f"{fine['loraplus_lr_ratio']:g}; strict micro-F1 on {split}.",
        "",
        f"| chosen | share of the sentences | of the characters | of the mentions | seeds | {split} F1 | of each seed "
        "| of all's F1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    name = f"{split}_micro_f1"
    whole = {run["seed"]: run for run in data["runs"] if run["way"] == "all"}
    for way, share in dict.fromkeys((run["way"], run["share"]) for run in data["runs"]):
        runs = [run for run in data["runs"] if (run["way"], run["share"]) == (way, share)]
        scores = [run[name] for run in runs]
        beside = [run for run in runs if run["seed"] in whole]
        parts = [
            f"{100 * statistics.mean(run[what] / whole[run['seed']][what] for run in beside):.1f} %" if beside else ""
            for what in ("characters", "mentions", name)
        ]
        cells = [way, f"{100 * share:g} %", *parts[:2], str(len(runs)), f"{100 * statistics.mean(scores):.2f}"]
        cells += [", ".join(f"{100 * score:.2f}" for score in scores), parts[2]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
