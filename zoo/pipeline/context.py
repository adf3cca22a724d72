"""What every stage of a run works with: registry, settings, store, and the inputs read from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from zoo.corpora.load import Corpus, open_corpus
from zoo.errors import ZooError
from zoo.modeling.backbones import BackboneFiles, locate_backbone
from zoo.modeling.labels import LabelSpace
from zoo.ontologies.load import Ontology, open_ontology
from zoo.ontologies.sources import availability
from zoo.pipeline.layout import Layout
from zoo.pipeline.store import Store
from zoo.registry.loader import Registry
from zoo.registry.lock import LOCK_FILE, locked, read_lock
from zoo.registry.ontology_entry import OntologyEntry
from zoo.registry.passage_entry import PassageEntry
from zoo.registry.schema import Backbone, CorpusEntry, SplitInfo, SplitName
from zoo.settings import Settings

NOT_KNOWN = "not known yet"
"""In the key of a stage: an input that is not on this machine and that a plan does not fetch."""
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Context:
    """A run's surroundings; travels to worker processes, which read corpora for themselves.

    Attributes:
        registry: Registry of the run.
        settings: Output folder, local corpora, country, org.
        remote: fsspec URL of a store that is shared with other machines; None: the output folder's own.
        alone: Whether stages run one at a time (then the whole machine's energy is theirs).
        tune_workers: Processes that share one search.
        fetching: What gets passages that a plan asks for; None: a plan fetches nothing.
        may_fetch: Whether inputs may be fetched; a plan that is only looked at fetches none, and goes on without.
    """

    registry: Registry
    settings: Settings
    remote: str | None = None
    alone: bool = True
    tune_workers: int = 1
    fetching: Callable[[PassageEntry], object] | None = None
    may_fetch: bool = True
    _memory: dict[str, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def layout(self) -> Layout:
        """Folders of the run."""
        return Layout(self.settings.out)

    @property
    def store(self) -> Store:
        """Finished stages."""
        return Store(self.settings.out.resolve() / "artefacts", self.remote)

    @property
    def labels(self) -> LabelSpace:
        """The label space."""
        return LabelSpace.from_entry(self.registry.labels)

    def corpus(self, entry: CorpusEntry) -> Corpus:
        """A corpus, read and checked once.

        Raises:
            ZooError: It cannot be had or is not the registered one.
        """
        return self._once(
            f"corpora/{entry.id}",
            lambda: open_corpus(entry, self.registry, self.settings, offline=not self.may_fetch),
        )

    def ontology(self, entry: OntologyEntry) -> Ontology:
        """An ontology, read and checked; not kept, as it may have millions of names.

        Raises:
            ZooError: It cannot be had or is not the registered one.
        """
        return open_ontology(entry, self.registry, self.settings, offline=not self.may_fetch)

    def ontology_fingerprint(self, entry: OntologyEntry) -> str:
        """The fingerprint of an ontology: what registry or lock file demand, else of what is here, `NOT_KNOWN` if not.

        Raises:
            ZooError: It is neither demanded nor here, and may be fetched but cannot, or is not the demanded one.
        """
        locked = read_lock(Path(LOCK_FILE)).ontologies.get(entry.id)
        demanded = entry.fingerprint or (locked.fingerprint if locked else None)
        if demanded and self._place_of(entry) != "local copy":  # that one may be of any version
            return demanded
        return str(self.known(f"ontology {entry.id}", lambda: self._read_fingerprint(entry)))

    def check_ontology(self, entry: OntologyEntry) -> None:
        """See that an ontology can be had, in a context that may fetch by fetching and reading it.

        Raises:
            ZooError: It cannot.
        """
        place, offline = self._place_of(entry), self.settings.offline
        if place == "no source" or (place == "to fetch" and offline):
            why = f"{place}, and this machine is offline" if place == "to fetch" else place
            fix = f"zoo ontologies show {entry.id}"
            raise ZooError(f"the ontology {entry.id} is not on this machine ({why})", fix=fix)
        if self.may_fetch:
            self._read_fingerprint(entry)

    def _place_of(self, entry: OntologyEntry) -> str:
        folder, settings = self.registry.folders[f"ontologies/{entry.id}"], self.settings
        return availability(entry, folder, settings.ontologies, cache=settings.cache)

    def _read_fingerprint(self, entry: OntologyEntry) -> str:
        return self._once(f"ontologies/{entry.id}", lambda: self.ontology(entry).fingerprint)

    def backbone(self, backbone: Backbone) -> BackboneFiles:
        """The files of a backbone.

        Raises:
            ZooError: They cannot be had or are not the registered ones.
        """
        key = f"backbones/{backbone.id}"
        folder = self.registry.folders[key]
        return self._once(key, lambda: locate_backbone(self.pinned(backbone), folder, offline=not self.may_fetch))

    def pinned(self, backbone: Backbone) -> Backbone:
        """The backbone at the commit that the lock file of the current folder names, where its entry names none."""
        return locked(backbone, read_lock(Path(LOCK_FILE)))

    def known(self, name: str, look: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON-like
        """A part of a key that is read from an input; `NOT_KNOWN` where that is not here and nothing is fetched.

        Args:
            name: What the part is of, so that two that are not known differ.
            look: Reads the input.

        Raises:
            ZooError: The input cannot be had, though it may be fetched.
        """
        try:
            return look()
        except ZooError:
            if self.may_fetch:
                raise
            return f"{NOT_KNOWN}: {name}"

    def fetch(self, entry: PassageEntry) -> None:
        """Get passages, once, if this context is one to fetch with.

        Raises:
            ZooError: They cannot be had, or are not the locked ones.
        """
        if fetching := self.fetching:
            self._once(f"passages/{entry.id}", lambda: fetching(entry))

    def locked_splits(self, corpus: CorpusEntry) -> Mapping[SplitName, SplitInfo]:
        """What the lock file of the current folder demands of a corpus; empty where it does not know it."""
        item = read_lock(Path(LOCK_FILE)).corpora.get(corpus.id)
        return item.splits if item else {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_memory": {}}

    def _once(self, key: str, make: Callable[[], _Value]) -> _Value:
        if key not in self._memory:
            try:
                self._memory[key] = make()
            except ZooError as error:
                self._memory[key] = error
        value = self._memory[key]
        if isinstance(value, ZooError):
            raise value
        return value  # type: ignore[return-value]
