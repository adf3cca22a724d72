"""A static page that finds entities in the browser: one base in int8, adapters of a few hundred kB each, no server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from zoo.cards.current import current_result
from zoo.cards.licenses import judge_result
from zoo.errors import ZooError
from zoo.evaluation.result import RESULT_FILE
from zoo.export.check import Agreement, compare, sample_texts
from zoo.export.graph import AdapterGraph, Addition, HeadLabels, Run, graph_tagger, open_graph, write_adapter_graph
from zoo.export.merged import EXPORT_FILE, check_agreement, fresh_folder
from zoo.export.runtime import RUNTIME, write_runtime
from zoo.export.source import ExportSource, MergedModel, head_sources, open_model, publication_obstacle
from zoo.export.wordpiece import describe_wordpiece
from zoo.files import write_whole
from zoo.language.examples import example_sentence
from zoo.modeling.windows import parse_label
from zoo.records import Record
from zoo.tagging.models import locate

if TYPE_CHECKING:
    from zoo.registry.loader import Registry

GRAPH_FILE, TOKENIZER_FILE = "base.onnx", "tokenizer.json"
PAGE = Path(__file__).with_name("page")
_FLOAT_TEXTS = 12
"""So many sample texts are compared in float32, before the weights are rounded."""


class WebPart(Record):
    """A base or an adapter, and what its licence asks of whoever passes the page on."""

    name: str
    license: str = Field(description="SPDX, or that none is stated")
    notes: list[str] = Field(description="whom to name, and what else the licences pass on")
    obstacle: str = Field(description="why it must not be passed on to everybody; empty: it may")


class WebModel(WebPart):
    """An adapter on the page."""

    file: str
    types: list[str]
    heads: list[HeadLabels]
    adapter_sha256: str | None = Field(description="of the adapter's weights; null: not recorded")
    agreement: list[Agreement] = Field(description="of each head with the original, on the texts that zoo bundles")


class WebRecord(Record):
    """`export.json`: what the page is made of; the page itself reads it."""

    schema_version: Literal[1] = 1
    kind: Literal["web"] = "web"
    window_tokens: int
    stride_tokens: int
    base: WebPart
    models: list[WebModel]
    example: str
    versions: dict[str, str]


@dataclass(frozen=True)
class _Opened:
    """An adapter, loaded, its heads one by one."""

    source: ExportSource
    heads: list[MergedModel]

    @property
    def addition(self) -> Addition:
        return Addition.of([(head.original.model, head.own) for head in self.heads])

    @property
    def labels(self) -> list[HeadLabels]:
        starts = [sum(len(head.own) for head in self.heads[:k]) for k in range(len(self.heads))]
        return [
            HeadLabels(start=start, labels=head.merged.labels) for start, head in zip(starts, self.heads, strict=True)
        ]


def export_web(
    sources: Sequence[ExportSource], registry: Registry, runtime: Path, destination: Path, say: Callable[[str], None]
) -> WebRecord:
    """Write the page, whole or not at all, and compare what it computes with the originals.

    Args:
        sources: Adapters of one base.
        registry: Says what licences are now.
        runtime: The package of onnxruntime-web.
        destination: A folder that is empty or not there.
        say: Called with what begins.

    Raises:
        ZooError: The adapters stand on different bases, tokenizer or adapter is of a kind that the page does not know,
            the folder cannot be written, or what was written computes something else.
    """
    import torch
    from transformers import AutoModelForTokenClassification

    names, base_folder = _names(sources), _one_base(sources)
    opened = [_Opened(source, [open_model(head) for _, head in head_sources(source)]) for source in sources]
    additions = [each.addition for each in opened]
    tagger = opened[0].heads[0].original
    tokenizer = describe_wordpiece(tagger.tokenizer)
    base = AutoModelForTokenClassification.from_pretrained(base_folder, dtype=torch.float32)
    graph = AdapterGraph(base, additions)
    rows = [graph.pack(addition) for addition in additions]
    texts = sample_texts()
    for each, row in zip(opened, rows, strict=True):
        with torch.no_grad():
            for agreement in _agreements(each, partial(graph, adapter=row), texts[:_FLOAT_TEXTS]):
                check_agreement(agreement, f"the page's form of {each.source.model}")
    with fresh_folder(destination) as folder:
        shutil.copytree(PAGE, folder, dirs_exist_ok=True)
        write_runtime(runtime, folder / "runtime")
        say("writing the base in int8")
        write_adapter_graph(graph, rows[0].numel(), folder / GRAPH_FILE)
        (folder / "adapters").mkdir()
        models = []
        for number, (name, each, row) in enumerate(zip(names, opened, rows, strict=True)):
            say(f"comparing {name} with the original on real text")
            file = f"adapters/{number}.bin"
            row.to(torch.float16).numpy().astype("<f2").tofile(folder / file)
            result = each.source.record()
            models.append(
                WebModel(
                    **_part(each.source, registry, name=name),
                    file=file,
                    types=list(dict.fromkeys(t for h in each.labels for n in h.labels if (t := parse_label(n)[1]))),
                    heads=each.labels,
                    adapter_sha256=result.fingerprints.get("adapter") if result else None,
                    agreement=_agreements(each, open_graph(folder / GRAPH_FILE, folder / file), texts),
                )
            )
        write_whole(folder / TOKENIZER_FILE, json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")))
        first = sources[0].record()
        record = WebRecord(
            window_tokens=tagger.window_tokens,
            stride_tokens=tagger.stride_tokens,
            base=WebPart(
                **_part(sources[0], registry, of_base=True, name=first.base_repo_id if first else base_folder.name)
            ),
            models=models,
            example=_example([kind for model in models for kind in model.types]),
            versions={"zoo": version("biomedical-ner-zoo"), "onnxruntime-web": RUNTIME.split()[1]}
            | {name: version(name) for name in ("torch", "transformers", "peft", "onnxruntime")},
        )
        write_whole(folder / EXPORT_FILE, record.to_json())
    return record


def _names(sources: Sequence[ExportSource]) -> list[str]:
    """What the models are called on the page.

    Raises:
        ZooError: Two have one name.
    """
    names = [source.name for source in sources]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ZooError(f"two of the models are called {twice[0]}", fix="name each model once")
    return names


def _one_base(sources: Sequence[ExportSource]) -> Path:
    """The folder of the base that all stand on.

    Raises:
        ZooError: They stand on several.
    """
    bases = {locate(source.model).base: source.model for source in sources}
    if len(bases) > 1:
        told = "; ".join(f"{model} on {base}" for base, model in bases.items())
        raise ZooError(f"the models stand on different bases: {told}", fix="write a page for each base")
    return next(iter(bases))


def _agreements(each: _Opened, run: Run, texts: list[str]) -> list[Agreement]:
    return [
        compare(head.original, graph_tagger(head.original, run, [labels]), texts, head.own)
        for head, labels in zip(each.heads, each.labels, strict=True)
    ]


def _part(source: ExportSource, registry: Registry, *, name: str, of_base: bool = False) -> dict[str, Any]:
    """Fields of `WebPart`, of an adapter or of its base."""
    result = source.record()
    if result is None:
        why = f"there is no {RESULT_FILE} beside {source.name}, so that nothing says what it was trained on"
        return {"name": name, "license": "none is stated", "notes": [], "obstacle": why}
    result = current_result(result, registry)
    backbone, corpus = registry.backbones.get(result.backbone), registry.corpora.get(result.corpus)
    obstacle = publication_obstacle(result, registry)
    if backbone is None or corpus is None:
        return {"name": name, "license": result.license, "notes": [], "obstacle": obstacle}
    verdict = judge_result(result, backbone, None if of_base else corpus)
    return {
        "name": name,
        "license": verdict.spdx,
        "notes": [*verdict.attribution, *verdict.notes],
        "obstacle": "; ".join(verdict.reasons) if of_base else obstacle,
    }


def _example(types: Sequence[str]) -> str:
    """Invented sentences with mentions of the types, in English."""
    sentences = (example_sentence(name, "en") for name in dict.fromkeys(types))
    return " ".join(sentence for sentence in sentences if sentence)
