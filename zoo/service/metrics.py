"""Figures for Prometheus: requests, batches, what waits. No text, no names of clients."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one service.

    Args:
        waiting_tokens: Tokens that wait.
        loaded_models: Number of loaded models.
    """

    def __init__(self, waiting_tokens: Callable[[], float], loaded_models: Callable[[], float]) -> None:
        self._registry = own = CollectorRegistry()
        self._requests = Counter("zoo_requests", "Requests answered", ["route", "status"], registry=own)
        self._seconds = Histogram("zoo_request_seconds", "From the request to its answer", ["route"], registry=own)
        self._windows = Histogram("zoo_batch_windows", "Windows of a batch", buckets=_SIZES, registry=own)
        self._tokens = Counter("zoo_tokens", "Tokens labelled", registry=own)
        Gauge("zoo_waiting_tokens", "Tokens that wait for a batch", registry=own).set_function(waiting_tokens)
        Gauge("zoo_loaded_models", "Models in memory", registry=own).set_function(loaded_models)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, windows: int, tokens: int) -> None:
        """Count a batch."""
        self._windows.observe(windows)
        self._tokens.inc(tokens)

    def page(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self._registry)
