"""What a service is started with, here or in another process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zoo.linking.chain import Chain
from zoo.modeling.quiet import quiet_libraries
from zoo.registry.loader import load_registry
from zoo.scale.answers import open_linking
from zoo.service.app import Service
from zoo.service.keys import Keys
from zoo.service.limits import Limits
from zoo.service.models import Shelf
from zoo.settings import Settings
from zoo.tagging.tagger import Tagger


@dataclass(frozen=True)
class Setup:
    """What is served, and how.

    Attributes:
        sources: Name -> folder or Hub id of each model.
        links: Values of `--link`; empty: nothing is linked.
        settings: Where ontologies and the registry are.
        limits: What it takes.
        keys: Who may ask; None: anyone.
        threads: Batches at a time.
        lazy: Load no model before it is asked for.
        fixed: Models neither come nor go: what one replica was told, the others would not know.
    """

    sources: Mapping[str, str]
    links: tuple[str, ...]
    settings: Settings
    limits: Limits
    keys: Keys | None = None
    threads: int = 1
    lazy: bool = False
    fixed: bool = False

    def open(self, say: Callable[[str], None] = lambda _: None) -> Service:
        """Load the models.

        Args:
            say: Told what is loaded.

        Raises:
            ZooError: A model or an ontology cannot be had.
        """
        quiet_libraries()

        def open_linker(source: str, tagger: Tagger) -> Chain:
            registry = load_registry(self.settings.registry)
            return open_linking(self.links, [source], [tagger], registry, self.settings, say=say).linkers[0]

        shelf = Shelf(self.sources, open_linker if self.links else None)
        for name in shelf.sources if not self.lazy else ():
            shelf.load(name)
            say(f"loaded {name}")
        return Service.of(shelf, self.limits, self.keys, threads=self.threads, fixed=self.fixed)
