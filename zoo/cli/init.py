"""`zoo init`: the settings of a new project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.output import print_line


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder of the project.")] = Path(),
    org: Annotated[
        str | None, typer.Option("--org", metavar="NAME", help="Hub organisation or user to publish under.")
    ] = None,
    country: Annotated[
        str | None, typer.Option("--country", metavar="DEU", help="ISO 3166 alpha-3 code, for carbon figures.")
    ] = None,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Output folder, as seen from the folder of the project.")
    ] = "builds",
    registry: Annotated[
        str | None,
        typer.Option("--registry", metavar="DIR", help="Your own registry, as seen from the folder of the project."),
    ] = None,
    with_registry: Annotated[
        bool, typer.Option("--with-registry", help="Make that registry [default: registry]; what is there is kept.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a zoo.toml that is there.")] = False,
) -> None:
    """Write a zoo.toml with the settings of a project, which holds for its folder and all below it."""
    from zoo.project import create_project
    from zoo.settings import read_setting

    registry = "registry" if registry is None and with_registry else registry
    options = {"org": org, "country": country, "out": out, "registry": registry}
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        read_setting(name, value, where=f"--{name}")
    for path in create_project(folder, given, with_registry=with_registry, force=force):
        print_line(f"written: {path}", wrap=False)
    if country is None:
        print_line(
            "no country is set: figures of emissions are those of the world average, and publishing asks for one"
        )
    print_line("next: zoo doctor checks this machine; zoo list shows what can be built")
