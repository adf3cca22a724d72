"""`zoo ontologies add`: a vocabulary of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.options import AsJson
from zoo.cli.output import print_json, print_line
from zoo.registry.formats import OntologyFormat
from zoo.settings import Settings


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the new ontology, for example my-codes.")],
    path: Annotated[
        Path,
        typer.Option(
            "--path",
            metavar="FILE_OR_DIR",
            help="The vocabulary: a table with columns id, name, synonyms (joined by |), or another format.",
        ),
    ],
    format_: Annotated[
        OntologyFormat | None, typer.Option("--format", help="How it is written [told by first lines and name].")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="What people call it.")] = "",
    license_: Annotated[str, typer.Option("--license", metavar="SPDX", help="Its licence.")] = "NOASSERTION",
    publishable: Annotated[
        bool, typer.Option("--publishable", help="Its content, such as an index of names, may be in a push.")
    ] = False,
    id_prefix: Annotated[
        str, typer.Option("--id-prefix", metavar="NAME", help="What ids without a prefix get: A01 -> NAME:A01.")
    ] = "",
    version: Annotated[str, typer.Option("--version", help="Its version, where the file says none.")] = "",
    languages: Annotated[
        str,
        typer.Option("--languages", metavar="A,B", help="Languages of names, where there are several (UMLS, SKOS)."),
    ] = "en",
    vocabularies: Annotated[
        str, typer.Option("--vocabularies", metavar="A,B", help="Of UMLS: whose names to take, such as MSH [all].")
    ] = "",
    registry: Annotated[
        Path | None,
        typer.Option("--registry", metavar="DIR", help="Your registry folder [ZOO_REGISTRY; default: registry]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add your own vocabulary to your registry folder: checked, copied, ready for linking."""
    from zoo.corpora.type_names import split_names
    from zoo.ontologies.add import Request, add_ontology
    from zoo.registry.spdx import check_license

    settings = Settings.load()
    folder = registry or settings.registry or Path("registry")
    added = add_ontology(
        Request(
            name=name,
            path=path,
            registry=folder,
            format=format_,
            title=title,
            license_spdx=check_license(license_, where="--license"),
            publishable=publishable,
            id_prefix=id_prefix,
            version=version,
            languages=tuple(split_names(languages)),
            vocabularies=tuple(split_names(vocabularies)),
            local=settings.ontologies,
        )
    )
    ontology = added.ontology
    if as_json:
        record = {"path": str(added.path), "notes": list(added.notes), "repairs": dict(ontology.repairs)}
        print_json({**record, "entry": ontology.entry.model_dump(mode="json")})
        return
    for note in added.notes:
        print_line(note)
    for what, count in ontology.repairs.most_common():
        print_line(f"{what}: {count:,} (first: {ontology.places[what]})")
    first = ontology.concepts[0]
    print_line(f"the first of them: {first.id} {first.name}")
    print_line(f"written to {added.path}; next: zoo ontologies check {name} --registry {folder}")
