"""`zoo ontologies check`: what is odd in an ontology."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.opening import open_ontology, open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from zoo.ontologies.check import OntologyReport


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ontologies to check; none means all that are on this machine."),
    ] = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Say what had to be mended or left out, and which names several concepts share."""
    from zoo.ontologies.check import check_ontology
    from zoo.ontologies.sources import availability

    found, settings = open_registry(registry)
    chosen = [found.ontology(name) for name in dict.fromkeys(names or [])] or [
        entry
        for entry in found.ontologies.values()
        if availability(entry, found.folders[f"ontologies/{entry.id}"], settings.ontologies, cache=settings.cache)
        not in ("to fetch", "no source")
    ]
    reports = [check_ontology(open_ontology(entry, found, settings)) for entry in chosen]
    if as_json:
        print_json([report.model_dump(mode="json") for report in reports])
        return
    for number, report in enumerate(reports):
        if number:
            print_line()
        _print(report)


def _print(report: OntologyReport) -> None:
    print_line(
        f"{report.ontology}, {report.version}: {report.concepts:,} concepts, {report.names:,} names ({report.source})"
    )
    print_line(
        f"without a definition: {report.without_definition:,}; "
        f"parents that are not in it: {report.parents_elsewhere:,}; "
        f"names of several concepts: {report.shared_names:,}"
    )
    if report.repairs:
        print_table(
            ["repair", "times", "first"], [[item.what, f"{item.count:,}", item.first] for item in report.repairs]
        )
    if report.examples:
        print_table(["name", "concepts"], [[item.name, " ".join(item.concepts[:8])] for item in report.examples])
