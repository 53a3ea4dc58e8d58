"""Rules for probes (contract §1.11)."""

from typing import Any

import pytest

from homerun.model.probe_rules import PROBES
from homerun.model.rules import check


def wrong(key: str, probe: dict[str, Any]) -> list[str]:
    return [v.field for v in check({key: probe}, PROBES)]


@pytest.mark.parametrize(
    ("key", "probe"),
    [
        ("startupProbe", {"periodSeconds": 5}),
        ("startupProbe", {"grpc": {"port": 1, "service": "s"}, "initialDelaySeconds": 240}),
        ("livenessProbe", {"httpGet": {"httpHeaders": [{"name": "X-A", "value": "b c"}]}, "periodSeconds": 3600}),
        ("livenessProbe", {"tcpSocket": {}, "initialDelaySeconds": 3600}),
        ("readinessProbe", {"grpc": {}, "failureThreshold": 5}),
        ("livenessProbe", {}),
        ("livenessProbe", {"grpc": {}, "successThreshold": 1}),
        ("startupProbe", {"successThreshold": 0}),
        ("readinessProbe", {"grpc": {}, "successThreshold": 3}),
    ],
)
def test_good_ones(key: str, probe: dict[str, Any]) -> None:
    assert wrong(key, probe) == []


@pytest.mark.parametrize(
    ("key", "probe", "field"),
    [
        ("startupProbe", {"initialDelaySeconds": 241}, "startupProbe.initialDelaySeconds"),
        ("startupProbe", {"periodSeconds": 60, "failureThreshold": 5}, "startupProbe"),
        ("livenessProbe", {"grpc": {}, "initialDelaySeconds": 3601}, "livenessProbe.initialDelaySeconds"),
        ("livenessProbe", {"grpc": {}, "timeoutSeconds": 11}, "livenessProbe.timeoutSeconds"),
        ("livenessProbe", {"periodSeconds": 5}, "livenessProbe"),
        ("livenessProbe", {"grpc": {}, "httpGet": {}}, "livenessProbe"),
        ("livenessProbe", {"grpc": {"port": 65536}}, "livenessProbe.grpc.port"),
        ("readinessProbe", {"tcpSocket": {}}, "readinessProbe.tcpSocket"),
        ("readinessProbe", {"grpc": {}, "failureThreshold": -1}, "readinessProbe.failureThreshold"),
        ("startupProbe", {"successThreshold": 2}, "startupProbe.successThreshold"),
        ("livenessProbe", {"grpc": {}, "successThreshold": 5}, "livenessProbe.successThreshold"),
        ("readinessProbe", {"grpc": {}, "successThreshold": -1}, "readinessProbe.successThreshold"),
        ("livenessProbe", {"httpGet": {"httpHeaders": [{"value": "x"}]}}, "livenessProbe.httpGet.httpHeaders[0].name"),
        ("livenessProbe", {"httpGet": {"httpHeaders": [{"name": "a:b"}]}}, "livenessProbe.httpGet.httpHeaders[0].name"),
        (
            "livenessProbe",
            {"httpGet": {"httpHeaders": [{"name": "a", "value": "x\r\ny"}]}},
            "livenessProbe.httpGet.httpHeaders[0].value",
        ),
    ],
)
def test_bad_ones(key: str, probe: dict[str, Any], field: str) -> None:
    assert wrong(key, probe) == [field]
