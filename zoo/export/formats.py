"""The forms that a model can be exported in. A new one is a module with its writer, and a line in `FORMATS`."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.modeling.adapters import HEADS_FILE

if TYPE_CHECKING:
    from zoo.export.merged import ExportRecord
    from zoo.export.source import ExportSource, MergedModel


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


def write_all(
    source: ExportSource, wanted: Sequence[tuple[ExportFormat, Path]], say: Callable[[str], None]
) -> list[tuple[Path, ExportRecord]]:
    """Write a model in some forms, each head a whole model: the first in the folder itself, the others below `heads/`.

    Args:
        source: What to write.
        wanted: Forms, and folders that are empty or not there; each comes to hold all heads, or nothing.
        say: Called with what begins.

    Returns:
        Folder and record of every model that was written.

    Raises:
        ZooError: As of `ExportFormat.write`, or the model cannot be loaded.
    """
    from zoo.export.merged import fresh_folder
    from zoo.export.source import head_sources, open_model

    done: list[tuple[Path, ExportRecord]] = []
    heads = head_sources(source)
    with ExitStack() as folders:
        places = [(form, folder, folders.enter_context(fresh_folder(folder))) for form, folder in wanted]
        for below, head in heads:
            opened = open_model(head)
            for form, folder, temporary in places:
                say(f"{form.step}{f' {below}' * (below != '.')}, and comparing with the original on real text")
                done.append((folder / below, form.write(opened, temporary / below)))
        for _, _, temporary in places if len(heads) > 1 else ():
            shutil.copyfile(Path(heads[0][1].model) / HEADS_FILE, temporary / HEADS_FILE)
    return done
