"""`zoo serve`: models over HTTP."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from zoo.cli.opening import open_registry
from zoo.cli.options import AddressOption, RegistryOption
from zoo.cli.output import print_line, print_step
from zoo.cli.signals import own_signals
from zoo.errors import ZooError


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="[NAME=]DIR_OR_ID",
            help="Checkpoint folder, adapter, model folder or Hub id; nothing else can be served.",
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: any.")] = 8000,
    link: Annotated[
        list[str] | None,
        typer.Option("--link", metavar="[TYPE=]ONTOLOGY", help="As of zoo tag; requests say whether they want it."),
    ] = None,
    lazy: Annotated[bool, typer.Option("--lazy", help="Load no model before POST /v1/models/NAME/load.")] = False,
    keys: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="Hashes of the keys that may ask; else anyone may.")
    ] = None,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="Make a key, add its hash to --keys, print it, end.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Batches at a time; default: cores, of a replica 1.")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option("--engine", help="This process, or replicas on a Ray cluster.")
    ] = "local",
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="Of --engine ray, with all models each.")] = 1,
    address: AddressOption = None,
    body_bytes: Annotated[int, typer.Option("--max-body-bytes", min=1024, help="Of one request.")] = 4 << 20,
    request_seconds: Annotated[float, typer.Option("--max-seconds", min=0.1, help="For one request.")] = 60.0,
    header_seconds: Annotated[
        float, typer.Option("--max-header-seconds", min=0.1, help="For the head of a request.")
    ] = 10.0,
    waiting_tokens: Annotated[
        int,
        typer.Option("--max-waiting-tokens", min=1, help="Of all requests; more must come again."),
    ] = 1 << 18,
    registry: RegistryOption = None,
) -> None:
    """Serve models over HTTP: POST /v1/tag, GET /v1/models, /docs, /health, /ready, /metrics.

    Requests of different adapters of one base are computed in one batch. For TLS put a proxy before it.
    """
    from zoo.service.keys import Keys
    from zoo.service.keys import new_key as make_key

    if new_key:
        if not keys:
            raise ZooError("--new-key needs the file that keeps hashes", fix="--keys FILE")
        print_line(make_key(keys, new_key), wrap=False)
        return
    try:
        from zoo.service.server import serve as run
        from zoo.service.setup import Setup
    except ModuleNotFoundError as error:
        raise ZooError(f"the service needs {error.name}", fix="pip install 'biomedical-ner-zoo[serve]'") from None
    from zoo.service.limits import Limits
    from zoo.service.models import named_sources

    allowed = Keys(keys) if keys else None
    if allowed is None and host not in ("127.0.0.1", "::1", "localhost"):
        print_step("anyone who reaches this address may ask: --keys FILE lets only those with a key")

    limits = Limits(
        body_bytes=body_bytes,
        request_seconds=request_seconds,
        header_seconds=header_seconds,
        waiting_tokens=waiting_tokens,
    )
    _, settings = open_registry(registry)
    setup = Setup(named_sources(model or []), tuple(link or ()), settings, limits, allowed, threads or 1, lazy)
    if engine == "ray":
        from zoo.service import replicas as on_ray

        if lazy or port == 0:
            raise ZooError("--lazy and --port 0 are of --engine local", fix="leave them out, or name a port")
        own_signals.leave()
        on_ray.serve(setup, host, port, replicas, address, say=print_step)
        return
    if address or replicas > 1:
        raise ZooError("--address and --replicas are for a Ray cluster", fix="add --engine ray")
    service = replace(setup, threads=threads or os.cpu_count() or 1).open(print_step)
    own_signals.leave()
    run(service, host, port)
