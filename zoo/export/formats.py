"""The forms that a model can be exported in. A new one is a module with its writer, and a line in `FORMATS`."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.export.merged import ExportRecord
    from zoo.export.source import MergedModel


@dataclass(frozen=True)
class ExportFormat:
    """One form.

    Attributes:
        writer: `module:function`, imported when it is needed. The function takes a `MergedModel` and a folder that is
            empty or not there, writes all or nothing, compares what it wrote with the original, and returns the record.
        step: What is said while it runs.
        libraries: Modules that it needs beyond those of the toolkit.
        extra: Extra of the package that installs them.
    """

    writer: str
    step: str
    libraries: tuple[str, ...] = ()
    extra: str = ""

    def check_libraries(self) -> None:
        """Make sure that the libraries are here.

        Raises:
            ZooError: One is not.
        """
        for module in self.libraries:
            if importlib.util.find_spec(module) is None:
                raise ZooError(f"{module} is not installed", fix=f"pip install 'biomedical-ner-zoo[{self.extra}]'")

    def write(self, model: MergedModel, destination: Path) -> ExportRecord:
        """Write a model.

        Raises:
            ZooError: The folder is not empty or cannot be written, or what was written computes something else.
        """
        self.check_libraries()
        module, _, function = self.writer.partition(":")
        record: ExportRecord = getattr(importlib.import_module(module), function)(model, destination)
        return record


_ONNX = ("onnx", "onnxruntime")
FORMATS: dict[str, ExportFormat] = {
    "merged": ExportFormat("zoo.export.merged:export_merged", "merging"),
    "onnx": ExportFormat("zoo.export.onnx:export_onnx", "exporting to ONNX", _ONNX, "onnx"),
    "int8": ExportFormat("zoo.export.onnx:export_int8", "exporting to ONNX in float32 and int8", _ONNX, "onnx"),
}
"""By name; `int8` is `onnx` with the quantized file beside it."""
