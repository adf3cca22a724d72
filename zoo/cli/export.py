"""The command that makes a model stand alone: `zoo export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, OutOption, RegistryOption
from zoo.cli.output import download_bars, print_json, print_line, print_step, print_table
from zoo.errors import ZooError


def export(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Checkpoint, backbone/corpus; or its folder, an adapter or a Hub id. Several on one base with --web.",
        ),
    ],
    merged: Annotated[
        Path | None,
        typer.Option("--merged", metavar="DIR", help="Write a whole model of its own labels: it loads without peft."),
    ] = None,
    onnx: Annotated[
        Path | None, typer.Option("--onnx", metavar="DIR", help="Write model.onnx (float32), config and tokenizer.")
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="With --onnx: write model_quantized.onnx (int8), too.")] = False,
    web: Annotated[
        Path | None, typer.Option("--web", metavar="DIR", help="Write a page that finds entities in the browser.")
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(
            "--runtime", metavar="FILE", help="With --web: onnxruntime-web's package of npm, not fetched then."
        ),
    ] = None,
    out: OutOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Write a model that stands alone, merged, in ONNX or as a page, checked against the adapter on real text."""
    if not (merged or onnx or web):
        raise ZooError("nothing to write", fix="say --merged DIR, --onnx DIR, both, or --web DIR")
    if runtime and not web:
        raise ZooError("--runtime belongs to --web", where="--runtime", fix="add --web DIR")
    if web:
        if merged or onnx:
            raise ZooError("--web goes alone", where="--web", fix="run the command once for each")
        _export_web(models, web, runtime, out, registry, as_json=as_json)
        return
    if len(models) > 1:
        raise ZooError("--merged and --onnx take one model", where=" ".join(models), fix="name one, or say --web DIR")
    model = models[0]
    if int8 and not onnx:
        raise ZooError("--int8 belongs to --onnx", where="--int8", fix="add --onnx DIR")
    if merged and onnx and (places := {merged.resolve(), onnx.resolve()}) and _nested(places):
        raise ZooError("--merged and --onnx need folders apart", where=merged, fix="name two folders side by side")
    found, settings = open_registry(registry)
    from zoo.export.formats import FORMATS, write_all
    from zoo.export.merged import check_destination
    from zoo.export.source import find_source
    from zoo.hub.manifest import CARD_FILE
    from zoo.modeling.quiet import quiet_libraries

    wanted = [(FORMATS["merged"], merged)] if merged else []
    wanted += [(FORMATS["int8" if int8 else "onnx"], onnx)] if onnx else []
    for form, folder in wanted:
        check_destination(folder)
        form.check_libraries()
    quiet_libraries()
    source = find_source(model, out or settings.out, found)
    print_step(f"loading {model}")
    done = write_all(source, wanted, print_step)
    if as_json:
        print_json([{"folder": str(folder), **record.model_dump(mode="json")} for folder, record in done])
        return
    print_table(
        ["file", "weights", "MB", "largest logit difference", "same entities"],
        [
            [
                str(folder / item.name),
                item.precision,
                f"{item.size_bytes / 1e6:.1f}",
                f"{item.agreement.max_logit_difference:.2g}",
                f"{item.agreement.equal_entities} of {item.agreement.entities}, "
                f"{item.agreement.other_entities - item.agreement.equal_entities} new",
            ]
            for folder, record in done
            for item in record.files
        ],
    )
    if merged and not (merged / CARD_FILE).is_file():
        reason = source.no_card or "the model's is about all heads together"
        print_line(f"no {CARD_FILE} was written: {reason}", wrap=False)


def _export_web(
    models: list[str], folder: Path, runtime: Path | None, out: Path | None, registry: Path | None, *, as_json: bool
) -> None:
    found, settings = open_registry(registry)
    from zoo.corpora.retry import FetchOptions
    from zoo.export.formats import FORMATS
    from zoo.export.merged import check_destination
    from zoo.export.runtime import find_runtime
    from zoo.export.source import find_source
    from zoo.modeling.quiet import quiet_libraries

    check_destination(folder)
    FORMATS["int8"].check_libraries()
    from zoo.export.web import export_web

    with download_bars() as progress:
        package = find_runtime(runtime, settings.cache, FetchOptions.of(settings, progress=progress))
    quiet_libraries()
    sources = [find_source(model, out or settings.out, found) for model in models]
    print_step(f"loading {', '.join(models)}")
    record = export_web(sources, found, package, folder, print_step)
    if as_json:
        print_json({"folder": str(folder), **record.model_dump(mode="json")})
        return
    print_table(
        ["model", "types", "kB", "largest logit difference", "same entities"],
        [
            [
                model.name,
                ", ".join(model.types),
                f"{(folder / model.file).stat().st_size / 1e3:.0f}",
                f"{max(head.max_logit_difference for head in model.agreement):.2g}",
                f"{sum(head.equal_entities for head in model.agreement)} of "
                f"{sum(head.entities for head in model.agreement)}",
            ]
            for model in record.models
        ],
    )
    for part in (record.base, *record.models):
        if part.obstacle:
            print_line(f"do not pass the page on: {part.name}: {part.obstacle}", wrap=False)
    print_line(
        f"python -m http.server --directory {shlex.quote(str(folder))}   # then open http://localhost:8000", wrap=False
    )


def _nested(places: set[Path]) -> bool:
    return len(places) == 1 or any(one in other.parents for one in places for other in places)
