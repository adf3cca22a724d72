"""What a service takes, so that no request, and no number of them, can bring it down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a service.

    Attributes:
        body_bytes: Of one request.
        texts: Of one request, times its models.
        waiting_tokens: Of all requests together; more are told to come again.
        batch_tokens: Of one batch.
        request_seconds: For a request's body, and again for its answer.
        header_seconds: For the head of a request.
        connections: At a time.
        stop_seconds: For requests under way, when the service is told to stop.
    """

    body_bytes: int = 4 << 20
    texts: int = 1024
    waiting_tokens: int = 1 << 18
    batch_tokens: int = 1024
    request_seconds: float = 60.0
    header_seconds: float = 10.0
    connections: int = 512
    stop_seconds: int = 30
