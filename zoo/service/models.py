"""The models that a service may serve: an allow-list, loaded and unloaded while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo import kernels
from zoo.errors import ZooError, did_you_mean
from zoo.kernels.infer import can_pack
from zoo.kernels.mixed import Adapter, MixedBase
from zoo.linking.chain import Chain
from zoo.modeling.windows import Entity, Window, decode
from zoo.tagging.engine import find_entities
from zoo.tagging.models import Base
from zoo.tagging.pool import Pool
from zoo.tagging.tagger import Tagger

OpenLinker = Callable[[str, Tagger], Chain]


@dataclass(eq=False)
class ServedBase:
    """A base, ready to label windows of any of its models.

    Attributes:
        base: With its model and tokenizer.
        mixed: Products for mixed batches, from the first adapter on that takes part in them.
    """

    base: Base
    mixed: MixedBase | None = None

    def label(self, windows: Sequence[Window], models: Sequence[Model]) -> list[list[list[Entity]]]:
        """Entities of windows, each by its own model on this base; per window, per head."""
        answers: list[list[list[Entity]]] = [[] for _ in windows]
        together = [(place, model.adapter) for place, model in enumerate(models) if model.adapter]
        if together and self.mixed:
            labelled = self.mixed.label([windows[place] for place, _ in together], [own for _, own in together])
            for (place, _), heads in zip(together, labelled, strict=True):
                names = models[place].tagger.labels
                answers[place] = [decode(windows[place], found.ids[:, 0], found.scores, names) for found in heads]
        for model in dict.fromkeys(model for model in models if not model.adapter):
            own = [place for place, each in enumerate(models) if each is model]
            found = find_entities(model.tagger.heads, [windows[place] for place in own])
            for place, *entities in zip(own, *found, strict=True):
                answers[place] = entities
        return answers


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model.

    Attributes:
        name: What requests call it.
        tagger: It.
        base: What labels its windows.
        adapter: What it adds to its base in mixed batches; None: the kernels do not know it, and it runs alone.
        linker: What links its entities to concepts; None: nothing.
    """

    name: str
    tagger: Tagger
    base: ServedBase
    adapter: Adapter | None
    linker: Chain | None


class Shelf:
    """The models that may be served, and which of them are loaded; many threads may use it.

    Args:
        sources: Name -> folder or Hub id. Weights are loaded from safetensors alone.
        open_linker: Gives what links the entities of a model, from its folder or Hub id and itself; None: nothing does.
    """

    def __init__(self, sources: Mapping[str, str], open_linker: OpenLinker | None = None) -> None:
        self.sources, self._open_linker = dict(sources), open_linker
        self._pool = Pool(pickles=False)
        self._loaded: dict[str, Model] = {}
        self._bases: dict[int, ServedBase] = {}
        self._loading = threading.Lock()

    @property
    def loaded(self) -> dict[str, Model]:
        """Loaded models by name, in the order of the allow-list."""
        return {name: self._loaded[name] for name in self.sources if name in self._loaded}

    def load(self, name: str) -> Model:
        """Load a model of the list, unless it is loaded.

        Raises:
            ZooError: It is not on the list, or cannot be loaded.
        """
        if name not in self.sources:
            raise ZooError(f"no model is called {name!r}", fix=did_you_mean(name, self.sources))
        with self._loading:
            if name not in self._loaded:
                tagger = self._pool.get(self.sources[name])
                self._loaded = self._loaded | {name: self._prepared(name, tagger)}
            return self._loaded[name]

    def unload(self, name: str) -> None:
        """Drop a model, and its base with the last of its models; requests that are under way are answered.

        Raises:
            KeyError: It is not loaded.
        """
        with self._loading:
            left = dict(self._loaded)
            base = left.pop(name).base
            if not any(model.base is base for model in left.values()):
                self._bases.pop(id(base.base))
                self._pool.drop(base.base)
            self._loaded = left

    def _prepared(self, name: str, tagger: Tagger) -> Model:
        served = self._bases.setdefault(id(tagger.base), ServedBase(tagger.base))
        folders = [head.adapter for head in tagger.heads]
        adapter = None
        with tagger.base.using(*folders) as (model, names):
            one_encoder = len({tagger.base.encoder(folder) for folder in folders}) == 1
            if kernels.enabled() and one_encoder and can_pack(model):
                adapter = Adapter.of(model, names)
                served.mixed = served.mixed or MixedBase.of(model)
        linker = self._open_linker(self.sources[name], tagger) if self._open_linker else None
        return Model(name, tagger, served, adapter, linker)


def named_sources(models: Sequence[str]) -> dict[str, str]:
    """Names of models by what `--model` says: `NAME=DIR_OR_ID`, or the last part of the folder or Hub id.

    Raises:
        ZooError: There is none, two have one name, or a name is none for an address.
    """
    if not models:
        raise ZooError("no model to serve", fix="zoo serve --model DIR_OR_ID")
    sources: dict[str, str] = {}
    for model in models:
        name, equals, source = model.partition("=")
        if not equals or Path(model).exists():
            folder = Path(model).expanduser()
            name, source = (folder.parent if folder.name == "adapter" else folder).resolve().name, model
        if not name or not source or any(letter in name for letter in "/?#%\\") or not name.isprintable():
            raise ZooError(f"{name!r} is no name for a model", where=f"--model {model}", fix="--model NAME=DIR_OR_ID")
        if name in sources:
            raise ZooError(f"two models are called {name!r}", where=f"--model {model}", fix="--model NAME=DIR_OR_ID")
        sources[name] = source
    return sources
