"""Probes as their JSON describes them (contract §1.11)."""

from typing import Any

import pytest

from homerun.model.probe import Check, Probe


@pytest.mark.parametrize(
    ("json", "check", "probe", "said"),
    [
        ({"tcpSocket": {}}, Check.STARTUP, Probe(8080, timeout=1, period=10, failure_threshold=3), "TCP port 8080"),
        (
            {"httpGet": {"port": 9, "httpHeaders": [{"name": "A", "value": "b"}, {"name": "C"}]}, "periodSeconds": 5},
            Check.LIVENESS,
            Probe(9, "/", (("A", "b"), ("C", "")), timeout=1, period=5, failure_threshold=3),
            'HTTP port 9 path "/"',
        ),
        (
            {"httpGet": {"path": "/ready"}, "initialDelaySeconds": 7, "timeoutSeconds": 2, "failureThreshold": 1},
            Check.READINESS,
            Probe(8080, "/ready", (), None, 7, 2, 10, 1, success_threshold=2),
            'HTTP port 8080 path "/ready"',
        ),
        (
            {"httpGet": {}, "successThreshold": 5},
            Check.READINESS,
            Probe(8080, "/", timeout=1, period=10, failure_threshold=3, success_threshold=5),
            'HTTP port 8080 path "/"',
        ),
        (
            {"grpc": {"port": 50, "service": "s.S"}},
            Check.STARTUP,
            Probe(50, grpc_service="s.S", timeout=1, period=10, failure_threshold=3),
            'GRPC port 50 service "s.S"',
        ),
        (
            {"grpc": {}},
            Check.LIVENESS,
            Probe(8080, grpc_service="", timeout=1, period=10, failure_threshold=3),
            "GRPC port 8080",
        ),
    ],
)
def test_a_probe_is_read_from_its_json(json: dict[str, Any], check: Check, probe: Probe, said: str) -> None:
    assert Probe.parse(json, 8080, check) == probe
    assert f"{probe.kind} {probe}" == said


def test_the_limit_of_a_start() -> None:
    assert Probe(8080).limit == 240
    assert Probe(8080, initial_delay=5, period=3, failure_threshold=4).limit == 17
