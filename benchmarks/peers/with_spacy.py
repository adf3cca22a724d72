"""What `measure.py` has spaCy do, in an environment of its own: `spacy-transformers` asks for an older transformers.

    PYTHON with_spacy.py train WAY FOLDER [--base DIR] [--epochs N] [--learning-rate X] [--seed N]
    PYTHON with_spacy.py tag FOLDER --rounds N

FOLDER holds `train.jsonl`, `dev.jsonl` and `test.jsonl` (`text`, `spans` of start, end and type). WAY is `dictionary`
(the mentions of training, by `entity_ruler`), `tok2vec` (the recipe of `spacy init config --pipeline ner`) or
`transformer` (that of `--gpu` around the model in DIR). `train` leaves a pipeline in `FOLDER/model`; `tag` writes
`FOLDER/tagged.json`: entities of dev and test, and CPU seconds of the fastest round on test.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import spacy
from spacy.cli.init_config import init_config
from spacy.cli.train import train as spacy_train
from spacy.tokens import DocBin
from spacy.util import filter_spans

SENTENCES_PER_BATCH = 16
PRECISE_ENOUGH = 0.5
"""A name of training stands in the dictionary if at least so many of its occurrences there are mentions."""


def main() -> None:
    """Train or tag."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    train = actions.add_parser("train")
    train.add_argument("way", choices=("dictionary", "tok2vec", "transformer"))
    train.add_argument("folder", type=Path)
    train.add_argument("--base")
    train.add_argument("--epochs", type=int)
    train.add_argument("--learning-rate", type=float)
    train.add_argument("--seed", type=int, default=13)
    tag = actions.add_parser("tag")
    tag.add_argument("folder", type=Path)
    tag.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.action == "tag":
        tag_splits(arguments.folder, arguments.rounds)
    elif arguments.way == "dictionary":
        write_dictionary(arguments.folder)
    else:
        train_network(arguments)


def read(folder: Path, split: str) -> list[dict[str, Any]]:
    """Documents of a split."""
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def write_dictionary(folder: Path) -> None:
    """Names of training with their most frequent type, without those that are mostly something else there."""
    documents = read(folder, "train")
    gold = [{(s["start"], s["end"], s["type"]) for s in document["spans"]} for document in documents]
    names: dict[str, Counter[str]] = {}
    for document in documents:
        for span in document["spans"]:
            name = document["text"][span["start"] : span["end"]].lower()
            names.setdefault(name, Counter())[span["type"]] += 1
    types = {name: found.most_common(1)[0][0] for name, found in names.items()}
    right, seen = Counter[str](), Counter[str]()
    for doc, mentions in zip(_ruler(types).pipe(d["text"] for d in documents), gold, strict=True):
        for entity in doc.ents:
            seen[entity.text.lower()] += 1
            right[entity.text.lower()] += (entity.start_char, entity.end_char, entity.label_) in mentions
    _ruler({n: t for n, t in types.items() if right[n] >= PRECISE_ENOUGH * max(1, seen[n])}).to_disk(folder / "model")


def _ruler(types: dict[str, str]) -> Any:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    ruler.add_patterns([{"label": label, "pattern": name} for name, label in types.items()])
    return nlp


def train_network(arguments: argparse.Namespace) -> None:
    """The recipe of spaCy; the transformer has the epochs, batches and learning rate of the other ways."""
    folder, nlp = arguments.folder, spacy.blank("en")
    for split in ("train", "dev"):
        left_out = _write_docs(nlp, read(folder, split), folder / f"{split}.spacy")
        sys.stderr.write(f"{split}: {left_out} mentions do not end where a token of spaCy ends\n")
    transformer = arguments.way == "transformer"
    config = init_config(lang="en", pipeline=["ner"], optimize="efficiency", gpu=transformer)
    training = config["training"]
    training["seed"] = config["system"]["seed"] = arguments.seed
    if transformer:
        steps = -(-len(read(folder, "train")) // SENTENCES_PER_BATCH)
        config["components"]["transformer"]["model"]["name"] = arguments.base
        training["batcher"] = {
            "@batchers": "spacy.batch_by_sequence.v1",
            "size": SENTENCES_PER_BATCH,
            "get_length": None,
        }
        training["accumulate_gradient"] = 1
        training["max_epochs"], training["max_steps"], training["patience"] = arguments.epochs, 0, 0
        training["eval_frequency"] = steps
        training["optimizer"]["learn_rate"] = {
            "@schedules": "warmup_linear.v1",
            "initial_rate": arguments.learning_rate,
            "warmup_steps": steps * arguments.epochs // 10,
            "total_steps": steps * arguments.epochs,
        }
    config.to_disk(folder / "config.cfg")
    paths = {f"paths.{split}": str(folder / f"{split}.spacy") for split in ("train", "dev")}
    spacy_train(folder / "config.cfg", folder / "output", use_gpu=-1, overrides=paths)
    (folder / "output" / "model-best").rename(folder / "model")


def _write_docs(nlp: Any, documents: list[dict[str, Any]], path: Path) -> int:
    docs, left_out = DocBin(), 0
    for document in documents:
        doc = nlp.make_doc(document["text"])
        spans = [doc.char_span(s["start"], s["end"], label=s["type"]) for s in document["spans"]]
        left_out += spans.count(None)
        doc.ents = filter_spans([span for span in spans if span is not None])
        docs.add(doc)
    docs.to_disk(path)
    return left_out


def tag_splits(folder: Path, rounds: int) -> None:
    """Entities of dev and test; the speed of the fastest round on test."""
    spacy.require_cpu()
    nlp = spacy.load(folder / "model")
    found: dict[str, Any] = {}
    seconds = []
    for split in ("dev", *["test"] * rounds):
        texts = [document["text"] for document in read(folder, split)]
        started = time.process_time()
        docs = list(nlp.pipe(texts))
        seconds.append(time.process_time() - started)
        found[split] = [[(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in docs]
    (folder / "tagged.json").write_text(json.dumps({"entities": found, "cpu_seconds": min(seconds[1:])}))


if __name__ == "__main__":
    main()
