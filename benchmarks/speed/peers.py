"""Other ways to tag the same abstracts with the same model: `pipeline()`, ONNX Runtime, spaCy, openmed, GLiNER.

    pip install 'biomedical-ner-zoo[onnx,peers]' && pip install --no-deps gliner  # it asks for an older transformers
    python benchmarks/speed/peers.py MODEL --texts FILE_OR_FOLDER [--documents 100] [--rounds 5]

`zoo export` writes MODEL merged and in ONNX for those that cannot load an adapter. One round measures every way once
over the next `--documents` texts; ratios are within a round, and their median is reported. Entities (start, end, type)
are compared with those of `pipeline()` with its defaults. A way whose package is not there, or which fails, stands in
the table with the reason. GLiNER's weights are not those of MODEL: it is built with random ones around an encoder of
MODEL's size, so its speed alone means something.

Writes `peers.{json,md}` to `benchmarks/results/amx` or `no-amx`, or to `--results`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from shared import results_folder, threads

from zoo.evaluation.latency import processor_name
from zoo.kernels.int8 import check_int8
from zoo.modeling.batches import pad, token_batches
from zoo.modeling.device import Precision, has_bfloat16
from zoo.modeling.quiet import quiet_libraries
from zoo.modeling.windows import aggregation_strategy, decode, encode, finish
from zoo.tagging.inputs import read_texts
from zoo.tagging.models import resolve_model
from zoo.tagging.stream import tag_stream
from zoo.tagging.tagger import Tagger
from zoo.tagging.texts import Text

REFERENCE = "pipeline, defaults"
PACKAGES = ("transformers", "torch", "peft", "onnxruntime", "spacy", "openmed", "gliner")
Found = list[list[tuple[int, int, str]]]
Way = Callable[[Sequence[str]], Found]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=100, help="of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=results_folder())
    arguments = parser.parse_args()
    quiet_libraries()
    needed = arguments.documents * arguments.rounds
    texts = [text.text for text in islice(read_texts(arguments.texts), needed)]
    if len(texts) < needed:
        parser.error(f"{arguments.texts} has {len(texts)} documents, and the rounds take {needed}")
    slices = [texts[start : start + arguments.documents] for start in range(0, needed, arguments.documents)]
    with tempfile.TemporaryDirectory() as folder:
        ways, left_out = _ready(_makers(arguments.model, Path(folder)), slices[0][:2])
        rounds, differ = _measure(ways, slices, left_out)
    _write(
        {
            "command": f"python benchmarks/speed/peers.py MODEL --texts FILE --documents {arguments.documents} "
            f"--rounds {arguments.rounds}",
            "machine": {"processor": processor_name(), "cores": os.cpu_count(), "threads": threads()},
            "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
            "model": Path(arguments.model).name,
            "documents": arguments.documents,
            "words": [sum(len(text.split()) for text in part) for part in slices],
            "rounds": rounds,
            "differing_documents": differ,
            "left_out": left_out,
        },
        arguments.results,
    )


def _makers(model: str, folder: Path) -> dict[str, Callable[[], Way]]:
    """Name -> what loads a way to tag; it may fail where a package is missing."""
    merged, onnx = folder / "merged", folder / "onnx"
    tagger = Tagger.load(model)
    options: list[object] = ["--merged", merged]
    if find_spec("onnx") and find_spec("onnxruntime"):
        options += ["--onnx", onnx, "--int8"]
    _export(model, *options)
    return {
        REFERENCE: lambda: _pipeline(tagger, 1),
        "pipeline, batch_size=8": lambda: _pipeline(tagger, 8),
        "pipeline, defaults, merged model": lambda: _pipeline(Tagger.load(merged), 1),
        "ONNX Runtime, batch 1": lambda: _onnx(tagger, onnx / "model.onnx", alike=False),
        "ONNX Runtime, batches of like length": lambda: _onnx(tagger, onnx / "model.onnx", alike=True),
        "ONNX Runtime int8, batch 1": lambda: _onnx(tagger, onnx / "model_quantized.onnx", alike=False),
        "ONNX Runtime int8, batches of like length": lambda: _onnx(tagger, onnx / "model_quantized.onnx", alike=True),
        "spaCy, nlp.pipe over pipeline()": lambda: _spacy(Tagger.load(merged)),
        "openmed.analyze_text": lambda: _openmed(merged, tagger),
        "openmed.BatchProcessor, batch_size=8": lambda: _openmed(merged, tagger, batch_size=8),
        "GLiNER of this size, random weights": lambda: _gliner(merged, tagger),
        "zoo tag": lambda: _zoo(model, "auto"),
        "zoo tag --precision float32": lambda: _zoo(model, "float32"),
        "zoo tag --precision bfloat16": lambda: _zoo(model, "bfloat16"),
        "zoo tag --precision int8": lambda: _zoo(model, "int8"),
    }


def _export(model: str, *options: object) -> None:
    """The command that users have."""
    command = [sys.executable, "-m", "zoo", "export", resolve_model(model), *map(str, options)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _ready(makers: dict[str, Callable[[], Way]], texts: Sequence[str]) -> tuple[dict[str, Way], dict[str, str]]:
    """The ways that work on a few texts, which also warms them up, and why the others do not."""
    ways: dict[str, Way] = {}
    left_out: dict[str, str] = {}
    for name, make in makers.items():
        try:
            way = make()
            way(texts)
            ways[name] = way
        except Exception as error:
            if name == REFERENCE:
                raise
            left_out[name] = _reason(error)
    return ways, left_out


def _reason(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"


def _measure(
    ways: dict[str, Way], slices: Sequence[Sequence[str]], left_out: dict[str, str]
) -> tuple[list[dict[str, float]], dict[str, int]]:
    """Seconds of each way and round, and documents of all rounds in which it found other entities."""
    rounds: list[dict[str, float]] = []
    differ = dict.fromkeys(ways, 0)
    for number, texts in enumerate(slices):
        seconds: dict[str, float] = {}
        found: dict[str, Found] = {}
        for name in list(ways):
            started = time.perf_counter()
            try:
                found[name] = ways[name](texts)
            except Exception as error:
                if name == REFERENCE:
                    raise
                left_out[name] = f"round {number + 1}: {_reason(error)}"
                del ways[name], differ[name]
                continue
            seconds[name] = time.perf_counter() - started
            sys.stderr.write(f"round {number + 1}: {name}: {seconds[name]:.2f} s\n")
        for name, answer in found.items():
            differ[name] += sum(set(a) != set(b) for a, b in zip(answer, found[REFERENCE], strict=True))
        rounds.append(seconds)
    return [{name: r[name] for name in ways} for r in rounds], differ


def _pipeline(tagger: Tagger, batch_size: int) -> Way:
    ner = _ner(tagger)
    return lambda texts: [
        [(e["start"], e["end"], e["entity_group"]) for e in found] for found in ner(list(texts), batch_size=batch_size)
    ]


def _ner(tagger: Tagger) -> Any:
    from transformers import pipeline

    return pipeline(
        "token-classification",
        model=tagger.model,
        tokenizer=tagger.tokenizer,
        aggregation_strategy=aggregation_strategy(tagger.tokenizer),
        stride=tagger.stride_tokens,
    )


def _zoo(model: str, precision: Precision) -> Way:
    tagger = Tagger.load(model)
    if precision == "int8":
        check_int8(tagger.model.device)
    if precision == "bfloat16" and not has_bfloat16():
        raise NotImplementedError("this processor has no products of bfloat16, and takes minutes to emulate them")

    def tag(texts: Sequence[str]) -> Found:
        stream = tag_stream([tagger], [Text("", text) for text in texts], precision=precision)
        return [[entity.key for entity in answer.entities[0]] for answer in stream]

    return tag


def _onnx(like: Tagger, path: Path, *, alike: bool) -> Way:
    """The session itself; windows and decoding are zoo's, which `pipeline()` agrees with."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = json.loads((path.parent / "config.json").read_text())["id2label"]
    labels = [names[str(index)] for index in range(len(names))]
    tokenizer, pad_id = like.tokenizer, int(like.tokenizer.pad_token_id or 0)

    def tag(texts: Sequence[str]) -> Found:
        windows = encode(tokenizer, texts, window_tokens=like.window_tokens, stride_tokens=like.stride_tokens)
        per_text: list[list[Any]] = [[] for _ in texts]
        found: list[list[Any]] = [[] for _ in windows]
        for batch in token_batches(windows, 512) if alike else [[index] for index in range(len(windows))]:
            feed = {
                "input_ids": pad([windows[i].input_ids for i in batch], pad_id).numpy(),
                "attention_mask": pad([[1] * len(windows[i]) for i in batch], 0).numpy(),
            }
            (logits,) = session.run(["logits"], feed)
            shares = np.exp(logits - logits.max(-1, keepdims=True))
            shares /= shares.sum(-1, keepdims=True)
            for row, index in enumerate(batch):
                own = shares[row, : len(windows[index])]
                found[index] = decode(windows[index], own.argmax(-1), own.max(-1), labels)
        for window, entities in zip(windows, found, strict=True):
            per_text[window.text].append(entities)
        return [[e.key for e in finish(text, each)] for text, each in zip(texts, per_text, strict=True)]

    return tag


