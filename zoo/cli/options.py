"""What the commands take, and how it is opened: shared options, the registry, corpora, models."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.errors import ZooError
from zoo.modeling.device import Precision
from zoo.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zoo.corpora.download import FetchOptions
    from zoo.corpora.load import Corpus
    from zoo.registry.loader import Registry
    from zoo.registry.schema import CorpusEntry
    from zoo.tagging.tagger import Tagger


class Split(str, Enum):
    """A split, as an option."""

    train = "train"
    dev = "dev"
    test = "test"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
RegistryOption = Annotated[
    Path | None,
    typer.Option(
        "--registry", metavar="DIR", help="Your own registry folder, overlaid on the packaged one [ZOO_REGISTRY]."
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Output folder [ZOO_OUT; default: builds].")
]
SuiteOption = Annotated[str | None, typer.Option("--suite", help="A named set of checkpoints.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the recipe, e.g. finetune.epochs=3."),
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Checkpoint folder, adapter, model folder or Hub id.")
]
CorpusArgument = Annotated[str, typer.Argument(metavar="CORPUS", help="Corpus id.")]
SplitOption = Annotated[Split, typer.Option("--split")]
MapOption = Annotated[
    list[str] | None, typer.Option("--map", metavar="FROM=TO", help="Rename a type that the model predicts.")
]

PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="Number format: bfloat16 and int8 (CPUs) are faster where the processor multiplies them; scores, and "
        "now and then an entity, differ. auto: the entities of float32, most of it computed in bfloat16 on CPUs with "
        "AMX.",
    ),
]


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


def open_corpus(
    entry: CorpusEntry, registry: Registry, settings: Settings, options: FetchOptions | None = None
) -> Corpus:
    """Read a corpus of the registry, fetched where it is not on this machine.

    Args:
        entry: What to read.
        registry: Registry that the entry is from.
        settings: Where local corpora and downloads are.
        options: How to download; None: as usual, unless the environment says offline.

    Raises:
        ZooError: No source has the files, a file is malformed, or a split differs from the registered one.
    """
    from zoo.corpora.load import load_corpus

    return load_corpus(
        entry,
        registry_folder=registry.folders[f"corpora/{entry.id}"],
        local=settings.corpora,
        cache=settings.cache,
        options=options,
    )


def load_tagger(model: str) -> Tagger:
    """Load a model for tagging, as `load_taggers`."""
    (tagger,) = load_taggers([model])
    return tagger


def load_taggers(models: Sequence[str]) -> list[Tagger]:
    """Load models for tagging, without the chatter of the libraries.

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
    """No search for garbage while libraries are imported: it takes a fifth of that time, and there is none."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def parse_renames(mapping: Iterable[str] | None) -> dict[str, str]:
    """Read the values of `--map`: `["A=B"]` as `{"A": "B"}`.

    Raises:
        ZooError: A value is not FROM=TO.
    """
    renames: dict[str, str] = {}
    for item in mapping or ():
        source, equals, target = item.partition("=")
        if not (source and equals and target):
            raise ZooError(f"--map takes FROM=TO, not {item!r}", where="--map", fix="for example --map Disease=DISEASE")
        renames[source] = target
    return renames
