"""A model that stands alone, written whole and checked: everything but PEFT that its users need."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from zoo.errors import ZooError
from zoo.evaluation.result import RESULT_FILE, Decoding, Result
from zoo.export.check import LOGIT_TOLERANCE, Agreement, compare, sample_texts
from zoo.export.source import MergedModel
from zoo.files import file_sha256, new_folder, share_weights, write_whole
from zoo.hub.bundle import MACHINE_KEYS
from zoo.hub.manifest import CARD_FILE
from zoo.modeling.windows import aggregation_strategy
from zoo.records import Record
from zoo.tagging.tagger import Tagger

EXPORT_FILE = "export.json"


class ExportedFile(Record):
    """A file with weights, and how it was checked."""

    name: str
    precision: Literal["float32", "int8"]
    size_bytes: int
    sha256: str
    agreement: Agreement = Field(description="with the original in torch, on the texts that zoo bundles")
    entity_share: float | None = Field(description="equal entities / those that either finds; null: neither finds any")


class ExportRecord(Record):
    """`export.json`: what an export was made of, and how far it computes the same."""

    schema_version: Literal[1] = 1
    kind: Literal["merged", "onnx"]
    source: str | None = Field(description="Hub id of the original; null: a folder without a record")
    adapter_sha256: str | None = Field(description="of the adapter's weights; null: not recorded")
    labels: list[str]
    decoding: Decoding
    files: list[ExportedFile]
    versions: dict[str, str]


def export_merged(model: MergedModel, destination: Path) -> ExportRecord:
    """Write a whole model: weights, config with its labels, tokenizer, `result.json`, `export.json`, card if it may.

    Args:
        model: What to write.
        destination: A folder that is empty or not there.

    Raises:
        ZooError: The folder is not empty or cannot be written, or what was written computes something else.
    """
    with fresh_folder(destination) as folder:
        model.merged.model.save_pretrained(folder)
        share_weights(folder, folder / "config.json")
        save_tokenizer(model, folder)
        written = Tagger.load(folder)
        written.model.to("cpu")
        agreement = compare(model.original, written, sample_texts(), model.own)
        check_agreement(agreement, "the merged model")
        weights = sorted(folder.glob("*.safetensors"))
        files = [exported_file(path, "float32", agreement) for path in weights]
        record = export_record("merged", model, files, ("torch", "transformers", "peft"))
        write_whole(folder / EXPORT_FILE, record.to_json())
        if model.source.result:
            shutil.copyfile(model.source.result, folder / RESULT_FILE)
        result = model.source.record()
        if model.source.card and result:
            card = merged_card(model.source.card.read_text(encoding="utf-8"), result, agreement)
            write_whole(folder / CARD_FILE, card)
    return record


def merged_card(text: str, result: Result, agreement: Agreement) -> str:
    """The card of an adapter as that of the merged model.

    Args:
        text: Card of the adapter.
        result: Its record.
        agreement: What the comparison of both gave.
    """
    from huggingface_hub import ModelCard

    card = ModelCard(text)
    card.data["library_name"] = "transformers"
    card.data["base_model_relation"] = "merge"
    card.data["tags"] = [tag for tag in card.data.get("tags") or [] if tag != "lora"]
    adapter, base = (f"[{name}](https://huggingface.co/{name})" for name in (result.repo_id, result.base_repo_id))
    note = (
        f"> **Merged.** The LoRA adapter {adapter} merged into its base {base}, with a head of its own labels only: it "
        f"loads with `transformers` alone. On {agreement.texts} texts its logits differ from the adapter's by at most "
        f"{agreement.max_logit_difference:.1g}, and {agreement.equal_entities} of {agreement.entities} entities are "
        "the same. What follows is the card of the adapter; give this model's folder or name in place of the adapter's."
    )
    title, newline, rest = card.text.lstrip("\n").partition("\n")
    card.text = f"\n{title}\n\n{note}\n{newline}{rest.lstrip(chr(10))}"
    return str(card)


def check_destination(destination: Path) -> None:
    """Refuse to write where something is.

    Raises:
        ZooError: It is a file, or a folder with something in it.
    """
    if destination.is_dir() and not any(destination.iterdir()):
        return
    if destination.exists() or destination.is_symlink():
        what = "the folder is not empty" if destination.is_dir() else "there is a file of this name"
        raise ZooError(f"{what}: nothing is overwritten", where=destination, fix="name a new folder")


@contextmanager
def fresh_folder(destination: Path) -> Iterator[Path]:
    """A temporary folder that becomes `destination` if the block succeeds and vanishes if it fails.

    Raises:
        ZooError: `destination` is not empty, or cannot be written.
    """
    check_destination(destination)
    try:
        with new_folder(destination) as temporary:
            yield temporary
            check_destination(destination)
    except OSError as error:
        raise ZooError(f"cannot write the model: {error.strerror or error}", where=destination) from None


def save_tokenizer(model: MergedModel, folder: Path) -> None:
    """Write the tokenizer, its longest text a window, without what it says of this machine."""
    tokenizer: Any = copy.deepcopy(model.original.tokenizer)
    tokenizer.model_max_length = model.original.window_tokens
    for name in MACHINE_KEYS:
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.name_or_path = ""
    tokenizer.save_pretrained(folder)


def check_agreement(agreement: Agreement, what: str) -> None:
    """Refuse what does not compute the same in float32.

    Raises:
        ZooError: A logit differs by more than `LOGIT_TOLERANCE`, or is not a number.
    """
    if not agreement.max_logit_difference <= LOGIT_TOLERANCE:
        raise ZooError(
            f"{what} differs from the original by {agreement.max_logit_difference:.3g} in its logits, more than "
            f"{LOGIT_TOLERANCE:g}: nothing is written",
            fix="report this with the model's architecture and the versions of torch and transformers",
        )


def exported_file(path: Path, precision: Literal["float32", "int8"], agreement: Agreement) -> ExportedFile:
    """The record of a written file."""
    return ExportedFile(
        name=path.name,
        precision=precision,
        size_bytes=path.stat().st_size,
        sha256=file_sha256(path),
        agreement=agreement,
        entity_share=agreement.share,
    )


def export_record(
    kind: Literal["merged", "onnx"], model: MergedModel, files: list[ExportedFile], libraries: tuple[str, ...]
) -> ExportRecord:
    """The record of an export, which names no folder of this machine."""
    result = model.source.record()
    on_hub = None if Path(model.source.model).is_dir() else model.source.model
    return ExportRecord(
        kind=kind,
        source=result.repo_id if result else on_hub,
        adapter_sha256=result.fingerprints.get("adapter") if result else None,
        labels=model.merged.labels,
        decoding=Decoding(
            aggregation_strategy=aggregation_strategy(model.original.tokenizer),
            window_tokens=model.original.window_tokens,
            stride_tokens=model.original.stride_tokens,
        ),
        files=files,
        versions={"zoo": version("biomedical-ner-zoo"), **{name: version(name) for name in libraries}},
    )
