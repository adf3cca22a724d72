"""What mentions are linked with: an ontology by its id or a file of one's own, a trained linker where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.linking.beside import find_indexes, find_linker
from zoo.linking.chain import Chain
from zoo.linking.index import Index
from zoo.linking.indexes import Opened, open_index
from zoo.linking.linker import OTHER_TYPES, Linker, read_linker
from zoo.linking.published import with_vectors
from zoo.ontologies.sources import find_copy
from zoo.registry.loader import Registry, load_registry
from zoo.settings import Settings
from zoo.tagging.texts import Tagged

LINKERS = "linkers"
"""Folder of the cache for linkers that came without the vectors of an ontology."""

if TYPE_CHECKING:
    from zoo.corpora.retry import Progress
    from zoo.tagging.models import Base


def parse_links(values: Sequence[str]) -> list[tuple[str, str]]:
    """Read the values of `--link`: `["Disease=medic", "mesh"]` as `[("Disease", "medic"), ("", "mesh")]`.

    Raises:
        ZooError: A value names no ontology, or a type is linked twice.
    """
    links: list[tuple[str, str]] = []
    for value in values:
        kind, equals, name = value.partition("=")
        if not equals or Path(value).is_file():
            kind, name = "", value
        if not name or (equals and not kind and name != value):
            raise ZooError(f"--link takes an ontology or TYPE=ontology, not {value!r}", where="--link", fix=_EXAMPLE)
        if kind and kind in dict(links):
            raise ZooError(f"--link names the type {kind} twice", where="--link", fix="name it once")
        if (kind, name) not in links:
            links.append((kind, name))
    return links


_EXAMPLE = "for example --link mesh, or --link Disease=medic --link Chemical=mesh, or --link codes.csv"


@dataclass(frozen=True)
class Linking:
    """Linkers of several models.

    Attributes:
        linkers: Per model.
        indexes: Ontology id -> its index.
        key: What determines the links.
    """

    linkers: Sequence[Chain]
    indexes: Mapping[str, Index]
    key: Sequence[str]

    def link(self, tagged: Tagged) -> Tagged:
        """A document with the links of its entities."""
        linked = (
            chain.link([tagged.text.text], [entities])[0]
            for chain, entities in zip(self.linkers, tagged.entities, strict=True)
        )
        return replace(tagged, entities=tuple(linked))

    @property
    def concept_name(self) -> Callable[[str, str], str]:
        """Preferred name of a concept, from the ontology's id and its own."""
        return concept_names(self.indexes.values())


def concept_names(indexes: Iterable[Index]) -> Callable[[str, str], str]:
    """Gives the preferred name of a concept, from the ontology's id and its own; those asked for last are kept."""
    known = {index.info.ontology: index for index in indexes}

    @lru_cache(maxsize=1 << 16)
    def name(ontology: str, concept_id: str) -> str:
        concept = known[ontology].concept(concept_id) if ontology in known else None
        return concept.name if concept else concept_id

    return name


