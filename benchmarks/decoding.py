"""Which aggregation strategy decodes best: strict F1 of each on the dev splits, through the plain pipeline.

    ZOO_CORPORA=DIR python benchmarks/decoding.py BUILDS [--documents 1000] [--results DIR]

scores every `BUILDS/checkpoints/*/*/adapter` on the first N documents of its dev split (never test: this is where the
decoding is chosen) and writes `benchmarks/results/decoding.{json,md}`. What was scored for an adapter is kept in
`decoding.json` under the hash of that adapter, so that the script can be run again after every build.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoo.corpora.document import Document
from zoo.corpora.load import load_corpus
from zoo.errors import ZooError
from zoo.evaluation.scoring import micro_f1
from zoo.files import file_sha256, write_whole
from zoo.modeling.adapters import ADAPTER_WEIGHTS
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.windows import Entity, aggregation_strategy, finish
from zoo.registry.loader import Registry, load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger

RESULTS = Path(__file__).parent / "results"
COMMAND = "ZOO_CORPORA=DIR python benchmarks/decoding.py BUILDS"
STRATEGIES = ("simple", "first", "average", "max")
GAIN_POINTS = 0.3
"""What another strategy must gain over `simple` on average to be worth a longer call for every user."""


def main() -> None:
    """Score, keep, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", type=Path)
    parser.add_argument("--documents", type=int, default=1000, help="first N dev documents (default: 1000)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of decoding.json and decoding.md")
    arguments = parser.parse_args()
    quiet_libraries()
    folders = sorted(
        path.parents[1]
        for path in arguments.builds.glob(f"checkpoints/*/*/adapter/{ADAPTER_WEIGHTS}")
        if not path.parents[1].name.startswith(".")  # a build that is being written
    )
    if not folders:
        raise ZooError("there is no checkpoint", where=arguments.builds, fix="zoo build first")
    settings = Settings.load()
    registry = load_registry(settings.registry)
    arguments.results.mkdir(parents=True, exist_ok=True)
    path = arguments.results / "decoding.json"
    kept: dict[str, Any] = json.loads(path.read_text())["adapters"] if path.is_file() else {}
    scored: dict[str, Any] = {}
    for folder in folders:
        key = file_sha256(folder / "adapter" / ADAPTER_WEIGHTS)
        about = {"documents_limit": arguments.documents, "transformers": version("transformers")}
        if not about.items() <= kept.get(key, {}).items():
            sys.stderr.write(f"{folder.parent.name}/{folder.name}\n")
            kept[key] = {**about, **score(folder, registry, settings, arguments.documents)}
            write_whole(path, json.dumps({"command": COMMAND, "adapters": kept}, indent=1) + "\n")
        scored[key] = kept[key]
    write_whole(path, json.dumps({"command": COMMAND, "adapters": scored}, indent=1) + "\n")
    write_whole(arguments.results / "decoding.md", markdown(list(scored.values()), arguments.documents))


def score(folder: Path, registry: Registry, settings: Settings, limit: int) -> dict[str, Any]:
    """Strict micro-F1 of each strategy on the first documents of the dev split of the corpus that names the folder."""
    name = folder.name
    corpus = load_corpus(
        registry.corpus(name), registry_folder=registry.folders[f"corpora/{name}"], local=settings.corpora
    )
    # Nothing is read of result.json, so that builds of any schema version will do.
    tagger = Tagger.load(folder, stride_tokens=registry.backbone(folder.parent.name).stride_tokens)
    documents = corpus.splits["dev"][:limit]
    predictions = decode_all(tagger, documents)
    return {
        "checkpoint_id": f"{folder.parent.name}/{name}",
        "dev_documents": len(documents),
        "dev_documents_of": len(corpus.splits["dev"]),
        "dev_mentions": sum(len(document.spans) for document in documents),
        "build_decoding": aggregation_strategy(tagger.tokenizer),
        "pipeline_call": f"pipeline(..., aggregation_strategy=..., stride={tagger.stride_tokens})",
        "micro_f1": {strategy: micro_f1(documents, predictions[strategy]) for strategy in STRATEGIES},
    }


