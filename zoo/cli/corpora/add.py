"""`zoo corpora add`: a corpus of one's own."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Literal

import typer

from zoo.cli.options import AsJson
from zoo.cli.output import print_json, print_line, print_table
from zoo.errors import ZooError
from zoo.registry.formats import AddableFormat
from zoo.settings import Settings


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the new corpus, for example my-notes.")],
    format_: Annotated[AddableFormat, typer.Option("--format", help="How the files are written.")],
    path: Annotated[
        Path,
        typer.Option(
            "--path", metavar="DIR_OR_FILE", help="The data; files named train, dev and test are kept as such."
        ),
    ],
    types: Annotated[
        str,
        typer.Option(
            "--types", metavar="A,B=Disease", help="Types in the files; B=Disease renames B, all takes every type."
        ),
    ] = "",
    ignore_types: Annotated[
        str, typer.Option("--ignore-types", metavar="A,B", help="Types in the files to leave out; counted.")
    ] = "",
    overlaps: Annotated[
        Literal["error", "longest", "keep"],
        typer.Option("--overlaps", help="Nested, overlapping and discontinuous mentions."),
    ] = "error",
    license_: Annotated[str, typer.Option("--license", metavar="SPDX", help="Licence of the data.")] = "NOASSERTION",
    publishable: Annotated[
        bool, typer.Option("--publishable", help="Models trained on the data may be published.")
    ] = False,
    language: Annotated[str, typer.Option("--language", metavar="TAG", help="BCP 47 tag, such as de.")] = "en",
    unit: Annotated[
        Literal["document", "sentence"] | None, typer.Option("--unit", help="What one document is.")
    ] = None,
    dev: Annotated[float, typer.Option("--dev", metavar="SHARE", help="Share of the documents for dev.")] = 0.1,
    test: Annotated[float, typer.Option("--test", metavar="SHARE", help="Share of the documents for test.")] = 0.2,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw.")] = 13,
    registry: Annotated[
        Path | None,
        typer.Option("--registry", metavar="DIR", help="Your registry folder [ZOO_REGISTRY; default: registry]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add your own corpus to your registry folder: checked, split by document, ready for `zoo build`."""
    from zoo.corpora.add import Request, add_corpus
    from zoo.registry.spdx import check_license

    settings = Settings.load()
    folder = registry or settings.registry or Path("registry")
    named = _types(types)
    added = add_corpus(
        Request(
            name=name,
            path=path,
            format=format_,
            types={source: target for source, target in named.items() if (source, target) != ("all", "all")},
            all_types=named.get("all") == "all",
            registry=folder,
            overlaps=overlaps,
            license_spdx=check_license(license_, where="--license"),
            publishable=publishable,
            language=language,
            unit=unit,
            dev=dev,
            test=test,
            seed=seed,
            local=settings.corpora,
            ignored_types=tuple(dict.fromkeys(_names(ignore_types))),
        )
    )
    entry = added.corpus.entry
    if as_json:
        record = {"path": str(added.path), "new_types": list(added.new_types), "notes": list(added.notes)}
        print_json({**record, "found_types": dict(added.found_types), "entry": entry.model_dump(mode="json")})
        return
    kinds = [[kind, f"{count:,}", added.types.get(kind, "ignored")] for kind, count in added.found_types.items()]
    print_table(["type in the files", "mentions", "becomes"], kinds)
    print_line()
    rows = [
        [s, str(i.documents), str(i.tokens), str(i.mentions), (i.fingerprint or "")[:12]]
        for s, i in entry.splits.items()
    ]
    print_table(["split", f"{entry.unit}s", "tokens", "mentions", "fingerprint"], rows)
    for note in added.notes:
        print_line(note)
    if added.new_types:
        print_line(f"new in the label space of {folder}: {', '.join(added.new_types)}")
    for what, count in added.corpus.repairs.items():
        print_line(f"{what}: {count}")
    following = f"evaluate MODEL {name}" if entry.for_evaluation_only else f"build minilm-l6/{name}"
    print_line(f"written to {added.path}; next: zoo {following} --registry {folder}")


def _types(argument: str) -> dict[str, str]:
    """Read `A,B=Disease` as `{"A": "A", "B": "Disease"}`; a name with a comma is quoted: `"T116,T123"=Enzyme`."""
    types: dict[str, str] = {}
    for item in _names(argument):
        source, equals, target = (part.strip() for part in item.rpartition("="))
        source = source if equals else target
        if not source or not target:
            raise ZooError(
                f"--types takes A,B=C, not {item!r}", where="--types", fix="for example --types Drug=Chemical"
            )
        if source in types:
            raise ZooError(f"--types names {source} twice", where="--types", fix="name it once")
        types[source] = target
    return types


def _names(argument: str) -> list[str]:
    """Cut a list of names at its commas, but for those between double quotes."""
    return [name.strip() for name in next(csv.reader([argument], skipinitialspace=True), []) if name.strip()]
