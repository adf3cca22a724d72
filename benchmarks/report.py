"""The full report on checkpoints of real corpora: intervals, memory, leakage, raw text, robustness, cross-corpus.

    ZOO_CORPORA=DIR python benchmarks/report.py BUILDS [--robustness-documents 1000]

reads `BUILDS/checkpoints/*/*/result.json`, scores what a build does not (robustness, other corpora), and writes
`benchmarks/results/report.{json,md}` and `cross.{csv,png}`. What was scored for an adapter is kept in `report.json`
under the hash of that adapter, so that the script can be run again after every build.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.corpora.load import Corpus, load_corpus
from zoo.errors import ZooError
from zoo.evaluation.cross import Cell, Matrix, describe_model, heat_map, predictable_types, score_pair
from zoo.evaluation.result import Result, find_results
from zoo.evaluation.robustness import robustness
from zoo.evaluation.scoring import SplitScore
from zoo.files import write_whole
from zoo.modeling.quiet import quiet_libraries
from zoo.registry.loader import Registry, load_registry
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger

RESULTS = Path(__file__).parent / "results"
COMMAND = "ZOO_CORPORA=DIR ZOO_ORIGINALS=DIR python benchmarks/report.py BUILDS"


def main() -> None:
    """Score, keep, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", type=Path)
    parser.add_argument("--robustness-documents", type=int, default=1000, help="first N test documents")
    arguments = parser.parse_args()
    quiet_libraries()
    results = list(find_results(arguments.builds))
    if not results:
        raise ZooError("there is no checkpoint", where=arguments.builds, fix="zoo build first")
    registry, settings = load_registry(), Settings.load()
    corpora = {result.corpus: _load(registry, result.corpus, settings) for result in results}
    path = RESULTS / "report.json"
    kept: dict[str, Any] = json.loads(path.read_text())["adapters"] if path.is_file() else {}
    adapters = {}
    for result in results:
        folder = arguments.builds / "checkpoints" / result.checkpoint_id
        entry = kept.get(result.fingerprints["adapter"], {"robustness": {}, "cross": {}})
        _score(result, folder, corpora, entry, arguments.robustness_documents)
        adapters[result.fingerprints["adapter"]] = entry
        write_whole(path, json.dumps({"command": COMMAND, "adapters": {**kept, **adapters}}, indent=1) + "\n")
    matrix = _matrix(results, adapters)
    write_whole(RESULTS / "cross.csv", matrix.to_csv())
    (RESULTS / "cross.png").write_bytes(heat_map(matrix))
    data = {
        "command": COMMAND,
        "robustness_documents": arguments.robustness_documents,
        "results": [result.model_dump(mode="json", exclude={"training", "corpus_record"}) for result in results],
        "adapters": adapters,
    }
    write_whole(path, json.dumps(data, indent=1) + "\n")
    write_whole(RESULTS / "report.md", _markdown(results, adapters, arguments.robustness_documents, matrix))


def _load(registry: Registry, name: str, settings: Settings) -> Corpus:
    return load_corpus(
        registry.corpus(name), registry_folder=registry.folders[f"corpora/{name}"], local=settings.corpora
    )


def _score(result: Result, folder: Path, corpora: dict[str, Corpus], entry: dict[str, Any], limit: int) -> None:
    """Fill in what is missing of one adapter's entry."""
    model = describe_model(str(folder))
    missing = [name for name in corpora if name not in entry["cross"]]
    if not missing and entry["robustness"].get("documents_limit") == limit:
        return
    tagger = Tagger.load(folder)
    known = predictable_types(tagger, model.entity_types)
    for name in missing:
        sys.stderr.write(f"{result.checkpoint_id} on {name}\n")
        cell = score_pair(model, known, tagger, corpora[name], mapping=None, samples=1000)
        score = cell.score.model_dump(mode="json") if cell.score else None
        entry["cross"][name] = {**vars(cell), "types": list(cell.types), "score": score}
    if entry["robustness"].get("documents_limit") != limit:
        sys.stderr.write(f"{result.checkpoint_id}: robustness\n")
        documents = corpora[result.corpus].splits["test"][:limit]
        scores = {name: score._asdict() for name, score in robustness(tagger, documents).items()}
        entry["robustness"] = {"documents_limit": limit, "documents": len(documents), "scores": scores}


