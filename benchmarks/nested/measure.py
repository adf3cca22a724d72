r"""Layouts of heads on corpora with overlapping mentions: what each can hold, what it finds, and what it costs.

    ZOO_CORPORA=DIR zoo build minilm-l6/genia --out builds/levels --set heads.layout=levels --set finetune.epochs=6 \
        --set finetune.loraplus_lr_ratio=4
    ZOO_CORPORA=DIR python benchmarks/nested/measure.py builds/flat builds/types builds/levels

scores what each checkpoint in these folders found in test, tags dev, adds both to
`benchmarks/results/nested.json` under the sha256 of their adapters, and writes the table. `--ceilings genia
craft-concepts` measures what each layout can hold, without any model; `--report` only writes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document
from zoo.evaluation.predictions import read_predictions
from zoo.evaluation.result import RESULT_FILE, load_result
from zoo.evaluation.scoring import score_predictions, tag_documents
from zoo.evaluation.statistics import mean_and_spread
from zoo.files import write_whole
from zoo.modeling.adapters import read_heads
from zoo.modeling.heads import LAYOUTS, ceiling
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.windows import Entity
from zoo.pipeline.context import Context
from zoo.registry.loader import load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger

RESULTS = Path(__file__).parents[1] / "results"
LEVELS = 3
PUBLISHED = """\
Published figures on GENIA, not run here. Their preparations of the corpus differ: a difference below a point says
little.

| model | encoder | F1 | how |
|---|---|---|---|
| Strakova et al. 2019 | BERT-large | 76.44 | joint labels in token classification |
| Shibuya and Hovy 2020 | BERT-large | 77.05 | second-best path inside each mention |
| Yu et al. 2020, as re-run by others | BERT-large | 78.87 | start x end matrix (biaffine) |
| Wang et al. 2020 (Pyramid) | BERT-large | 79.19 | layers of spans |
"""


def main() -> None:
    """Measure what is asked for, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="*", help="output folders of zoo build")
    parser.add_argument("--ceilings", nargs="*", default=[], metavar="CORPUS")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    quiet_libraries()
    path = RESULTS / "nested.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"models": {}, "ceilings": {}}
    context = Context(load_registry(Settings.load().registry), Settings.load())
    for corpus in arguments.ceilings:
        kept["ceilings"][corpus] = _ceilings(context, corpus)
    for result in (path for out in arguments.out for path in sorted(out.glob(f"checkpoints/*/*/{RESULT_FILE}"))):
        key, row = _measured(context, result.parent)
        kept["models"][key] = row
        sys.stdout.write(f"{result.parent}: test {100 * row['test']['micro_f1']:.2f}\n")
        write_whole(path, json.dumps(kept, indent=1) + "\n")
    write_whole(path, json.dumps(kept, indent=1) + "\n")
    write_whole(RESULTS / "nested.md", _table(kept))


def _ceilings(context: Context, corpus: str) -> dict[str, Any]:
    entry = context.registry.corpora[corpus]
    found: dict[str, Any] = {}
    for split, documents in context.corpus(entry).splits.items():
        found[split] = {"mentions": len({(id(d), s.key) for d in documents for s in d.spans}), "shares": {}}
        for layout in LAYOUTS:
            for levels in range(2, LEVELS + 1) if layout.endswith("levels") else (1,):
                held = ceiling(layout, documents, entry.entity_types, levels)
                found[split]["shares"][held.name] = held.share
    return found


def _measured(context: Context, folder: Path) -> tuple[str, dict[str, Any]]:
    result = load_result(folder / RESULT_FILE)
    checkpoint = context.registry.checkpoint(result.checkpoint_id)
    tagger = Tagger.load(folder, stride_tokens=checkpoint.backbone.stride_tokens)
    splits = context.corpus(checkpoint.corpus).splits
    heads = read_heads(folder / "adapter")
    levels = max((head["level"] for head in heads), default=1)
    layout = "flat"
    if heads:
        layout = "types" if len(heads[0]["types"]) < len(checkpoint.corpus.entity_types) else "levels"
        layout += f", {levels} levels" if levels > 1 else ""
    layout += " + splitter" if tagger.splitter else ""
    row: dict[str, Any] = {
        "corpus": result.corpus,
        "backbone": result.backbone,
        "layout": layout,
        "heads": len(heads) or 1,
        "seed": result.seeds[0] if result.seeds else None,
        "trained_share": result.trained_share,
        "train_seconds": result.train_seconds,
        "recipe": {name: result.recipe[name] for name in ("lora", "finetune")},
    }
    row["dev"] = _scores(splits["dev"], tag_documents(tagger, splits["dev"], precision="auto"))
    test = [line.entities for line in read_predictions(folder)]
    if tagger.splitter:
        whole = [[entity for entity in entities if not entity.fragments] for entities in test]
        test = [tagger.splitter.find(d.text, own) for d, own in zip(splits["test"], whole, strict=True)]
        row["test_whole"] = _scores(splits["test"], whole)
    row["test"] = _scores(splits["test"], test)
    row["seconds"] = _seconds(tagger, splits["test"])
    return result.fingerprints["adapter"], row


