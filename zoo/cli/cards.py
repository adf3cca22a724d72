"""`zoo cards`: the cards of what is built, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.opening import nothing_built, open_registry
from zoo.cli.options import AsJson, OutOption, RegistryOption
from zoo.cli.output import print_json, print_line
from zoo.errors import ZooError


def cards(
    out: OutOption = None,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder for the cards.")] = Path("model_cards"),
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Write the cards of all checkpoints and bases of an output folder, from their result.json, into one folder."""
    from zoo.cards.render import render_base_card, render_card
    from zoo.evaluation.result import find_results
    from zoo.files import write_whole

    found, settings = open_registry(registry)
    folder = out or settings.out
    pages: dict[str, str] = {}
    for result in find_results(folder):
        checkpoint = found.checkpoint(result.checkpoint_id)
        pages[result.repo_id.split("/")[-1]] = render_card(result, checkpoint, found)
        pages[result.base_repo_id.split("/")[-1]] = render_base_card(result, checkpoint.backbone, found)
    if not pages:
        raise nothing_built(folder)
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            write_whole(to / f"{name}.md", text)
    except OSError as error:
        raise ZooError(f"cannot write the cards: {error.strerror or error}", where=to) from None
    paths = [str(to / f"{name}.md") for name in sorted(pages)]
    if as_json:
        print_json(paths)
        return
    for path in paths:
        print_line(path, wrap=False)