def _matrix(results: Sequence[Result], adapters: dict[str, Any]) -> Matrix:
    names, corpora = tuple(r.checkpoint_id for r in results), tuple(r.corpus for r in results)
    cells = {}
    for result in results:
        for corpus in corpora:
            data = adapters[result.fingerprints["adapter"]]["cross"][corpus]
            score = SplitScore.model_validate(data["score"]) if data["score"] else None
            cells[result.checkpoint_id, corpus] = Cell(**{**data, "types": tuple(data["types"]), "score": score})
    return Matrix(names, corpora, cells)


def _markdown(results: Sequence[Result], adapters: dict[str, Any], limit: int, matrix: Matrix) -> str:
    p = "{:.2f}".format
    hardware = ", ".join(sorted({r.energy.hardware for r in results}))
    versions = ", ".join(f"{name} {version}" for name, version in results[0].versions.items())
    lines = [
        "# Report on real corpora",
        "",
        f"Made by `{COMMAND}` after `zoo build` of each checkpoint; {hardware}; {versions}.",
        "Strict entity scores in percent, one training seed each; intervals are 95% percentile bootstraps over",
        "documents (sentences, where the corpus has no document borders).",
        "",
        "## Scores",
        "",
        "| checkpoint | test F1 | 95% interval | P | R | dev F1 | trained parameters | adapter MB | training s | Wh "
        "| g CO2e |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        t = r.scores.test
        lines.append(
            f"| {r.checkpoint_id} | **{p(100 * t.micro_f1)}** | {p(100 * t.ci95[0])} to {p(100 * t.ci95[1])} "
            f"| {p(100 * t.precision)} | {p(100 * t.recall)} | {p(100 * r.scores.dev.micro_f1)} "
            f"| {r.trained_parameters:,} ({p(100 * r.trained_share)} %) | {p(r.adapter_bytes / 1e6)} "
            f"| {r.train_seconds:.0f} | {p(r.energy.energy_wh)} | {p(r.energy.emissions_g)} |"
        )
    lines += [
        "",
        "## Memory, leakage, raw text",
        "",
        "Seen: the mention's surface form and type stand in training. Leaked: test documents that stand in train too,",
        "exactly or nearly. Raw text: original documents through plain `transformers.pipeline`; documents in which our",
        "own decoding finds other entities are counted. Raw text differs from the token columns in spaces around",
        "punctuation and in that the model reads whole documents.",
        "",
        "| checkpoint | F1 seen | F1 unseen | unseen share of gold | leaked documents | F1 without leaked "
        "| raw-text F1 | raw documents (differing) | truncated | unaligned |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        m, w, raw = r.memorisation, r.without_leaked, r.raw_text
        shown = f"{p(100 * raw.score.micro_f1)} | {raw.score.documents} ({raw.differing_documents})" if raw else " | "
        lines.append(
            f"| {r.checkpoint_id} | {p(100 * m.seen.f1)} | {p(100 * m.unseen.f1)} "
            f"| {p(100 * (1 - m.seen_gold_share))} % "
            f"| {w.leaked_documents} of {w.documents + w.leaked_documents} | {p(100 * w.micro_f1)} | {shown} "
            f"| {r.scores.test.truncated_entities} | {r.scores.test.unaligned_mentions} |"
        )
    names = list(next(iter(adapters.values()))["robustness"]["scores"])
    lines += [
        "",
        "## Robustness",
        "",
        f"F1 on the first {limit} test documents as they are, and the loss in points when their text is changed.",
        "",
        "| checkpoint | documents | " + " | ".join(names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for r in results:
        data = adapters[r.fingerprints["adapter"]]["robustness"]
        cells = [
            p(100 * data["scores"][n]["micro_f1"]) if n == "original" else f"{-100 * data['scores'][n]['loss']:+.2f}"
            for n in names
        ]
        lines.append(f"| {r.checkpoint_id} | {data['documents']} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "## Cross-corpus",
        "",
        "Rows: trained on; columns: test split of. `*`: over the types in common only.",
        "",
    ]
    lines += ["| | " + " | ".join(matrix.corpora) + " |", "|---|" + "---|" * len(matrix.corpora)]
    for model in matrix.models:
        cells = []
        for corpus in matrix.corpora:
            cell = matrix.cells[model, corpus]
            mark = "*" if cell.status == "reduced" else ""
            cells.append(f"{p(100 * cell.score.micro_f1)}{mark}" if cell.score else "")
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "![cross-corpus matrix](cross.png)", ""])


if __name__ == "__main__":
    try:
        main()
    except ZooError as error:
        sys.exit(f"error: {error}")
