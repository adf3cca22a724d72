"""The options and arguments that several commands take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

from zoo.errors import ZooError
from zoo.modeling.device import Precision

Split = Literal["train", "dev", "test"]
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
FastOption = Annotated[
    bool,
    typer.Option(
        "--fast", help="No pre-training, search or encoder of names, one seed: a first look. --set comes over it."
    ),
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
AddressOption = Annotated[
    str | None, typer.Option("--address", metavar="HOST:PORT", help="Ray cluster; unset: one on this machine.")
]
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Checkpoints, backbone/corpus.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every checkpoint of --suite, or of all suites.")]
OrgOption = Annotated[
    str | None,
    typer.Option("--org", metavar="NAME", help="Organisation or user on the Hub [ZOO_ORG; default: openmed]."),
]
PrivateOption = Annotated[
    bool, typer.Option("--private", help="Into private repositories, where the licences allow it.")
]


def parse_renames(mapping: Iterable[str] | None) -> dict[str, str]:
    """Read the values of `--map`: `["A=B"]` as `{"A": "B"}`.

    Raises:
        ZooError: A value is not FROM=TO, TO is no name of a type, or a type is renamed twice.
    """
    renames: dict[str, str] = {}
    for item in mapping or ():
        source, _, target = item.partition("=")
        if not source or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", target):
            pairs = [part for part in item.split(",") if re.fullmatch(r"[^=]+=[A-Za-z][A-Za-z0-9_-]*", part)]
            example = " ".join(f"--map {pair}" for pair in pairs) if len(pairs) > 1 else "--map Disease=DISEASE"
            raise ZooError(f"--map takes FROM=TO, not {item!r}", where="--map", fix=f"for example {example}")
        if renames.setdefault(source, target) != target:
            raise ZooError(f"--map renames {source} twice", where="--map", fix="name it once")
    return renames
