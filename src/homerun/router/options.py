"""The router's limits: seconds and bytes."""

from __future__ import annotations

import sys
from dataclasses import dataclass

UNLIMITED = sys.maxsize
_OWN_FILES = 200
"""Open files that are not for connections: the loop's, the link's, those of logs."""
_FEWEST = 100


def connections_for(open_files: int) -> int:
    """How many clients a process that may open so many files can take: each may need a connection to an instance as
    well, and those who are turned away need one for the moment that it takes."""
    return max(_FEWEST, (open_files - _OWN_FILES) * 4 // 9)


@dataclass(frozen=True, slots=True)
class Options:
    request_limit: int = 32 << 20
    """Largest body of an HTTP/1 request (contract §3); above it: 413."""
    response_limit: int = UNLIMITED
    """Largest body of an HTTP/1 answer with a Content-Length; above it: 500 (contract §3 has 32 MiB). An answer that
    comes in one piece passes whatever its length: it is small."""
    max_connections: int = 50_000
    """Of clients; one more is answered 503 and closed."""
    header_count: int = 500
    """Headers of one request; above it: 431."""
    retry_idempotent: bool = False
    """Send a GET, HEAD, OPTIONS, PUT or DELETE without a body once more, to another instance, when the one that had it
    broke off before it answered anything."""
    head_limit: int = 64 << 10
    """Largest head of a request or response; a request above it: 431."""
    queue_limit: int = 10_000
    """Requests that may wait in front of one revision; the next one is refused with 429 at once."""
    header_timeout: float = 60
    """From a connection's start, or a request's first byte, to the end of its head; then 408."""
    handshake_timeout: float = 10
    """A client on the TLS port that has not shaken hands after this is cut off."""
    idle_timeout: float = 620
    """A client's connection without a request is closed after this: longer than the load balancers in front wait."""
    instance_idle_timeout: float = 60
    """An unused connection to an instance is closed after this."""
    connect_timeout: float = 5
    """An instance that takes longer to accept a connection counts as failed."""
    owner_patience: float = 5
    """A connection waits so long for another router that owns its host and is away; then 503."""
    linger: float = 2
    """How long a refused client may go on sending what it had begun before its connection is cut."""
    grace: float = 10
    """After SIGTERM, requests in flight have this long to end."""