def decode_all(tagger: Tagger, documents: Sequence[Document]) -> dict[str, list[list[Entity]]]:
    """Entities of each document by each strategy: one forward pass, then the pipeline's own decoding four times."""
    from transformers import TokenClassificationPipeline, pipeline
    from transformers.pipelines.token_classification import AggregationStrategy

    class EveryStrategy(TokenClassificationPipeline):
        def postprocess(self, all_outputs: Any, *args: Any, **kwargs: Any) -> Any:
            decode = super().postprocess
            return {name: decode(all_outputs, AggregationStrategy(name)) for name in STRATEGIES}

    tagger.tokenizer.model_max_length = tagger.window_tokens
    ner = pipeline(
        "token-classification",
        model=tagger.model,
        tokenizer=tagger.tokenizer,
        pipeline_class=EveryStrategy,
        aggregation_strategy="simple",  # any but none: a stride is refused without
        stride=tagger.stride_tokens,
    )
    found: dict[str, list[list[Entity]]] = {name: [] for name in STRATEGIES}
    for document, by_strategy in zip(documents, ner([document.text for document in documents]), strict=True):
        for name, entities in by_strategy.items():
            keys = [Entity(int(e["start"]), int(e["end"]), e["entity_group"], float(e["score"])) for e in entities]
            # As users do: the space that SentencePiece tokens begin with is no part of a mention.
            found[name].append(finish(document.text, [keys]))
    return found


def markdown(entries: Sequence[dict[str, Any]], limit: int) -> str:
    """One table a backbone: what its tokenizer marks decides between the strategies."""
    versions = ", ".join(sorted({entry["transformers"] for entry in entries}))
    lines = [
        "# Decoding strategies",
        "",
        f"Made by `{COMMAND}`; transformers {versions}.",
        f"Strict micro-F1 in percent on the first {limit} documents of each dev split, through the plain pipeline,",
        "`pipeline(..., aggregation_strategy=..., stride=...)`. On the same split, with the decoding of the build, the",
        "epoch was chosen, which favours that decoding a little. Test splits are not looked at.",
    ]
    for backbone in sorted({entry["checkpoint_id"].partition("/")[0] for entry in entries}):
        rows = sorted(
            (entry for entry in entries if entry["checkpoint_id"].startswith(f"{backbone}/")),
            key=lambda entry: str(entry["checkpoint_id"]),
        )
        means = {name: statistics.fmean(row["micro_f1"][name] for row in rows) for name in STRATEGIES}
        gains = {name: 100 * (means[name] - means["simple"]) for name in STRATEGIES}
        lines += [
            "",
            f"## {backbone}",
            "",
            "| corpus | dev documents | mentions | " + " | ".join(STRATEGIES) + " |",
            "|---|---|---|" + "---|" * len(STRATEGIES),
        ]
        for row in rows:
            of = row["dev_documents_of"]
            documents = f"{row['dev_documents']}" + (f" of {of}" if of > row["dev_documents"] else "")
            cells = " | ".join(f"{100 * row['micro_f1'][name]:.2f}" for name in STRATEGIES)
            corpus = row["checkpoint_id"].partition("/")[2]
            lines.append(f"| {corpus} | {documents} | {row['dev_mentions']} | {cells} |")
        mean_cells = [f"**{100 * means[name]:.2f}**" for name in STRATEGIES]
        gain_cells = [f"{gains[name]:+.2f}" if name != "simple" else "" for name in STRATEGIES]
        lines.append("| **mean, corpora alike** | | | " + " | ".join(mean_cells) + " |")
        lines.append("| difference to `simple` | | | " + " | ".join(gain_cells) + " |")
        best = max(STRATEGIES, key=gains.__getitem__)
        verdict = (
            f"`{best}` gains {gains[best]:.2f} points over `simple`, more than the {GAIN_POINTS} that it takes."
            if gains[best] > GAIN_POINTS
            else f"No strategy gains more than {GAIN_POINTS} points over `simple`."
        )
        used = ", ".join(sorted({f"`{row['build_decoding']}`" for row in rows}))
        lines += ["", f"{verdict} Builds decode this backbone with {used}."]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    try:
        main()
    except ZooError as error:
        sys.exit(f"error: {error}")
