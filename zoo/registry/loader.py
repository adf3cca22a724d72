"""Read the packaged registry and a user's overlay, check every file, answer look-ups."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from zoo.errors import ZooError, did_you_mean
from zoo.registry.joined import complete, is_joined, with_members
from zoo.registry.names import Names
from zoo.registry.ontology_entry import OntologyEntry
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.reading import check, read_yaml
from zoo.registry.recipes import Recipe, RecipesEntry, resolved
from zoo.registry.schema import Backbone, CorpusEntry, Entry, Family, LabelsEntry, Suite

PACKAGED = Path(__file__).parent
_Model = TypeVar("_Model", bound=BaseModel)
_Item = TypeVar("_Item")
_Named = TypeVar("_Named", Backbone, CorpusEntry, PassageEntry, OntologyEntry)


class _Families(Entry):
    families: dict[str, Family]


class _Suites(Entry):
    suites: dict[str, Suite]


@dataclass(frozen=True)
class Checkpoint:
    """One backbone x corpus, with the resolved recipe that builds it."""

    backbone: Backbone
    corpus: CorpusEntry
    recipe: Recipe

    @property
    def id(self) -> str:
        """`backbone/corpus`."""
        return f"{self.backbone.id}/{self.corpus.id}"

    @property
    def seeds(self) -> range:
        """Seeds that it is trained with; the adapter of the first is the one that is published."""
        return range(self.recipe.seed, self.recipe.seed + self.recipe.seeds)

    @property
    def ontologies(self) -> dict[str, str]:
        """Type -> ontology that its mentions are linked to: by the recipe, else the first that the corpus names."""
        link, corpus = self.recipe.link, self.corpus
        if not link.enabled:
            return {}
        named = link.ontologies or {name: known[0] for name, known in corpus.ontologies.items() if known}
        return {name: named[name] for name in corpus.entity_types if name in named}

    def with_seed(self, seed: int) -> Checkpoint:
        """The same with another seed, everything else unchanged."""
        return replace(self, recipe=self.recipe.model_copy(update={"seed": seed}))

    def repo_id(self, names: Names) -> str:
        """Hub repository of the adapter."""
        return names.of_checkpoint(self.backbone.id, self.corpus.id)


@dataclass(frozen=True)
class Registry:
    """Everything that can be built.

    Attributes:
        folders: Entry id (`backbones/x`, `corpora/y`) -> folder of the registry it came from, for relative paths.
    """

    backbones: Mapping[str, Backbone]
    corpora: Mapping[str, CorpusEntry]
    passages: Mapping[str, PassageEntry]
    families: Mapping[str, Family]
    suites: Mapping[str, Suite]
    recipes: RecipesEntry
    labels: LabelsEntry
    ontologies: Mapping[str, OntologyEntry] = field(default_factory=dict)
    folders: Mapping[str, Path] = field(default_factory=dict)

    def backbone(self, name: str) -> Backbone:
        """Look up a backbone by id."""
        return _lookup("backbone", name, self.backbones)

    def corpus(self, name: str) -> CorpusEntry:
        """Look up a corpus by id."""
        return _lookup("corpus", name, self.corpora)

    def passage(self, name: str) -> PassageEntry:
        """Look up passages by id."""
        return _lookup("passages", name, self.passages)

    def ontology(self, name: str) -> OntologyEntry:
        """Look up an ontology by id."""
        return _lookup("ontology", name, self.ontologies)

    def suite(self, name: str) -> Suite:
        """Look up a suite by name."""
        return _lookup("suite", name, self.suites)

    def checkpoint(self, checkpoint_id: str, settings: Mapping[str, Any] | None = None) -> Checkpoint:
        """Look up `backbone/corpus`.

        Raises:
            ZooError: Unknown id (the message names the nearest ones), or the corpus is for evaluation only.
        """
        backbone, slash, corpus = checkpoint_id.partition("/")
        if not slash or backbone not in self.backbones or corpus not in self.corpora:
            known = [f"{b}/{c}" for b in self.backbones for c in self.corpora]
            raise ZooError(
                f"unknown checkpoint {checkpoint_id!r}",
                fix=f"{did_you_mean(checkpoint_id, known)} `zoo list` shows all",
            )
        if self.corpora[corpus].for_evaluation_only:
            raise ZooError(
                f"{corpus} has a test split alone: no model can be trained on it", fix=f"zoo evaluate MODEL {corpus}"
            )
        recipe = self.recipes.for_checkpoint(checkpoint_id, settings)
        family, unit = self.families[self.backbones[backbone].family], self.corpora[corpus].unit
        recipe = resolved(recipe, family.lora_targets, documents=unit == "document")
        return Checkpoint(self.backbones[backbone], self.corpora[corpus], recipe)

    def suite_checkpoints(self, name: str | None, settings: Mapping[str, Any] | None = None) -> list[Checkpoint]:
        """Checkpoints of a suite, or of all suites without repeats where `name` is None."""
        suites = [self.suite(name)] if name else list(self.suites.values())
        ids = dict.fromkeys(f"{b}/{c}" for suite in suites for b in suite.backbones for c in suite.corpora)
        return [self.checkpoint(checkpoint_id, settings) for checkpoint_id in ids]


def load_registry(overlay: Path | None = None) -> Registry:
    """Load the packaged registry, overlaid by the entries of `overlay` (same ids replace, new ones add).

    Raises:
        ZooError: A file is malformed; the message names file and field, what was found and what is allowed.
    """
    packaged = _packaged()
    if overlay is None:
        return packaged
    if not overlay.is_dir():
        raise ZooError(
            f"the registry folder {str(overlay)!r} does not exist",
            where="--registry, ZOO_REGISTRY, or registry in zoo.toml",
        )
    return _read(overlay, packaged)


@functools.cache
def _packaged() -> Registry:
    return _read(PACKAGED, None)


def _read(folder: Path, below: Registry | None) -> Registry:
    backbones = _entries(_files(folder, "backbones"), Backbone)
    passages = _entries(_files(folder, "passages"), PassageEntry)
    ontologies = _entries(_files(folder, "ontologies"), OntologyEntry)
    corpora = _files(folder, "corpora")
    every_corpus = _corpora(corpora, folder, below)
    families = _single(folder / "families.yaml", _Families, "families")
    suites = _single(folder / "suites.yaml", _Suites, "suites")
    recipes = _file(folder / "recipes.yaml", RecipesEntry)
    labels = _file(folder / "labels.yaml", LabelsEntry)
    origin = {
        f"{kind}/{name}": folder
        for kind, items in (
            ("backbones", backbones),
            ("corpora", [path.stem for path in corpora]),
            ("passages", passages),
            ("ontologies", ontologies),
        )
        for name in items
    }
    if below is None:
        if labels is None or labels.capacity is None:
            raise ZooError("the packaged label space has no capacity", where=folder / "labels.yaml")
        recipes = recipes or RecipesEntry()
        registry = Registry(backbones, every_corpus, passages, families, suites, recipes, labels, ontologies, origin)
    else:
        registry = Registry(
            {**below.backbones, **backbones},
            every_corpus,
            {**below.passages, **passages},
            {**below.families, **families},
            {**below.suites, **suites},
            _overlay_recipes(below.recipes, recipes),
            _extend_labels(below.labels, labels, folder / "labels.yaml"),
            {**below.ontologies, **ontologies},
            {**below.folders, **origin},
        )
    _check_references(registry, folder)
    return registry


def _overlay_recipes(below: RecipesEntry, above: RecipesEntry | None) -> RecipesEntry:
    if above is None:
        return below
    default = above.default if "default" in above.model_fields_set else below.default
    return RecipesEntry(default=default, overrides=below.overrides + above.overrides)


def _extend_labels(below: LabelsEntry, above: LabelsEntry | None, where: Path) -> LabelsEntry:
    if above is None:
        return below
    capacity, own = below.capacity or 0, above.capacity
    if own is not None and own < capacity:
        raise ZooError(
            f"a capacity of {own} is less than the packaged {capacity}",
            where=f"{where}: capacity",
            fix="leave it out, or give a larger one for the bases of this registry",
        )
    known = {item.name for item in below.types}
    return LabelsEntry(
        capacity=own or capacity, types=below.types + tuple(item for item in above.types if item.name not in known)
    )


def _check_references(registry: Registry, folder: Path) -> None:
    """Every name that an entry mentions must exist."""
    types = [item.name for item in registry.labels.types]
    where = folder / "labels.yaml"
    if len(types) > (registry.labels.capacity or 0):
        raise ZooError(
            f"{len(types)} types do not fit into a label space of {registry.labels.capacity}",
            where=where,
            fix="raise it for the bases of this registry: a line such as capacity: 128",
        )
    repeated = sorted({name for name in types if types.count(name) > 1})
    if repeated:
        raise ZooError(f"the type {repeated[0]!r} stands twice in the label space", where=where, fix="remove one")
    annotated = [(f"corpora/{corpus.id}", corpus.entity_types) for corpus in registry.corpora.values()]
    annotated += [(f"ontologies/{ontology.id}", tuple(ontology.types)) for ontology in registry.ontologies.values()]
    for file, named in annotated:
        for name in named:
            if name not in types:
                raise ZooError(
                    f"the type {name!r} is not in the label space",
                    where=f"{folder}/{file}.yaml: types",
                    fix=f"{did_you_mean(name, types)} A new type is appended to labels.yaml of your registry folder",
                )
    for backbone in registry.backbones.values():
        if backbone.family not in registry.families:
            raise ZooError(
                f"unknown family {backbone.family!r}",
                where=f"{folder}/backbones/{backbone.id}.yaml: family",
                fix=did_you_mean(backbone.family, registry.families),
            )
    for name, suite in registry.suites.items():
        for kind, ids, known in (
            ("backbone", suite.backbones, registry.backbones),
            ("corpus", suite.corpora, registry.corpora),
        ):
            for item in ids:
                if item not in known:
                    raise ZooError(
                        f"unknown {kind} {item!r}", where=f"{folder}/suites.yaml: {name}", fix=did_you_mean(item, known)
                    )
    for override in registry.recipes.overrides:
        registry.recipes.for_checkpoint(override.match)


def _corpora(files: Mapping[Path, Any], folder: Path, below: Registry | None) -> dict[str, CorpusEntry]:
    """The corpora of a folder and of the registry below; joined ones, of both, with the members as they now are."""
    joined = {path: data for path, data in files.items() if is_joined(data)}
    known = dict(below.corpora) if below else {}
    known |= _entries({path: data for path, data in files.items() if path not in joined}, CorpusEntry)
    for path, data in joined.items():
        known |= _entries({path: complete(data, known, path)}, CorpusEntry)
    return {name: with_members(entry, known, folder / "corpora" / f"{name}.yaml") for name, entry in known.items()}


def _files(folder: Path, kind: str) -> dict[Path, Any]:
    """What the files of the entries of a kind hold."""
    return {path: read_yaml(path) for path in sorted((folder / kind).glob("*.yaml"))}


def _entries(files: Mapping[Path, Any], model: type[_Named]) -> dict[str, _Named]:
    entries: dict[str, _Named] = {}
    for path, data in files.items():
        entry = check(model, data, where=path)
        if entry.id != path.stem:
            raise ZooError(
                f"the id {entry.id!r} differs from the file name",
                where=f"{path}: id",
                fix=f"write id: {path.stem}, or rename the file",
            )
        entries[entry.id] = entry
    return entries


def _file(path: Path, model: type[_Model]) -> _Model | None:
    return check(model, read_yaml(path), where=path) if path.exists() else None


def _single(path: Path, model: type[BaseModel], key: str) -> dict[str, Any]:
    entry = check(model, {key: read_yaml(path)}, where=path) if path.exists() else None
    return dict(getattr(entry, key)) if entry else {}


def _lookup(kind: str, name: str, known: Mapping[str, _Item]) -> _Item:
    if name not in known:
        raise ZooError(f"unknown {kind} {name!r}", fix=did_you_mean(name, known))
    return known[name]