def open_linking(
    links: Sequence[str],
    models: Sequence[str | Path],
    bases: Sequence[Base | None],
    types: Sequence[str],
    registry: Registry,
    settings: Settings,
    *,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Linking:
    """Open what links the entities of some models.

    Args:
        links: Values of `--link`: ontologies, each for the types that its entry names (a file: for all), or
            `TYPE=ontology`.
        models: Checkpoint folders, adapters, model folders or Hub ids.
        bases: Their bases in memory; None: loaded where a trained linker needs one.
        types: Types that the models find.
        registry: Where ontologies are described.
        settings: Where they, and their indexes, are kept.
        say: Told what is used and what is done.
        progress: Called as downloads proceed.

    Raises:
        ZooError: There is no such ontology or file, it is malformed, or it is for none of the types.
    """
    wanted: dict[str, Opened] = {}
    opened: dict[str, Opened] = {}
    for kind, name in parse_links(links):
        if name not in opened:
            here = _published(name, models, registry, settings)
            opened[name] = here or open_index(name, registry, settings, say=say, progress=progress)
        found = opened[name]
        for each in [kind] if kind else (found.types or [OTHER_TYPES]):
            if each in wanted and not kind and each == OTHER_TYPES:
                raise ZooError("two ontologies for all types", where="--link", fix=_EXAMPLE)
            if kind or each not in wanted:
                wanted[each] = found
    if types and OTHER_TYPES not in wanted and not set(types) & wanted.keys():
        raise ZooError(
            f"the ontology is for {', '.join(wanted)}; the model finds {', '.join(types)}",
            where="--link",
            fix=f"--link {types[0]}={next(iter(opened))}",
        )
    indexes = {found.index.info.ontology: found.index for found in opened.values()}
    linkers, key = [], [f"{kind}={found.key}" for kind, found in sorted(wanted.items())]
    for model, base in zip(models, bases, strict=True):
        own, used = _linkers(model, base, wanted, settings.cache, say)
        linkers.append(Chain(own))
        key.append(used)
        say(f"linking with {used}" + (f" ({model})" if len(models) > 1 else ""))
    return Linking(linkers, indexes, key)


def _published(name: str, models: Sequence[str | Path], registry: Registry, settings: Settings) -> Opened | None:
    """The index of an ontology that came with the linker of a model; None: there is none, or a copy of the user's own.

    With it the linker links to what it was trained for, and nothing has to be fetched.
    """
    entry = registry.ontologies.get(name)
    if entry is None or find_copy(entry, settings.ontologies):
        return None
    for model in models:
        folder = find_linker(model)
        place = find_indexes(folder, None).get(name) if folder else None
        if folder and place:
            return Opened(Index.open(place), read_linker(folder).fingerprints.get(name, ""), tuple(entry.types))
    return None


def _linkers(
    model: str | Path, base: Base | None, wanted: Mapping[str, Opened], cache: Path, say: Callable[[str], None]
) -> tuple[list[Linker], str]:
    """The trained linker of a model, where it is for what is wanted, and one by names alone for other types."""
    trained = _trained(model, base, wanted, cache, say)
    linkers, used, left = [], [], dict(wanted)
    if trained:
        linker, folder = trained
        linkers.append(linker)
        used.append(f"the trained linker {folder}")
        left = {kind: found for kind, found in wanted.items() if kind not in linker.ontologies}
    if left:
        linkers.append(Linker.lexical({kind: found.index for kind, found in left.items()}))
        used.append(f"names alone ({', '.join(dict.fromkeys(found.key for found in left.values()))})")
    return linkers, " and ".join(used)


def _trained(
    model: str | Path, base: Base | None, wanted: Mapping[str, Opened], cache: Path, say: Callable[[str], None]
) -> tuple[Linker, Path] | None:
    """The trained linker beside a model, for those of its types that are wanted with its ontology, and its folder."""
    folder = find_linker(model)
    if folder is None:
        return None
    info = read_linker(folder)
    indexes = {}
    for kind, ontology in info.ontologies.items():
        found = wanted.get(kind, wanted.get(OTHER_TYPES))
        if found is None or found.index.info.ontology != ontology:
            continue
        if info.fingerprints.get(ontology, found.fingerprint) != found.fingerprint:
            say(f"the trained linker {folder} is for another version of {ontology}")
            return None
        indexes[ontology] = found.index
    if not indexes:
        return None
    complete = with_vectors(folder, indexes, cache / LINKERS, say)
    return Linker.load(complete, indexes, base=base), folder


def open_linker(
    ontology: str,
    model: str | Path | None = None,
    *,
    base: Base | None = None,
    every_type: bool = False,
    registry: Registry | None = None,
    settings: Settings | None = None,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Linker:
    """A linker to one ontology, for the types that its entry names; a file of one's own is for all.

    Args:
        ontology: Registry id, or a file with a vocabulary of one's own.
        model: Checkpoint folder, adapter or Hub id whose trained linker is used if it is for the ontology.
        base: The model's base in memory.
        every_type: Without a trained linker, link names of other types, or of none, to it too.
        registry: Where ontologies are described; None: the packaged one, with the overlay of the settings.
        settings: Where they are kept; None: those of `zoo.toml` and the environment.
        say: Told what is used and what is done.
        progress: Called as downloads proceed.

    Raises:
        ZooError: There is no such ontology or file, or it is malformed.
    """
    settings = settings or Settings.load()
    registry = registry or load_registry(settings.registry)
    found = open_index(ontology, registry, settings, say=say, progress=progress)
    trained = _trained(model, base, {OTHER_TYPES: found}, settings.cache, say) if model is not None else None
    if trained:
        say(f"linking with the trained linker {trained[1]}")
        return trained[0]
    say(f"linking with names alone ({found.key})")
    others = [OTHER_TYPES] if every_type or not found.types else []
    return Linker.lexical(dict.fromkeys([*found.types, *others], found.index))