def _scores(documents: Sequence[Document], predictions: Sequence[Sequence[Entity]]) -> dict[str, Any]:
    score = score_predictions(documents, predictions, samples=2000)
    values: dict[str, Any] = {
        "micro_f1": score.micro_f1,
        "precision": score.precision,
        "recall": score.recall,
        "ci95": score.ci95,
    }
    if score.nesting:
        values |= {
            "inner_recall": score.nesting.inner.recall,
            "inner_precision": score.nesting.inner.precision,
            "inner_same_type_recall": score.nesting.inner_same_type.recall,
            "outer_recall": score.nesting.outer.recall,
            "discontinuous_recall": score.nesting.discontinuous.recall,
            "discontinuous_precision": score.nesting.discontinuous.precision,
        }
    values["per_type"] = {name: own.f1 for name, own in score.per_type.items()}
    broken = [{s.key for s in d.spans if s.fragments} for d in documents]
    found = [{e.key for e in entities if e.fragments} for entities in predictions]
    names = sorted({key[2] for keys in broken for key in keys})
    values["discontinuous"] = {
        name: {
            "mentions": sum(key[2] == name for keys in broken for key in keys),
            "found": sum(key[2] == name for keys in found for key in keys),
            "right": sum(key[2] == name for one, other in zip(broken, found, strict=True) for key in one & other),
        }
        for name in names
    }
    return values


def _seconds(tagger: Tagger, documents: Sequence[Document]) -> dict[str, float]:
    """CPU seconds of all heads together and of the first alone, in turn, on the same texts: the least of three."""
    texts = [document.text[:2000] for document in documents][:400]
    alone = replace(tagger, heads=tagger.heads[:1], splitter=None)
    best: dict[str, float] = defaultdict(lambda: float("inf"))
    for _ in range(3):
        for name, each in (("together", tagger), ("first", alone)):
            windows = each.encode(texts)
            started = time.process_time()
            each.tag_windows(texts, windows, merge=True)
            best[name] = min(best[name], time.process_time() - started)
    return dict(best)


def _table(kept: Mapping[str, Any]) -> str:
    lines = [
        "# Nested, overlapping and discontinuous mentions",
        "",
        "Made by `zoo build` and `python benchmarks/nested/measure.py` (its docstring says how). Strict micro-F1 on",
        "all mentions, nested ones included, in percent; mean and spread of seeds, of one seed the 95% bootstrap",
        "interval over documents. Time: tagging by all heads over tagging by the first alone, CPU seconds, same texts.",
        "`+ splitter`: discontinuous mentions are found in what the heads find (`zoo/tagging/coordination.py`).",
        "`+ parts`: of two more heads for their parts, taken out since.",
        "",
        "| corpus | layout | heads | seeds | epochs | rank | dev F1 | test F1 | P | R | inner R | inner, same type, R "
        "| discontinuous R / P | time |",
        "|" + "---|" * 14,
    ]
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in kept["models"].values():
        recipe = row["recipe"]
        groups[row["corpus"], row["layout"], recipe["finetune"]["epochs"], recipe["lora"]["rank"]].append(row)
    for (corpus, layout, epochs, rank), rows in sorted(groups.items()):
        test = [row["test"] for row in rows]
        cells = [corpus, layout, rows[0]["heads"], len(rows), epochs, rank, _mean([r["dev"]["micro_f1"] for r in rows])]
        interval = test[0]["ci95"]
        own = f" ({100 * interval[0]:.2f} to {100 * interval[1]:.2f})" if len(rows) == 1 else ""
        cells.append(f"**{_mean([each['micro_f1'] for each in test])}**{own}")
        names = ("precision", "recall", "inner_recall", "inner_same_type_recall")
        cells += [_mean([each[name] for each in test if name in each]) for name in names]
        discontinuous = [
            _mean([t[f"discontinuous_{part}"] for t in test if "inner_recall" in t]) for part in names[1::-1]
        ]
        cells += [
            " / ".join(discontinuous),
            f"{min(r['seconds']['together'] / r['seconds']['first'] for r in rows):.2f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for row in kept["models"].values():
        if "test_whole" in row:
            lines += _with_and_without(row)
    lines += ["", "## What layouts can hold", "", "Percent of the mentions that a model without any mistake finds.", ""]
    for corpus, splits in kept["ceilings"].items():
        names = list(next(iter(splits.values()))["shares"])
        lines += [f"| {corpus} | mentions | " + " | ".join(names) + " |", "|" + "---|" * (2 + len(names))]
        for split, found in splits.items():
            cells = [split, f"{found['mentions']:,}", *(f"{100 * found['shares'][name]:.1f}" for name in names)]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join([*lines, PUBLISHED])


def _with_and_without(row: Mapping[str, Any]) -> list[str]:
    """What the splitter adds to one model, by type."""
    test, whole = row["test"], row["test_whole"]
    lines = [
        "",
        f"{row['corpus']}, {row['layout']}, {row['recipe']['finetune']['epochs']} epochs: F1 "
        f"{100 * whole['micro_f1']:.2f} without the splitter, {100 * test['micro_f1']:.2f} with it (test).",
        "",
        "| type | F1 without | F1 with | discontinuous | found | right | recall |",
        "|" + "---|" * 7,
    ]
    for name, own in test["discontinuous"].items():
        recall = 100 * own["right"] / own["mentions"]
        figures = [f"{100 * each['per_type'][name]:.2f}" for each in (whole, test)]
        lines.append(
            f"| {name} | {' | '.join(figures)} | {own['mentions']} | {own['found']} | {own['right']} | {recall:.1f} |"
        )
    return lines


def _mean(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = mean_and_spread(values)
    return f"{100 * spread.mean:.2f}" + ("" if spread.std is None else f" ± {100 * spread.std:.2f}")


if __name__ == "__main__":
    main()
