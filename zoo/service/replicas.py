"""`zoo serve --engine ray`: the same application in several processes, behind the proxy of Ray Serve."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace

from zoo.errors import ZooError
from zoo.scale.answers import in_full, links_in_full, settings_in_full
from zoo.scale.cluster import joined
from zoo.service.app import create_app
from zoo.service.gate import Gate
from zoo.service.setup import Setup
from zoo.tagging.models import resolve_model

APPLICATION = "zoo"


def serve(
    setup: Setup, host: str, port: int, replicas: int, address: str | None, *, say: Callable[[str], None]
) -> None:
    """Serve until a signal comes, then finish what is under way.

    Args:
        setup: What is served. Every node needs this package and the models at the same places (or the Hub).
        host: Address to listen on.
        port: Port.
        replicas: Processes with all models, each with the cores of `setup.threads` and limits of its own.
        address: As of `joined`.
        say: Told when it runs.

    Raises:
        ZooError: There is no cluster, or a replica cannot load a model.
    """
    sources = {name: in_full(resolve_model(source)) for name, source in setup.sources.items()}
    links, settings = links_in_full(setup.links), settings_in_full(setup.settings)
    setup = replace(setup, sources=sources, links=links, settings=settings, fixed=True)

    def build() -> Gate:
        return create_app(setup.open())

    with joined(address):
        from ray import serve as ray_serve
        from ray.serve.schema import LoggingConfig

        quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
        ray_serve.start(http_options={"host": host, "port": port}, logging_config=quiet)
        deployment = ray_serve.deployment(
            ray_serve.ingress(build)(),
            name=APPLICATION,
            num_replicas=replicas,
            max_ongoing_requests=setup.limits.connections,
            graceful_shutdown_timeout_s=setup.limits.stop_seconds,
            ray_actor_options={"num_cpus": setup.threads},
            logging_config=quiet,
        )
        try:
            ray_serve.run(deployment.bind(), name=APPLICATION, route_prefix="/", logging_config=quiet)
            stop = threading.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stop.set())
            say(f"{replicas} replicas running on http://{host}:{port}")
            while not stop.wait(1):
                pass
        except RuntimeError as error:
            raise ZooError(f"the replicas do not start: {error}", fix="see the logs of Ray Serve") from None
        finally:
            ray_serve.delete(APPLICATION)
            if address is None:
                ray_serve.shutdown()
