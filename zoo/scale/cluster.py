"""A Ray cluster: one that runs, or one that is started on this machine and ends with the work."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zoo.errors import ZooError

_CONNECT_SECONDS = 10


@contextmanager
def joined(address: str | None) -> Iterator[Any]:
    """The module `ray`, connected to a cluster; what was started here ends with the block.

    Args:
        address: HOST:PORT of a running cluster, `auto` for the one of this machine; None starts one on this machine.

    Raises:
        ZooError: Ray is not installed, or there is no cluster at the address.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise ZooError("the engine ray is not installed", fix="pip install 'biomedical-ner-zoo[ray]'") from None
    started_here, on_sigterm = not ray.is_initialized(), signal.getsignal(signal.SIGTERM)
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it warns of what Ray Data itself does
    try:
        _check_reachable(address)
        ray.init(address=address, log_to_driver=False, configure_logging=False, ignore_reinit_error=True)
    except Exception as error:  # noqa: BLE001 - Ray raises plain Exceptions, of a node that is slow to start too
        about, where, fix = (
            (f"no Ray cluster at {address}", "--address", "`ray start --head`, and give its HOST:PORT")
            if address
            else ("Ray does not start on this machine", None, "try again, or `ray stop` what is left of others")
        )
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ZooError(f"{about}: {said[0]}", where=where, fix=fix) from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own in the place
    try:
        yield ray
    finally:
        if started_here:
            ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Ask for a connection first: Ray itself keeps trying for minutes.

    Raises:
        OSError: Nobody listens there.
        ValueError: It is not HOST:PORT.
    """
    if address and address != "auto" and "://" not in address:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("an address is HOST:PORT or auto")
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
