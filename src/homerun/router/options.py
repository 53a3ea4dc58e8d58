"""The router's limits: seconds and bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    request_limit: int = 32 << 20
    """Largest body of an HTTP/1 request (contract §3); above it: 413."""
    head_limit: int = 64 << 10
    """Largest head of a request or response; a request above it: 431."""
    queue_limit: int = 10_000
    """Requests that may wait in front of one revision; the next one is refused with 429 at once."""
    header_timeout: float = 60
    """From a connection's start, or a request's first byte, to the end of its head; then 408."""
    idle_timeout: float = 620
    """A client's connection without a request is closed after this: longer than the load balancers in front wait."""
    instance_idle_timeout: float = 60
    """An unused connection to an instance is closed after this."""
    connect_timeout: float = 5
    """An instance that takes longer to accept a connection counts as failed."""
    linger: float = 2
    """How long a refused client may go on sending what it had begun before its connection is cut."""
    grace: float = 10
    """After SIGTERM, requests in flight have this long to end."""
