"""Domain-adaptive pre-training in several processes of one machine."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import write_whole
from zoo.training.dapt import DaptLog, adapt


def adapt_in_parallel(processes: int, *, destination: Path, **arguments: Any) -> DaptLog:  # noqa: ANN401
    """As `adapt`, in several processes of this machine, a GPU each (or CPU cores); callbacks are not called.

    The outcome equals that of one process but for the order in which floats are summed, and dropout.

    Raises:
        ZooError: As `adapt`.
    """
    from torch.multiprocessing.spawn import ProcessRaisedException, start_processes

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    work = (processes, port, {**arguments, "destination": destination})
    start: Any = start_processes
    log, error = (destination.with_name(name) for name in ("log.json", "error.json"))
    try:
        start(_process, args=work, nprocs=processes, start_method="spawn")
    except ProcessRaisedException:
        if not error.is_file():
            raise
        said = json.loads(error.read_text(encoding="utf-8"))
        error.unlink()
        raise ZooError(said["what"], where=said["where"], fix=said["fix"]) from None
    found = DaptLog.from_file(log, what="not the outcome of a training process")
    log.unlink()
    return found


def _process(rank: int, processes: int, port: int, arguments: dict[str, Any]) -> None:
    import torch

    from zoo.modeling.processes import follow_parent
    from zoo.modeling.quiet import quiet_libraries

    follow_parent()  # what is left of a killed run would write beside the one that goes on
    quiet_libraries()
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    else:
        os.environ["ACCELERATE_USE_CPU"] = "true"
    destination: Path = arguments["destination"]
    try:
        log = adapt(**arguments)
    except ZooError as error:
        said = {"what": error.what, "where": error.where, "fix": error.fix}
        write_whole(destination.with_name("error.json"), json.dumps(said))
        raise
    if rank == 0:
        destination.with_name("log.json").write_text(log.to_json(), encoding="utf-8")
    torch.distributed.destroy_process_group()
