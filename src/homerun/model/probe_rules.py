"""The rules of a container's probes (contract §1.11), paths below the container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from homerun.model import limits
from homerun.model.limits import Range
from homerun.model.rules import Rule, below, field, required

Json = Mapping[str, Any]
_PERIOD, _FAILURES, _TIMEOUT = 10, 3, 1
_PATH = limits.Text(r"/[!-~]*", "an absolute path such as /healthz")


def _one_of(*kinds: str, default: bool) -> Callable[[Json, str], Iterator[tuple[str, str]]]:
    def wrong(probe: Json, owner: str) -> Iterator[tuple[str, str]]:
        given = [kind for kind in ("httpGet", "tcpSocket", "grpc") if kind in probe]
        if len(given) > 1:
            yield "", f"has both {' and '.join(given)}: give one"
        for kind in given:
            if kind not in kinds:
                yield kind, f"is not for this probe: use {' or '.join(kinds)}"
        if probe and not given and not default:
            yield "", f"says not what to ask: give {' or '.join(kinds)}"

    return wrong


def _within_period(probe: Json, owner: str) -> Iterator[tuple[str, str]]:
    timeout, period = probe.get("timeoutSeconds") or _TIMEOUT, probe.get("periodSeconds") or _PERIOD
    if timeout > period:
        yield "timeoutSeconds", f"must not exceed periodSeconds ({period}), and is {timeout}"


def _startup_time(probe: Json, owner: str) -> Iterator[tuple[str, str]]:
    total = (probe.get("periodSeconds") or _PERIOD) * (probe.get("failureThreshold") or _FAILURES)
    if probe and total > limits.STARTUP_SECONDS:
        yield "", f"failureThreshold x periodSeconds is {total} s; at most {limits.STARTUP_SECONDS} s are allowed"


def _probe(seconds: Mapping[str, Range], *kinds: str, default: bool = False) -> tuple[Rule, ...]:
    """`kinds`: what it may ask; `default`: TCP if it does not say."""
    says = f"one of {', '.join(kinds)}"
    return (
        *(field(key, allowed, "§1.11") for key, allowed in seconds.items()),
        Rule("timeoutSeconds", "at most periodSeconds", "§1.11", _within_period, at=""),
        Rule(
            "",
            says + (", or TCP at the container's port" if default else ""),
            "§1.11",
            _one_of(*kinds, default=default),
        ),
        *(field(f"{kind}.port", limits.PORT, "§1.11") for kind in kinds),
        field("httpGet.path", _PATH, "§1.11"),
        required("httpGet.httpHeaders[].name", "every header has a name", "§1.3"),
        field("httpGet.httpHeaders[].name", limits.Text(r"[!-9;-~]+", "visible ASCII without a colon"), "§1.3"),
        field("httpGet.httpHeaders[].value", limits.Text(r"[\t -~]*", "visible ASCII"), "§1.3"),
    )


PROBES = (
    *below("startupProbe", _probe(limits.STARTUP_PROBE, "httpGet", "tcpSocket", "grpc", default=True)),
    Rule(
        "startupProbe",
        f"failureThreshold x periodSeconds at most {limits.STARTUP_SECONDS} seconds",
        "§1.11",
        _startup_time,
    ),
    *below("livenessProbe", _probe(limits.LIVENESS_PROBE, "httpGet", "tcpSocket", "grpc")),
    *below("readinessProbe", _probe(limits.READINESS_PROBE, "httpGet", "grpc")),
)
