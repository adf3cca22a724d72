"""Opening what commands work on: the registry, corpora, models, the context of a build."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.output import download_bars, print_step
from zoo.errors import ZooError
from zoo.settings import Settings, check_org

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zoo.corpora.load import Corpus
    from zoo.linking.linker import Linker
    from zoo.linking.opening import Linking
    from zoo.ontologies.load import Ontology
    from zoo.pipeline.context import Context
    from zoo.pipeline.schedule import Engine
    from zoo.registry.loader import Checkpoint, Registry
    from zoo.registry.ontology_entry import OntologyEntry
    from zoo.registry.schema import CorpusEntry
    from zoo.tagging.tagger import Tagger


def open_registry(overlay: Path | None) -> tuple[Registry, Settings]:
    """The registry with a user's overlay, and the settings of `zoo.toml` and the environment.

    Args:
        overlay: Value of `--registry`; None: the one of the settings, if that is set.

    Raises:
        ZooError: An entry of the registry or a setting is malformed.
    """
    from zoo.registry.loader import load_registry

    settings = Settings.load()
    settings = replace(settings, registry=overlay or settings.registry)
    return load_registry(settings.registry), settings


def open_corpus(entry: CorpusEntry, registry: Registry, settings: Settings, *, offline: bool = False) -> Corpus:
    """What `corpora.load.open_corpus` reads, with bars for its downloads."""
    from zoo.corpora import load

    with download_bars() as progress:
        return load.open_corpus(entry, registry, settings, offline=offline, progress=progress)


def open_ontology(entry: OntologyEntry, registry: Registry, settings: Settings, *, offline: bool = False) -> Ontology:
    """What `ontologies.load.open_ontology` reads, with bars for its downloads."""
    from zoo.ontologies import load

    with download_bars() as progress:
        return load.open_ontology(entry, registry, settings, offline=offline, progress=progress)


def load_tagger(model: str, renames: Mapping[str, str] | None = None) -> Tagger:
    """Load a model for tagging, as `load_taggers`.

    Args:
        model: Checkpoint folder, adapter, model folder or Hub id.
        renames: Types that it predicts -> other names for them.

    Raises:
        ZooError: There is no such model, or it does not predict a type that is renamed.
    """
    (tagger,) = load_taggers([model])
    if renames:
        from zoo.evaluation.cross import predictable_types
        from zoo.evaluation.scoring import check_renames

        check_renames(renames, predictable_types(tagger))
    return tagger


def load_taggers(models: Sequence[str]) -> list[Tagger]:
    """Load models for tagging; warnings of the libraries are not shown.

    Args:
        models: Checkpoint folders, adapters, model folders or Hub ids.

    Raises:
        ZooError: There is no such model, or it is none for tagging.
    """
    with _without_collector():
        from zoo.modeling.quiet import quiet_libraries
        from zoo.tagging.tagger import Tagger

        quiet_libraries()
        return Tagger.load_all(models)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Without garbage collection while libraries are imported: it takes a fifth of that time and frees nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def open_linking(
    links: Sequence[str], models: Sequence[str], taggers: Sequence[Tagger], overlay: Path | None
) -> Linking:
    """What links the entities of loaded models, as `--link` says; what is used is said on standard error.

    Raises:
        ZooError: As of `linking.opening.open_linking`.
    """
    from zoo.scale import answers

    registry, settings = open_registry(overlay)
    with download_bars() as progress:
        return answers.open_linking(links, models, taggers, registry, settings, say=print_step, progress=progress)


def open_linker(ontology: str, model: str | None, overlay: Path | None) -> Linker:
    """A linker of names to one ontology; what is used is said on standard error.

    Raises:
        ZooError: As of `linking.opening.open_linker`.
    """
    from zoo.linking import opening

    registry, settings = open_registry(overlay)
    with download_bars() as progress:
        return opening.open_linker(
            ontology, model, every_type=True, registry=registry, settings=settings, say=print_step, progress=progress
        )


def text_language(models: Sequence[str], overlay: Path | None) -> str:
    """Tag of the language that models were trained on, by the corpora of their results; it is said on standard error.

    Raises:
        ZooError: They were trained on several.
    """
    from zoo.evaluation.result import RESULT_FILE, load_result
    from zoo.tagging.models import locate

    registry, _ = open_registry(overlay)
    found: dict[str, str] = {}
    for model in models:
        source = locate(model)
        folder = source.adapters[0] if source.adapters else source.base
        path = next((path for path in (folder / RESULT_FILE, folder.parent / RESULT_FILE) if path.is_file()), None)
        corpus = registry.corpora.get(load_result(path).corpus) if path else None
        if corpus:
            found.setdefault(corpus.language, model)
    if len(found) > 1:
        raise ZooError(f"the models are for several languages: {', '.join(found)}", fix="name one with --language")
    language = next(iter(found), "en")
    print_step(f"language of the texts: {language}" + ("" if found else " (the model does not say; --language)"))
    return language


def load_corpora(registry: Registry, settings: Settings, named: list[str], left_out: dict[str, str]) -> list[Corpus]:
    """Load the named corpora, and of the others those that are on this machine; `left_out` says why one is not.

    Joined ones are loaded if they are named: they repeat their members.

    Raises:
        ZooError: A named corpus cannot be had.
    """
    corpora = []
    for name, entry in registry.corpora.items():
        if entry.members and name not in named:
            continue
        try:
            corpora.append(open_corpus(entry, registry, settings, offline=name not in named))
        except ZooError as error:
            if name in named:
                raise
            left_out[f"corpora/{name}"] = error.what
    return corpora


def open_context(
    registry: Path | None, out: Path | None, *, alone: bool = True, tune_workers: int = 1, may_fetch: bool = True
) -> Context:
    """The context of a build, from options and settings."""
    from zoo.pipeline.context import Context

    found, settings = open_registry(registry)
    settings = replace(settings, out=out or settings.out)
    return Context(found, settings, remote=settings.store, alone=alone, tune_workers=tune_workers, may_fetch=may_fetch)


def engine_for(name: str, jobs: int, address: str | None) -> Engine:
    """The engine of a name.

    Raises:
        ZooError: `ray` is not installed, or an address was given to the engine of this machine.
    """
    if name == "ray":
        from zoo.pipeline.ray import RayEngine

        return RayEngine(address)
    if address:
        raise ZooError("--address is for a Ray cluster", fix="add --engine ray")
    from zoo.pipeline.local import LocalEngine

    return LocalEngine(jobs)


def choose(
    registry: Registry,
    ids: list[str],
    build_all: bool,
    suite: str | None,
    assignments: list[str],
    *,
    fast: bool = False,
) -> list[Checkpoint]:
    """The checkpoints that a command names, with the recipe values of `--fast` and over them those of `--set`."""
    from zoo.registry.recipes import FAST, parse_settings

    values = {**(FAST if fast else {}), **parse_settings(assignments)}
    if ids and (build_all or suite):
        raise ZooError("give checkpoint ids, or --all with --suite, not both")
    if suite and not build_all:
        raise ZooError("--suite needs --all", fix=f"--all --suite {suite}")
    if not ids and not build_all:
        raise ZooError("nothing to build", fix="name checkpoints (zoo list), or say --all [--suite NAME]")
    return (
        registry.suite_checkpoints(suite, values)
        if build_all
        else [registry.checkpoint(name, values) for name in dict.fromkeys(ids)]
    )


def open_corpora(names: Iterable[str], registry: Path | None) -> list[Corpus]:
    """Corpora by their ids, each read once; none is read if one is unknown."""
    found, settings = open_registry(registry)
    entries = [found.corpus(name) for name in dict.fromkeys(names)]
    return [open_corpus(entry, found, settings) for entry in entries]


def with_org(settings: Settings, org: str | None) -> Settings:
    """The settings with the organisation of `--org`, where it was given.

    Raises:
        ZooError: The Hub has no such names.
    """
    return replace(settings, org=check_org(org, where="--org")) if org else settings


def nothing_built(folder: Path) -> ZooError:
    """The error of commands that need a build where there is none."""
    return ZooError("nothing was built here yet", where=folder, fix="run zoo build, or name another folder with --out")
