"""`zoo corpora add`: a corpus of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from zoo.cli.corpora.heads import chosen_heads, heads_record, weigh_heads
from zoo.cli.options import AsJson
from zoo.cli.output import print_json, print_line, print_table
from zoo.errors import ZooError
from zoo.language import primary
from zoo.registry.formats import AddableFormat
from zoo.settings import Settings


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the new corpus, for example my-notes.")],
    format_: Annotated[AddableFormat | None, typer.Option("--format", help="How the files are written.")] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--path", metavar="DIR_OR_FILE", help="The data; files named train, dev and test are kept as such."
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            "--corrections",
            metavar="DIR",
            help="In the place of --path and --format: the folder that the demo saves corrections in. Given again, "
            "the corpus is made anew, and each text keeps its split.",
        ),
    ] = None,
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
        Literal["auto", "keep", "longest", "error"],
        typer.Option(
            "--overlaps", help="Nested, overlapping, discontinuous mentions; auto keeps them if there are any."
        ),
    ] = "auto",
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
    from zoo.corpora.type_names import ALL, parse_types, split_names
    from zoo.registry.spdx import check_license

    if corrections is not None and path is None and format_ in (None, "brat"):
        path, format_, types = corrections, "brat", types or ALL
    elif corrections is not None or path is None or format_ is None:
        raise ZooError("give either --path and --format, or --corrections", where="zoo corpora add")
    settings = Settings.load()
    folder = registry or settings.registry or Path("registry")
    named, takes_all = parse_types(types)
    added = add_corpus(
        Request(
            name=name,
            path=path,
            format=format_,
            types=named,
            all_types=takes_all,
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
            ignored_types=tuple(dict.fromkeys(split_names(ignore_types))),
            growing=corrections is not None,
        )
    )
    entry = added.corpus.entry
    weighed = weigh_heads(added.corpus)
    if as_json:
        record: dict[str, Any] = {
            "path": str(added.path),
            "new_types": list(added.new_types),
            "notes": list(added.notes),
        }
        record["heads"] = heads_record(weighed)
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
    if weighed:
        print_line(chosen_heads(weighed))
    if added.new_types:
        print_line(f"new in the label space of {folder}: {', '.join(added.new_types)}")
    for what, count in added.corpus.repairs.items():
        print_line(f"{what}: {count}")
    backbone = "minilm-l6" if primary(language) == "en" else "multilingual-e5-small"
    following = f"evaluate MODEL {name}" if entry.for_evaluation_only else f"build {backbone}/{name}"
    print_line(f"written to {added.path}; next: zoo {following} --registry {folder}")
