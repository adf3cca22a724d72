r"""Gold mentions linked, step by step: what each step of the cascade brings, beside the figures of others.

    ZOO_CORPORA=DIR ZOO_ONTOLOGIES=DIR python benchmarks/linking/measure.py --base FOLDER [--corpora ...] [--report]

`--base` is a base of `zoo build` (`builds/bases/minilm-l6`). For each corpus a linker is trained as the stage `linker`
does (its encoder once, kept below `--out`); then cascades of more and more steps are put together, without and with the
names of the training data. Each has weights of its own, fitted on train with the names of other folds; test is scored
with the names of train and dev. Results are added to `benchmarks/results/linking.json` as soon as they are there; the
table is `benchmarks/results/linking.md`. Run again, the script goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.corpora.load import Corpus, open_corpus
from zoo.evaluation.linking import measure_linking
from zoo.evaluation.linking_rules import Vocabulary
from zoo.files import write_whole
from zoo.linking.encoder import NameEncoder
from zoo.linking.index import Index
from zoo.linking.indexes import open_index
from zoo.linking.linker import ADAPTER, LINKER_FILE, Linker, Steps
from zoo.linking.ranking import fit_ranking
from zoo.linking.trained_names import TrainedNames, count_names
from zoo.registry.link_recipe import LinkRecipe
from zoo.registry.loader import load_registry
from zoo.registry.recipes import parse_settings
from zoo.settings import Settings
from zoo.tagging.models import Base
from zoo.training.linker import assemble_linker, held_out_examples, named_mentions, train_linker

RESULTS = Path(__file__).parents[1] / "results"
CORPORA = ("ncbi-disease-abstracts", "bc5cdr-abstracts", "craft", "linnaeus-articles", "species-800-abstracts")
ONLY_EXACT = Steps(abbreviations=False, alike=False, search=False, composites=False, document=False)
CASCADE: Mapping[str, tuple[Steps, bool]] = {
    "exact": (ONLY_EXACT, False),
    "+ abbreviations": (Steps(alike=False, search=False, composites=False, document=False), False),
    "+ spelling, plural, word order": (Steps(search=False, composites=False, document=False), False),
    "+ composites": (Steps(search=False, document=False), False),
    "+ trigrams": (Steps(document=False), False),
    "+ the document": (Steps(), False),
    "+ encoder": (Steps(), True),
}
"""Name -> its steps, and whether it has the encoder."""
ANCHORS = {
    (
        "ncbi-disease-abstracts",
        "Disease",
    ): "arboEL 80.0, BioSyn 80.7, GenBioEL 83.9, BELHD 87.6",
    ("bc5cdr-abstracts", "Disease"): "arboEL 84.9, BioSyn 85.1, GenBioEL 88.5, BELHD 89.2",
    ("bc5cdr-abstracts", "Chemical"): "arboEL 87.4, BioSyn 84.6, GenBioEL 94.6, BELHD 92.9",
    ("species-800-abstracts", "Species"): "arboEL 78.6, BioSyn 83.2, GenBioEL 88.8, BELHD 84.4",
    ("linnaeus-articles", "Species"): "arboEL 75.0, BioSyn 88.6, GenBioEL 76.9, BELHD 81.9",
}
"""Stored predictions of BELB (Garda et al. 2023) and BELHD (Garda and Leser 2024), scored anew by BELB's rule."""


def main() -> None:
    """Measure what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--family", default="bert")
    parser.add_argument("--corpora", nargs="*", default=list(CORPORA))
    parser.add_argument("--out", type=Path, default=Path("builds/linking"))
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="fields of the recipe's `link`")
    parser.add_argument("--split", choices=("dev", "test"), default="test", help="dev: to choose by; nothing is kept")
    parser.add_argument("--report", action="store_true", help="only write the table")
    arguments = parser.parse_args()
    if not arguments.report:
        for corpus in arguments.corpora:
            _measure(corpus, arguments)
    _report()


def _measure(name: str, arguments: argparse.Namespace) -> None:
    settings = Settings.load()
    registry = load_registry(settings.registry)
    corpus = open_corpus(registry.corpus(name), registry, settings)
    folder = arguments.out / name
    indexes = indexes_of(corpus, settings)
    recipe = LinkRecipe(**{key.removeprefix("link."): v for key, v in parse_settings(arguments.set).items()})
    if not (folder / LINKER_FILE).is_file():
        started = time.perf_counter()
        train_linker(
            base=arguments.base,
            family=registry.families[arguments.family],
            ontologies={type: index for type, (index, _) in indexes.items()},
            train=corpus.splits["train"],
            dev=corpus.splits["dev"],
            recipe=recipe,
            seed=arguments.seed,
            destination=folder,
            snapshot_path=arguments.out / f"{name}.snapshot.safetensors",
            progress=_say,
        )
        write_whole(folder / "seconds.json", json.dumps(time.perf_counter() - started))
    encoder = NameEncoder(Base.load(arguments.base), folder / ADAPTER) if (folder / ADAPTER).is_dir() else None
    for type, (index, vocabulary) in indexes.items():
        for variant, (steps, encodes) in CASCADE.items():
            for with_names in (False, True):
                if encodes and encoder is None:
                    continue
                key = f"{name} {type} {'train names' if with_names else 'no train names'} {variant}"
                if arguments.split == "test" and key in _load():
                    continue
                entry = _variant(
                    corpus, type, index, vocabulary, steps, encoder if encodes else None, folder, with_names, arguments
                )
                scores = entry["scores"]["gold"]
                belb = scores["belb"]
                _say(0, 0, f"{key}: {100 * belb['accuracy_at_1']:.2f}, unseen {100 * scores['unseen']['accuracy']:.2f}")
                if arguments.split == "test":
                    _add(key, {"corpus": name, "type": type, "step": variant, "with_names": with_names, **entry})


def _variant(
    corpus: Corpus,
    type: str,
    index: Index,
    vocabulary: Vocabulary,
    steps: Steps,
    encoder: NameEncoder | None,
    folder: Path,
    with_names: bool,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Scores of one cascade on one type."""
    types = {type: index}
    of_train = named_mentions(corpus.splits["train"], type, index)
    of_dev = named_mentions(corpus.splits["dev"], type, index)
    before = {type: TrainedNames(count_names(of_train) if with_names else {})}
    after = {type: TrainedNames(count_names([*of_train, *of_dev]) if with_names else {})}

    def linker(seen: Mapping[str, TrainedNames], ranking: Any) -> Linker:
        return assemble_linker(types, seen, {type: ranking}, folder, encoder, steps)

    recipe = LinkRecipe(train_names=with_names)
    ranking = fit_ranking(
        held_out_examples(corpus.splits["train"], type, index, recipe, folder, encoder, arguments.seed, steps)
    )
    chosen, final = linker(before, ranking), linker(before if arguments.split == "dev" else after, ranking)
    started = time.perf_counter()
    scores = measure_linking(
        final,
        {type: vocabulary},
        corpus.splits,
        split=arguments.split,
        train_names=("train" if arguments.split == "dev" else "train+dev") if with_names else "none",
        calibration=chosen,
        described="zoo, minilm-l6",
    )
    return {
        "scores": scores.model_dump(mode="json", exclude={"abstention": {"curve"}, "per_type": True}),
        "seconds": time.perf_counter() - started,
    }