class _Component:
    """What `hf_token_pipe` of spacy-huggingface-pipelines does; that package wants transformers 4."""

    def __init__(self, ner: Any) -> None:
        self.ner = ner

    def __call__(self, doc: Any) -> Any:
        return next(self.pipe([doc]))

    def pipe(self, stream: Any, batch_size: int = 8) -> Iterator[Any]:
        from spacy.util import filter_spans, minibatch

        for docs in minibatch(stream, batch_size):
            for doc, found in zip(docs, self.ner([doc.text for doc in docs], batch_size=batch_size), strict=True):
                spans = (doc.char_span(e["start"], e["end"], label=e["entity_group"]) for e in found)
                doc.set_ents(filter_spans([span for span in spans if span]))  # no span: not of whole spaCy tokens
                yield doc


def _spacy(tagger: Tagger) -> Way:
    import spacy
    from spacy.language import Language

    component = _Component(_ner(tagger))
    if not Language.has_factory("token_classification"):
        Language.factory("token_classification", func=lambda nlp, name: component)
    nlp = spacy.blank("en")
    nlp.add_pipe("token_classification")
    return lambda texts: [
        [(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in nlp.pipe(texts, batch_size=8)
    ]


def _openmed(merged: Path, tagger: Tagger, batch_size: int | None = None) -> Way:
    """Its defaults, sentence detection included, but for the strategy, which is the one all others take."""
    from openmed import BatchProcessor, ModelLoader, OpenMedConfig, analyze_text

    loader = ModelLoader(OpenMedConfig(backend="hf", device="cpu"))
    strategy = aggregation_strategy(tagger.tokenizer)
    keys: Callable[[Any], list[tuple[int, int, str]]] = lambda result: [  # noqa: E731
        (entity.start, entity.end, entity.label) for entity in result.entities
    ]
    if batch_size is None:
        return lambda texts: [
            keys(analyze_text(text, model_name=str(merged), loader=loader, aggregation_strategy=strategy))
            for text in texts
        ]
    processor = BatchProcessor(
        model_name=str(merged),
        loader=loader,
        aggregation_strategy=strategy,
        batch_size=batch_size,
        continue_on_error=False,
    )
    return lambda texts: [keys(item.result) for item in processor.process_texts(list(texts)).items]


def _gliner(merged: Path, tagger: Tagger) -> Way:
    """Its span model around an encoder of this size; its weights are on the Hub, these are random."""
    from gliner import GLiNER

    size = tagger.model.config.hidden_size
    model = GLiNER.from_config({"model_name": str(merged), "hidden_size": size}, backbone_from_pretrained=False).eval()
    types = sorted({name[2:] for name in Tagger.load(merged).labels if name != "O"})

    def tag(texts: Sequence[str]) -> Found:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it cuts texts of more than 384 words, and says so for each
            found = model.inference(list(texts), types, batch_size=8)
        return [[(e["start"], e["end"], e["label"]) for e in each] for each in found]

    return tag


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _write(data: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.json").write_text(json.dumps(data, indent=1) + "\n")
    rounds, words = data["rounds"], data["words"]
    versions = ", ".join(f"{name} {number}" for name, number in data["versions"].items() if number)
    lines = [
        "# Other ways to tag",
        "",
        f"`{data['command']}`: {data['machine']['processor']}, threads: {data['machine']['threads']}; adapter "
        f"`{data['model']}`, {sum(words):,} words; medians of {len(rounds)} rounds of {data['documents']} documents "
        f"each. {versions}.",
        "",
        "| way | words/s | times `pipeline` defaults | documents that differ |",
        "|---|---|---|---|",
    ]
    for name in rounds[0]:
        speed = statistics.median(number / r[name] for number, r in zip(words, rounds, strict=True))
        faster = statistics.median(r[REFERENCE] / r[name] for r in rounds)
        differ = "random weights" if name.startswith("GLiNER") else data["differing_documents"][name]
        lines.append(f"| {name} | {speed:,.0f} | {faster:.2f} | {differ} |")
    lines += [f"| {name} | not measured: {reason} | | |" for name, reason in data["left_out"].items()]
    lines += [
        "",
        f"Documents that differ: of {data['documents'] * len(rounds)}, those in which other entities (start, end, type)"
        " are found than with `pipeline` defaults. spaCy leaves out entities that are not made of its tokens; openmed "
        "cuts texts into sentences first.",
        "",
    ]
    (folder / "peers.md").write_text("\n".join(lines))
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()
