"""A probe of a container: whom to ask, how often, and how many answers in a row mean something (contract §1.11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

READY_AGAIN = 2
"""Good answers in a row after which an instance that was not ready gets requests again, if nobody says."""


class Check(StrEnum):
    """What a probe is asked for, as log lines name it."""

    STARTUP = "STARTUP"
    LIVENESS = "LIVENESS"
    READINESS = "READINESS"


@dataclass(frozen=True, slots=True)
class Probe:
    """A TCP connect, an HTTP GET answered with 2xx or 3xx, or a gRPC health check. Times are seconds.

    Defaults are those of the startup probe of a container that declares none.
    """

    port: int
    http_path: str | None = None
    http_headers: tuple[tuple[str, str], ...] = ()
    grpc_service: str | None = None
    """Empty: the server as a whole."""
    initial_delay: float = 0
    timeout: float = 240
    period: float = 240
    failure_threshold: int = 1
    success_threshold: int = 1

    @classmethod
    def parse(cls, probe: Mapping[str, Any], port: int, check: Check) -> Probe:
        """From its v2 JSON; `port` is the container's."""
        http, grpc, tcp = probe.get("httpGet"), probe.get("grpc"), probe.get("tcpSocket")
        http_headers = (http or {}).get("httpHeaders") or ()
        return cls(
            port=(http or grpc or tcp or {}).get("port") or port,
            http_path=None if http is None else http.get("path") or "/",
            http_headers=tuple((header["name"], header.get("value", "")) for header in http_headers),
            grpc_service=None if grpc is None else grpc.get("service", ""),
            initial_delay=probe.get("initialDelaySeconds", 0),
            timeout=probe.get("timeoutSeconds") or 1,
            period=probe.get("periodSeconds") or 10,
            failure_threshold=probe.get("failureThreshold") or 3,
            success_threshold=probe.get("successThreshold") or (READY_AGAIN if check is Check.READINESS else 1),
        )

    @property
    def kind(self) -> str:
        """TCP, HTTP or GRPC."""
        if self.http_path is not None:
            return "HTTP"
        return "TCP" if self.grpc_service is None else "GRPC"

    @property
    def limit(self) -> float:
        """Of a startup probe: it fails if the container has not answered this long after its start."""
        return self.initial_delay + self.period * self.failure_threshold

    def __str__(self) -> str:
        """Where it asks, as log lines say it: `port 8080 path "/healthz"`."""
        if self.http_path is not None:
            return f'port {self.port} path "{self.http_path}"'
        return f"port {self.port}" + (f' service "{self.grpc_service}"' if self.grpc_service else "")
