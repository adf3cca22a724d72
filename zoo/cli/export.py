"""The command that makes a model stand alone: `zoo export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import AsJson, OutOption, RegistryOption
from zoo.cli.output import print_json, print_line, print_step, print_table
from zoo.errors import ZooError


def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Checkpoint, backbone/corpus; or its folder, an adapter or a Hub id.")
    ],
    merged: Annotated[
        Path | None,
        typer.Option("--merged", metavar="DIR", help="Write a whole model of its own labels: it loads without peft."),
    ] = None,
    onnx: Annotated[
        Path | None, typer.Option("--onnx", metavar="DIR", help="Write model.onnx (float32), config and tokenizer.")
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="With --onnx: write model_quantized.onnx (int8), too.")] = False,
    out: OutOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> None:
    """Write a model that stands alone, merged or in ONNX, checked against the adapter on real text."""
    if not (merged or onnx):
        raise ZooError("nothing to write", fix="say --merged DIR, --onnx DIR, or both")
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


def _nested(places: set[Path]) -> bool:
    return len(places) == 1 or any(one in other.parents for one in places for other in places)
