"""Running a service: an HTTP server that slow clients cannot hold, and that answers what it has begun when it stops."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from zoo.service.app import Service, create_app


def serve(service: Service, host: str, port: int) -> None:
    """Serve until a signal comes, then finish what is under way.

    Args:
        service: What is served.
        host: Address to listen on.
        port: Port; 0: any that is free.
    """
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    limits = service.limits
    of_clients = logging.getLogger("zoo.service.clients")
    of_clients.setLevel(logging.ERROR)  # uvicorn warns of each broken request: strangers could fill the log

    class Protocol(H11Protocol):
        """Closes connections that take too long to send the head of a request."""

        _slow: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as uvicorn has it
            super().connection_made(transport)
            self.logger = of_clients
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._slow:
                self._slow.cancel()

        def _watch(self) -> None:
            """Time runs while no request is under way; its first byte does not start it anew."""
            busy = self.cycle is not None and not self.cycle.response_complete
            if busy and self._slow:
                self._slow.cancel()
                self._slow = None
            elif not busy and self._slow is None:
                self._slow = self.loop.call_later(limits.header_seconds, self.transport.close)

    class Server(uvicorn.Server):
        """Says on what it listens, and is not ready any more once it was told to stop."""

        def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ANN401
            service.stopping = True
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        create_app(service),
        host=host,
        port=port,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=limits.stop_seconds,
    )
    Server(config).run()
