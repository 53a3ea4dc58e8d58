"""Rules for containers: what is allowed, what is not, and where it says so."""

from typing import Any

import pytest

from homerun.model.container_checks import Ports, check_containers


def wrong(*containers: dict[str, Any], ports: Ports = Ports.ONE) -> dict[str, str]:
    """Complaints by field. A container without an image gets one."""
    full = [{"image": "x", **container} for container in containers]
    return {v.field: v.description for v in check_containers(full, "c", ports)}


GOOD: list[dict[str, Any]] = [
    {},
    {"ports": [{"containerPort": 65535}]},
    {"ports": [{"name": "http1"}]},
    {"env": [{"name": "A.b-c", "value": "x" * 32768}, {"name": "A.b-c"}]},
    {"resources": {"limits": {"cpu": "80m", "memory": "128Mi"}}},
    {"resources": {"limits": {"cpu": "0.5", "memory": "1Gi"}}},
    {"resources": {"limits": {"cpu": "2", "memory": "8Gi"}}},
    {"resources": {"limits": {"cpu": "8000m", "memory": "32Gi"}}},
    {"workingDir": "/srv", "command": ["/bin/sh"], "args": ["-c", ""]},
    {"startupProbe": {"httpGet": {"path": "/up?x=1", "port": 1}, "periodSeconds": 24, "failureThreshold": 10}},
    {"startupProbe": {"tcpSocket": {}, "timeoutSeconds": 240, "periodSeconds": 240, "failureThreshold": 1}},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"image": ""}, "c[0].image"),
    ({"image": "a b"}, "c[0].image"),
    ({"name": "Not_A_Label"}, "c[0].name"),
    ({"ports": [{"containerPort": 65536}]}, "c[0].ports[0].containerPort"),
    ({"ports": [{"name": "tcp"}]}, "c[0].ports[0].name"),
    ({"ports": [{"name": "h2c"}]}, "c[0].ports[0].name"),
    ({"ports": [{}, {}]}, "c[0].ports"),
    ({"env": [{"name": "PORT", "value": "1"}]}, "c[0].env[0].name"),
    ({"env": [{"name": "OK"}, {"name": "K_SERVICE"}]}, "c[0].env[1].name"),
    ({"env": [{"name": "X_GOOGLE_THING"}]}, "c[0].env[0].name"),
    ({"env": [{"name": "CLOUD_RUN_TASK_INDEX"}]}, "c[0].env[0].name"),
    ({"env": [{"name": "a=b"}]}, "c[0].env[0].name"),
    ({"env": [{"value": "no name"}]}, "c[0].env[0].name"),
    ({"env": [{"name": "A", "value": "x" * 32769}]}, "c[0].env[0].value"),
    ({"env": [{"name": "A", "value": "é" * 16385}]}, "c[0].env[0].value"),
    ({"env": [{"name": "A", "value": "a\0"}]}, "c[0].env[0].value"),
    ({"env": [{"name": f"A{i}"} for i in range(1001)]}, "c[0].env"),
    ({"args": ["a"] * 1001}, "c[0].args"),
    ({"command": ["a\0"]}, "c[0].command[0]"),
    ({"resources": {"limits": {"cpu": "3"}}}, "c[0].resources.limits[cpu]"),
    ({"resources": {"limits": {"cpu": "1.5"}}}, "c[0].resources.limits[cpu]"),
    ({"resources": {"limits": {"cpu": "0.05"}}}, "c[0].resources.limits[cpu]"),
    ({"resources": {"limits": {"cpu": "two"}}}, "c[0].resources.limits[cpu]"),
    ({"resources": {"limits": {"memory": "lots"}}}, "c[0].resources.limits[memory]"),
    ({"resources": {"limits": {"memory": "64Mi"}}}, "c[0].resources.limits[memory]"),
    ({"resources": {"limits": {"cpu": "1", "memory": "5Gi"}}}, "c[0].resources.limits[memory]"),
    ({"resources": {"limits": {"cpu": "4", "memory": "1Gi"}}}, "c[0].resources.limits[memory]"),
    ({"resources": {"limits": {"cpu": "400m", "memory": "1Gi"}}}, "c[0].resources.limits[memory]"),
    ({"resources": {"limits": {"disk": "1Gi"}}}, "c[0].resources.limits[disk]"),
    ({"resources": {"limits": {"nvidia.com/gpu": "1"}}}, "c[0].resources.limits[nvidia.com/gpu]"),
    ({"workingDir": "srv"}, "c[0].workingDir"),
    ({"startupProbe": {"initialDelaySeconds": 241}}, "c[0].startupProbe.initialDelaySeconds"),
    ({"startupProbe": {"timeoutSeconds": 20, "periodSeconds": 10}}, "c[0].startupProbe.timeoutSeconds"),
    ({"startupProbe": {"periodSeconds": 100}}, "c[0].startupProbe"),
    ({"startupProbe": {"tcpSocket": {}, "httpGet": {}}}, "c[0].startupProbe"),
    ({"startupProbe": {"tcpSocket": {"port": 70000}}}, "c[0].startupProbe.tcpSocket.port"),
    ({"startupProbe": {"httpGet": {"path": "up"}}}, "c[0].startupProbe.httpGet.path"),
]


@pytest.mark.parametrize("container", GOOD, ids=str)
def test_a_good_container_gets_no_complaint(container: dict[str, Any]) -> None:
    assert wrong(container) == {}


@pytest.mark.parametrize(("container", "field"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_one_gets_exactly_one_at_its_field(container: dict[str, Any], field: str) -> None:
    assert list(wrong(container)) == [field]


def test_there_must_be_one() -> None:
    assert list(wrong()) == ["c"]


def test_a_job_s_container_has_no_port() -> None:
    assert list(wrong({"ports": [{"containerPort": 1}]}, ports=Ports.NONE)) == ["c[0].ports"]
    assert wrong({}, ports=Ports.NONE) == {}


def test_several_are_not_supported_yet_and_their_rules_hold_already() -> None:
    assert set(wrong({"name": "a", "ports": [{}]}, {"name": "a"})) == {"c[1]", "c[1].name"}
    assert set(wrong({"name": "a"}, {"name": "b"})) == {"c[1]", "c"}, "exactly one takes requests"
    assert set(wrong(*[{"ports": [{}]} if i == 0 else {} for i in range(11)])) == {"c"}
