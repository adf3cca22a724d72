"""A bundle: exactly the files of one repository, made from what a build left on this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from zoo.cards.licenses import may_quote
from zoo.cards.ontology_licenses import may_publish_ontology
from zoo.cards.render import render_base_card, render_card
from zoo.errors import ZooError
from zoo.evaluation.result import RESULT_FILE, Result
from zoo.hub.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    VERIFICATION_FILE,
    BaseRecord,
    Content,
    Manifest,
    content_digest,
    file_record,
    project_commit,
)
from zoo.hub.privacy import check_private_text
from zoo.hub.verification import Verification
from zoo.linking.beside import LINKER_FOLDER
from zoo.linking.linker import TRAINED_VECTORS, VECTORS
from zoo.linking.published import INDEXES, linker_adapters
from zoo.linking.trained_names import NAMES_FILE
from zoo.modeling.adapters import ADAPTER_CONFIG, BASE_INFO, DISCONTINUOUS_FILE, adapter_files
from zoo.modeling.backbones import read_base_info
from zoo.registry.loader import Checkpoint, Registry
from zoo.registry.schema import CorpusEntry, HubSource

_WEIGHTS = "model.safetensors"
_NOT_TOKENIZER = frozenset({"config.json", "generation_config.json", BASE_INFO, CARD_FILE, MANIFEST_FILE})
MACHINE_KEYS = ("is_local", "local_files_only", "name_or_path", "_name_or_path")
"""Keys that libraries write into config files, and that say where a file was loaded from."""
_TASK_ID = "default"


@dataclass(frozen=True)
class Bundle:
    """The files of a repository.

    Attributes:
        files: Path in the repository -> content; `manifest.json` is not among them.
        manifest: Their record.
        card: Renders the card, with what verification found.
        result: Record of the checkpoint; of a base, of a checkpoint that stands on it.
    """

    files: Mapping[str, Content]
    manifest: Manifest
    card: Callable[[str | None], str]
    result: Result

    @property
    def repo_id(self) -> str:
        """Where it goes."""
        return self.manifest.repo_id

    def everything(self) -> dict[str, Content]:
        """All files, with the manifest."""
        return {**self.files, MANIFEST_FILE: self.manifest.to_json().encode()}

    def verified(self, content: bytes, verification: Verification) -> Bundle:
        """The same with a verification, and its line in the card.

        Args:
            content: The file.
            verification: What it says.
        """
        card = self.card(verification.sentence()).encode()
        files = {**self.files, VERIFICATION_FILE: content, CARD_FILE: card}
        records = {**self.manifest.files, VERIFICATION_FILE: file_record(content), CARD_FILE: file_record(card)}
        return replace(
            self, files=files, manifest=self.manifest.model_copy(update={"files": dict(sorted(records.items()))})
        )


def base_bundle(
    base: Path, result: Result, checkpoint: Checkpoint, registry: Registry, folders: Iterable[Path]
) -> Bundle:
    """The repository of a base: float32 weights, config with the label space, tokenizer, card.

    Args:
        base: Folder of the base.
        result: Of a checkpoint that stands on it.
        checkpoint: Registry entries of that.
        registry: For the card.
        folders: Folders of this machine that no file may name.

    Raises:
        ZooError: The folder lacks a file, is another base than the result's, or a file says too much.
    """
    info, expected = read_base_info(base), result.fingerprints.get("base")
    if info.get("fingerprint") != expected or not (base / _WEIGHTS).is_file():
        raise ZooError(
            f"the base of {result.checkpoint_id} is not here: its fingerprint is {str(expected)[:12]}, not "
            f"{info.get('fingerprint', 'none')[:12]}",
            where=base,
            fix=f"zoo build {result.checkpoint_id}",
        )
    config = _without_places(base / "config.json")
    if json.loads(config).get("dtype", "float32") != "float32":
        raise ZooError("a base is published in float32: other types change the logits of its adapters", where=base)
    files: dict[str, Content] = {_WEIGHTS: base / _WEIGHTS, "config.json": config, **_tokenizer_files(base)}
    return _bundle(
        "base",
        checkpoint.backbone.id,
        result.base_repo_id,
        files,
        lambda verified: render_base_card(result, checkpoint.backbone, registry),
        result,
        folders,
    )


def checkpoint_bundle(
    folder: Path,
    base: Path,
    result: Result,
    checkpoint: Checkpoint,
    registry: Registry,
    on: Bundle,
    folders: Iterable[Path],
) -> Bundle:
    """The repository of a checkpoint: adapter on the base's Hub id, the base's tokenizer, card, result, scores, linker.

    Of several heads the first lies at its root, the others below `heads/`, each an adapter of its own.

    No `config.json` and no merged weights: transformers would take the folder for a complete model.

    Args:
        folder: Checkpoint's folder of a build.
        base: Folder of its base.
        result: Its record, with the names of the repositories.
        checkpoint: Its registry entries.
        registry: For the card.
        on: Bundle of the base.
        folders: Folders of this machine that no file may name.

    Raises:
        ZooError: The folder lacks a file, the adapter is not the result's, or a file says too much.
    """
    adapter = folder / "adapter"
    own = {path.relative_to(adapter).as_posix(): path for path in adapter_files(adapter)}
    result.check_adapter(adapter)
    if DISCONTINUOUS_FILE in own and not may_quote(checkpoint.corpus.license):
        raise ZooError(
            "it holds names of the corpus, and the licence does not let everybody share its text",
            where=own[DISCONTINUOUS_FILE],
            fix=f"zoo build {result.checkpoint_id} --set heads.discontinuous=false",
        )
    files: dict[str, Content] = {
        **{name: _on(path, result.base_repo_id) if path.name == ADAPTER_CONFIG else path for name, path in own.items()},
        **_tokenizer_files(base),
        RESULT_FILE: result.to_json().encode(),
        f".eval_results/{result.corpus}.yaml": evaluation_results(result, checkpoint.corpus).encode(),
        **(
            linker_files(folder / LINKER_FOLDER, result.base_repo_id, checkpoint.corpus, registry)
            if result.linking
            else {}
        ),
    }
    return _bundle(
        "checkpoint",
        result.checkpoint_id,
        result.repo_id,
        files,
        lambda verified: render_card(result, checkpoint, registry, verified=verified),
        result,
        folders,
        BaseRecord(repo_id=on.repo_id, content=on.manifest.content),
    )


def linker_files(linker: Path, base_repo_id: str, corpus: CorpusEntry, registry: Registry) -> dict[str, Content]:
    """What of a linker may be published.

    Names that it saw in training are text of the corpus: where that may not be quoted, there are none. What is made of
    the names of an ontology goes along only where its licence lets everybody share it, whatever lies in the folder.

    Args:
        linker: Its folder beside the checkpoint's adapter.
        base_repo_id: What its adapter stands on.
        corpus: What it was trained on.
        registry: It has the ontologies.
    """
    files: dict[str, Content] = {}
    for path in sorted(path for path in linker.rglob("*") if path.is_file()):
        place = path.relative_to(linker)
        if place.name == TRAINED_VECTORS and not may_quote(corpus.license):
            continue
        if place.parts[0] in (INDEXES, VECTORS):
            entry = registry.ontologies.get(place.parts[1])
            if entry is None or not may_publish_ontology(entry):
                continue
        withheld = place.name == NAMES_FILE and not may_quote(corpus.license)
        files[f"{LINKER_FOLDER}/{place.as_posix()}"] = b"" if withheld else path
    for adapter in linker_adapters(linker):
        files[f"{LINKER_FOLDER}/{adapter.name}/{ADAPTER_CONFIG}"] = _on(adapter / ADAPTER_CONFIG, base_repo_id)
    return files


def evaluation_results(result: Result, corpus: CorpusEntry) -> str:
    """The test score as the Hub reads it from `.eval_results/*.yaml`.

    Format: https://huggingface.co/docs/hub/eval-results; `EvalResultEntry` of newer huggingface_hub. The dataset is the
    one of the Hub that the corpus is read from, else the corpus id as in the card.
    """
    hub = next((source for source in corpus.sources if isinstance(source, HubSource)), None)
    dataset: dict[str, Any] = {"id": hub.dataset if hub else corpus.id, "task_id": _TASK_ID}
    test, seeds = result.scores.test, result.seed_scores
    over = seeds and (
        f"; over {len(seeds.runs)} seeds {seeds.test_micro_f1.mean:.4f} +- {seeds.test_micro_f1.std:.4f} (mean, sd)"
    )
    entry = {
        "dataset": {**dataset, "revision": hub.revision} if hub else dataset,
        "value": round(test.micro_f1, 4),
        "date": result.created,
        "source": {"url": f"https://huggingface.co/{result.repo_id}/blob/main/{RESULT_FILE}", "name": "result.json"},
        "notes": f"strict entity micro-F1 on test, 95 % interval {test.ci95[0]:.4f} to {test.ci95[1]:.4f}{over or ''}",
    }
    return yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)


def _bundle(
    kind: Any,  # noqa: ANN401 - the manifest checks it
    subject: str,
    repo_id: str,
    files: dict[str, Content],
    card: Callable[[str | None], str],
    result: Result,
    folders: Iterable[Path],
    base: BaseRecord | None = None,
) -> Bundle:
    files = {**files, CARD_FILE: card(None).encode()}
    check_private_text(repo_id, files, folders)
    records = {path: file_record(content) for path, content in sorted(files.items())}
    own, recipe, seeds, versions = result.fingerprints, None, result.seeds, result.versions
    if base:
        recipe = hashlib.sha256(json.dumps(result.recipe, sort_keys=True).encode()).hexdigest()
    else:  # what a base is made of, whichever checkpoint's result it is told from
        own = {name: own[name] for name in ("dapt", "base", "labels") if name in own}
        seed = result.recipe.get("dapt", {}).get("seed")
        seeds, versions = [] if seed is None else [seed], {n: v for n, v in versions.items() if n != "zoo"}
    commit, modified = project_commit()
    manifest = Manifest(
        kind=kind,
        subject=subject,
        repo_id=repo_id,
        content=content_digest(records, base),
        base=base,
        fingerprints=own,
        recipe_sha256=recipe,
        seeds=seeds,
        versions=versions,
        commit=commit,
        commit_modified=modified,
        files=records,
    )
    return Bundle(files, manifest, card, result)


def _tokenizer_files(base: Path) -> dict[str, Content]:
    return {
        path.name: _without_places(path) if path.name == "tokenizer_config.json" else path
        for path in sorted(base.iterdir())
        if path.suffix in (".json", ".txt", ".model")
        and path.name not in _NOT_TOKENIZER
        and ".safetensors" not in path.name
    }


def _on(config: Path, base_repo_id: str) -> bytes:
    """An adapter's configuration that names its base by its Hub id."""
    return _json(json.loads(config.read_bytes()) | {"base_model_name_or_path": base_repo_id})


def _without_places(path: Path) -> bytes:
    """A config file without what it says of the machine it was written on; as it is where it says nothing."""
    content = path.read_bytes()
    config = json.loads(content)
    if not any(name in config for name in MACHINE_KEYS):
        return content
    return _json({name: value for name, value in config.items() if name not in MACHINE_KEYS})


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
