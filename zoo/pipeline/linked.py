"""The linker in a checkpoint's folder: what its stages gave, and of ontologies what everybody may have."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from zoo.cards.ontology_licenses import may_publish_ontology
from zoo.files import file_sha256
from zoo.linking.beside import LINKER_FOLDER
from zoo.linking.published import INDEXES, linker_adapters
from zoo.modeling.adapters import ADAPTER_WEIGHTS, point_at_base
from zoo.pipeline.context import Context
from zoo.pipeline.stage import Stage
from zoo.pipeline.stages import stage_kind
from zoo.pipeline.stages.index import INDEX
from zoo.pipeline.stages.linker import KIND as LINKER_STAGE
from zoo.registry.loader import Registry


def shared_ontologies(link: Stage, registry: Registry) -> list[str]:
    """The ontologies of a linker that may be published with it, as the registry stands now."""
    entries = [registry.ontology(name) for name in link.inputs_of("index")]
    return [entry.id for entry in entries if may_publish_ontology(entry)]


def copy_linker(link: Stage, folder: Path, base: Path, context: Context, link_file: Callable[[str, str], None]) -> None:
    """Put the linker into a checkpoint's folder, with indexes that may be published with it.

    Args:
        link: Last stage of linking.
        folder: The checkpoint's folder.
        base: Base on this machine, which its adapter is made to name.
        context: Registry and store.
        link_file: Links or copies a file of an index: it may be large, and many checkpoints have it.
    """
    store, stage, linker = context.store, link.inputs[LINKER_STAGE.name], folder / LINKER_FOLDER
    shutil.copytree(store.get(stage.kind, stage.fingerprint) / LINKER_FOLDER, linker)
    for adapter in linker_adapters(linker):
        point_at_base(adapter, str(base))
    shared = shared_ontologies(link, context.registry)
    for name, index in link.inputs_of("index").items():
        if name in shared:
            source = store.get(index.kind, index.fingerprint) / INDEX
            shutil.copytree(source, linker / INDEXES / name, copy_function=link_file)


def linker_notes(link: Stage, context: Context) -> list[str]:
    """What the training of a linker has to say."""
    stage = link.inputs[LINKER_STAGE.name]
    record = LINKER_STAGE.read(context.store.get(stage.kind, stage.fingerprint))
    return [f"linking of {note}" for note in record.notes]


def linking_fingerprints(link: Stage, folder: Path) -> dict[str, str]:
    """Fingerprints of a checkpoint's linker: of its stages, those of an ontology with its name, and of its files.

    Args:
        link: Last stage of linking.
        folder: The checkpoint's folder, with the linker in it.
    """
    found = {
        f"{stage.kind}/{stage.name}" if stage_kind(stage.kind).serves == "ontology" else stage.kind: stage.fingerprint
        for stage in link.inputs_first()
    }
    for adapter in linker_adapters(folder / LINKER_FOLDER):
        found["linker_adapter"] = file_sha256(adapter / ADAPTER_WEIGHTS)
    return found
