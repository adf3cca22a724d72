"""A model in ONNX, float32 and int8, for onnxruntime and what builds on it (optimum, transformers.js)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.export.check import compare, sample_texts
from zoo.export.merged import (
    EXPORT_FILE,
    ExportRecord,
    check_agreement,
    export_record,
    exported_file,
    fresh_folder,
    save_tokenizer,
)
from zoo.export.source import MergedModel
from zoo.files import write_whole
from zoo.modeling.batches import pad
from zoo.tagging.models import Base, Member
from zoo.tagging.tagger import Tagger

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

FLOAT_FILE = "model.onnx"
INT8_FILE = "model_quantized.onnx"
"""Both as optimum names them, so that `ORTModelForTokenClassification.from_pretrained(folder)` takes the first."""
OPSET = 17
LARGEST_BYTES = 2_000_000_000
"""A protobuf message, which an ONNX file is, holds 2 GiB."""
_INPUTS = ("input_ids", "attention_mask")
_QUANTIZED = ("MatMul", "Gather")
"""The linear layers, and the embeddings, which are half of a small encoder."""


def export_onnx(model: MergedModel, destination: Path) -> ExportRecord:
    """Write `model.onnx` (float32), config, tokenizer and `export.json`; see `_export`."""
    return _export(model, destination, int8=False)


def export_int8(model: MergedModel, destination: Path) -> ExportRecord:
    """As `export_onnx`, with `model_quantized.onnx`: weights in int8, activations quantized as they come."""
    return _export(model, destination, int8=True)


def _export(model: MergedModel, destination: Path, *, int8: bool) -> ExportRecord:
    """Write the files and compare them with the original.

    Inputs are `input_ids` and `attention_mask`, int64 [batch, length], both sizes free; output is `logits`, float32
    [batch, length, labels]. Both files are run on real text and compared with the original in torch.

    Raises:
        ZooError: The folder is not empty, the architecture cannot be exported, or the float32 model computes something
            else.
    """
    with fresh_folder(destination) as folder:
        path = folder / FLOAT_FILE
        write_graph(model.merged, path)
        texts = sample_texts()
        agreement = compare(model.original, onnx_tagger(model.merged, path), texts, model.own)
        check_agreement(agreement, FLOAT_FILE)
        files = [exported_file(path, "float32", agreement)]
        if int8:
            quantize(path, folder / INT8_FILE)
            # Activations of a whole batch share one scale: what is found depends on the batch. A user's has one text.
            other = onnx_tagger(model.merged, folder / INT8_FILE)
            agreement = compare(model.original, other, texts, model.own, batch_tokens=1)
            files.append(exported_file(folder / INT8_FILE, "int8", agreement))
        model.merged.model.config.save_pretrained(folder)
        save_tokenizer(model, folder)
        record = export_record("onnx", model, files, ("torch", "transformers", "onnx", "onnxruntime"))
        write_whole(folder / EXPORT_FILE, record.to_json())
    return record


def write_graph(tagger: Tagger, path: Path) -> None:
    """Trace a model into an ONNX file.

    By the TorchScript exporter: it needs no further library, takes a tenth of the other's time, and the caller checks
    what it wrote at other lengths and batch sizes than those of the trace.

    Raises:
        ZooError: The model is too large for one file, or an operation has no counterpart in ONNX.
    """
    import torch

    class Logits(torch.nn.Module):
        def __init__(self, model: PreTrainedModel) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
            return logits

    free = {name: {0: "batch", 1: "length"} for name in _INPUTS}
    trace(Logits(tagger.model), _example(tagger), free, path)


def trace(
    module: torch.nn.Module,
    example: tuple[torch.Tensor, ...],
    inputs: Mapping[str, dict[int, str]],
    path: Path,
    *,
    fold: bool = True,
) -> None:
    """Trace a module with a `model` of transformers in it; its output are `logits`.

    Args:
        module: Gives logits.
        example: What it is called with.
        inputs: Names of the inputs, with the dimensions that are free; those of the logits are those of the first.
        path: File to write.
        fold: Compute at once what no input has a part in.

    Raises:
        ZooError: The model is too large for one file, or an operation has no counterpart in ONNX.
    """
    import torch

    tensors = (*module.parameters(), *module.buffers())
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if size > LARGEST_BYTES:
        raise ZooError(f"the model has {size / 1e9:.1f} GB of weights, and an ONNX file at most 2", fix="use --merged")
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                module.eval(),
                example,
                str(path),
                dynamo=False,
                opset_version=OPSET,
                do_constant_folding=fold,
                input_names=list(inputs),
                output_names=["logits"],
                dynamic_axes={**inputs, "logits": next(iter(inputs.values()))},
            )
    except (RuntimeError, TypeError, ValueError) as error:
        name = type(module.model).__name__
        raise ZooError(f"{name} cannot be exported to ONNX: {str(error).strip().splitlines()[0]}") from None


def quantize(source: Path, destination: Path) -> None:
    """Write the int8 form of a float32 ONNX file.

    Weights have one scale per output channel and 7 bits: with 8, processors without VNNI instructions overflow
    silently (onnxruntime's documentation, "Quantize ONNX models": `reduce_range`), and entities depend on the machine.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            source,
            destination,
            op_types_to_quantize=list(_QUANTIZED),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )


def onnx_tagger(like: Tagger, path: Path) -> Tagger:
    """A tagger whose logits come from an ONNX file; all else is as in `like`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    model: Any = _OnnxModel(session, like.model.config)
    base = Base(model, like.tokenizer)
    return replace(like, base=base, heads=(Member(base, None),))


@dataclass
class _OnnxModel:
    """What `Tagger` asks of a model, answered by onnxruntime."""

    session: Any
    config: Any

    def parameters(self) -> Iterator[torch.Tensor]:
        """One tensor, which tells the device."""
        import torch

        yield torch.zeros(0)

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        import torch

        feed = dict(zip(_INPUTS, (input_ids.numpy(), attention_mask.numpy()), strict=True))
        return SimpleNamespace(logits=torch.from_numpy(self.session.run(["logits"], feed)[0]))


def _example(tagger: Tagger) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of two windows of different lengths: a batch with padding, as int64 [2, T]."""
    texts = [text[:size] for text, size in zip(sample_texts(), (90, 60), strict=False)]
    windows = tagger.encode(texts)
    first, last = windows[0].input_ids, windows[-1].input_ids
    ids = pad([first, last], int(tagger.tokenizer.pad_token_id or 0))
    return ids, pad([[1] * len(first), [1] * len(last)], 0)


@contextmanager
def _quiet() -> Iterator[None]:
    """No notes on tracing and quantization: what comes out is checked."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