def indexes_of(corpus: Corpus, settings: Settings) -> dict[str, tuple[Index, Vocabulary]]:
    """Entity type -> index of the first ontology that the corpus names for it, with what scores say of it."""
    registry = load_registry(settings.registry)
    found = {}
    for type, (ontology_id, *_) in corpus.entry.ontologies.items():
        opened = open_index(ontology_id, registry, settings)
        info = opened.index.info
        found[type] = (opened.index, Vocabulary(info.ontology, info.version, opened.fingerprint, opened.index.concept))
    return found


def _say(done: int, steps: int, note: str) -> None:
    if note:
        sys.stderr.write(f"{note}\n")
        sys.stderr.flush()


def _load() -> dict[str, Any]:
    path = RESULTS / "linking.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _add(key: str, entry: dict[str, Any]) -> None:
    write_whole(RESULTS / "linking.json", json.dumps(_load() | {key: entry}, indent=1) + "\n")


def _report() -> None:
    """Write the table."""
    lines = [
        "# Linking gold mentions, step by step",
        "",
        "Made by `python benchmarks/linking/measure.py` (its docstring says how): accuracy at 1 on the test split in",
        "percent by BELB's rule (one prediction a mention; of a composite any of its ids), `minilm-l6`, one seed, with",
        "the 95% bootstrap interval over documents. Unseen: mentions whose text is not one of train or dev. Answered:",
        "share of the mentions that are answered at the threshold that gives 95 % precision on dev, and their",
        "precision on test. Other systems' figures are by the same rule; their vocabularies are those of BELB, ours",
        "stand in each heading.",
    ]
    rows = _load().values()
    for corpus, type in dict.fromkeys((row["corpus"], row["type"]) for row in rows):
        own = [row for row in rows if (row["corpus"], row["type"]) == (corpus, type)]
        scores = own[0]["scores"]
        used = scores["vocabularies"][type]
        gold = scores["gold"]
        lines += [
            "",
            f"## {corpus}, {type}: {used['id']} ({used['version']})",
            "",
            f"{gold['belb']['mentions']:,} mentions, {gold['belb']['left_out']:,} without id left out; an id of "
            f"{100 * gold['coverage']:.1f} % is in the vocabulary; {gold['unseen']['mentions']:,} have an unseen text.",
            "",
            "| names of train and dev | steps | accuracy@1 | interval | @5 | @20 | seen | unseen | BioSyn's rule "
            "| answered |",
            "|" + "---|" * 10,
        ]
        for row in own:
            found = row["scores"]["gold"]
            belb, abstention = found["belb"], row["scores"]["abstention"]
            low, high = belb["ci95"]
            lines.append(
                f"| {'yes' if row['with_names'] else 'no'} | {row['step']} | **{_percent(belb['accuracy_at_1'])}** "
                f"| {_percent(low)} to {_percent(high)} | {_percent(belb['accuracy_at_5'])} "
                f"| {_percent(belb['accuracy_at_20'])} | {_percent(found['seen']['accuracy'])} "
                f"| {_percent(found['unseen']['accuracy'])} | {_percent(found['biosyn']['accuracy_at_1'])} "
                f"| {_answered(abstention)} |"
            )
        if anchor := ANCHORS.get((corpus, type)):
            lines += ["", f"Others by BELB's rule, accuracy@1: {anchor}."]
    write_whole(RESULTS / "linking.md", "\n".join([*lines, ""]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _answered(abstention: dict[str, Any]) -> str:
    if abstention["threshold"] is None:
        return ""
    return f"{_percent(abstention['answered_share'])} at {_percent(abstention['precision'])}"


if __name__ == "__main__":
    main()
