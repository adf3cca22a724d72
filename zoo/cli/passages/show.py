"""`zoo passages show`: one entry, and the first of its passages."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, RegistryOption
from zoo.cli.output import print_json, print_line

_EXAMPLES = 3


_EXCERPT_CHARACTERS = 240


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="Passages of the registry.")],
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show passages: licence, how they are read and drawn, where their files are, and the first of them."""
    from zoo.language.names import language_name
    from zoo.passages.load import find_passages, load_passages, passage_files
    from zoo.registry.formats import PASSAGE_FORMATS

    found, settings = open_registry(registry)
    entry = found.passage(name)
    folder = found.folders[f"passages/{entry.id}"]
    data: dict[str, Any] = {**entry.model_dump(mode="json"), "files": "no source", "file_count": 0, "size_bytes": 0}
    data["examples"] = []
    if place := find_passages(entry, folder, settings.passages):
        files = list(passage_files(place[1], entry.format))
        data |= {"files": place[0], "file_count": len(files), "size_bytes": sum(file.stat().st_size for file in files)}
        stream = load_passages(entry, registry_folder=folder, local=settings.passages)
        data["examples"] = [
            {"id": passage.id, "source": passage.source, "text": passage.text[:_EXCERPT_CHARACTERS]}
            for passage in islice(stream, _EXAMPLES)
        ]
    if as_json:
        print_json(data)
        return
    print_line(f"{entry.title} ({entry.format})")
    print_line(f"language: {language_name(entry.language)}")
    print_line(f"licence: {entry.license.spdx} ({entry.license.source})")
    print_line(f"models trained on them may {'' if entry.license.publishable else 'not '}be published")
    for text in (entry.license.note, entry.note, entry.homepage):
        if text:
            print_line(text)
    sample = f"a sample of {entry.sample:,}" if entry.sample else "all"
    print_line(f"drawn: {sample}, weight {entry.weight:g}")
    if not place:
        target = f"{settings.passages or '$ZOO_PASSAGES'}/{entry.id}/"
        fetch = f"run zoo passages fetch {entry.id}, or " if entry.remote else ""
        print_line(
            f"files: none on this machine; {fetch}put them into {target}, "
            f"as *{PASSAGE_FORMATS[entry.format].suffixes[0]}[.gz]"
        )
        return
    print_line(f"files: {data['files']}, {data['file_count']:,}, {data['size_bytes'] / 1e6:,.1f} MB")
    for example in data["examples"]:
        print_line(f"\n{example['id']}: {' '.join(example['text'].split())}")
