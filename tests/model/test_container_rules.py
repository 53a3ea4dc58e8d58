"""Rules for containers: what is allowed, what is not, and where it says so."""

from typing import Any

import pytest

from homerun.model.container_rules import CONTAINER
from homerun.model.rules import check


def wrong(container: dict[str, Any]) -> dict[str, str]:
    """Complaints by field. A container without an image gets one."""
    return {v.field: v.description for v in check({"image": "x", **container}, CONTAINER)}


def secret(name: str, version: str = "latest") -> dict[str, Any]:
    return {"name": "T", "valueSource": {"secretKeyRef": {"secret": name, "version": version}}}


SECRET = {**secret("s"), "name": "S"}

GOOD: list[dict[str, Any]] = [
    {"ports": [{"name": "h2c", "containerPort": 50051}]},
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
    {"name": "1-of-2", "env": [SECRET, secret("projects/p/secrets/s", "7")]},
    {"resources": {"limits": {"cpu": "330m", "memory": "512Mi"}}},
    {"startupProbe": {"tcpSocket": {}, "timeoutSeconds": 240, "periodSeconds": 240, "failureThreshold": 1}},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"image": ""}, "image"),
    ({"image": "a b"}, "image"),
    ({"name": "Not_A_Label"}, "name"),
    ({"ports": [{"containerPort": 65536}]}, "ports[0].containerPort"),
    ({"ports": [{"name": "tcp"}]}, "ports[0].name"),
    ({"ports": [{}, {}]}, "ports"),
    ({"env": [{"name": "PORT", "value": "1"}]}, "env[0].name"),
    ({"env": [{"name": "OK"}, {"name": "K_SERVICE"}]}, "env[1].name"),
    ({"env": [{"name": "X_GOOGLE_THING"}]}, "env[0].name"),
    ({"env": [{"name": "CLOUD_RUN_TASK_INDEX"}]}, "env[0].name"),
    ({"env": [{"name": "a=b"}]}, "env[0].name"),
    ({"env": [{"value": "no name"}]}, "env[0].name"),
    ({"env": [{"name": "A", "value": "x" * 32769}]}, "env[0].value"),
    ({"env": [{"name": "A", "value": "é" * 16385}]}, "env[0].value"),
    ({"env": [{"name": "A", "value": "a\0"}]}, "env[0].value"),
    ({"env": [{"name": f"A{i}"} for i in range(1001)]}, "env"),
    ({"args": ["a"] * 1001}, "args"),
    ({"command": ["a\0"]}, "command[0]"),
    ({"resources": {"limits": {"cpu": "3"}}}, "resources.limits[cpu]"),
    ({"resources": {"limits": {"cpu": "1.5"}}}, "resources.limits[cpu]"),
    ({"resources": {"limits": {"cpu": "0.05"}}}, "resources.limits[cpu]"),
    ({"resources": {"limits": {"cpu": "two"}}}, "resources.limits[cpu]"),
    ({"resources": {"limits": {"memory": "lots"}}}, "resources.limits[memory]"),
    ({"resources": {"limits": {"memory": "64Mi"}}}, "resources.limits[memory]"),
    ({"resources": {"limits": {"cpu": "1", "memory": "5Gi"}}}, "resources.limits[memory]"),
    ({"resources": {"limits": {"cpu": "4", "memory": "1Gi"}}}, "resources.limits[memory]"),
    ({"resources": {"limits": {"cpu": "400m", "memory": "1Gi"}}}, "resources.limits[memory]"),
    ({"resources": {"limits": {"disk": "1Gi"}}}, "resources.limits[disk]"),
    ({"resources": {"limits": {"nvidia.com/gpu": "1"}}}, "resources.limits[nvidia.com/gpu]"),
    ({"resources": {"limits": {"cpu": "0.333"}}}, "resources.limits[cpu]"),
    ({"env": [SECRET, {"name": "S", "value": "1"}]}, "env[0].name"),
    ({"env": [{**SECRET, "value": "1"}]}, "env[0].valueSource"),
    ({"env": [{"name": "S", "valueSource": {"secretKeyRef": {}}}]}, "env[0].valueSource.secretKeyRef.secret"),
    ({"env": [secret("projects/p/s")]}, "env[0].valueSource.secretKeyRef.secret"),
    ({"env": [secret("s", "a b")]}, "env[0].valueSource.secretKeyRef.version"),
    ({"workingDir": "srv"}, "workingDir"),
    ({"startupProbe": {"initialDelaySeconds": 241}}, "startupProbe.initialDelaySeconds"),
    ({"startupProbe": {"timeoutSeconds": 20, "periodSeconds": 10}}, "startupProbe.timeoutSeconds"),
    ({"startupProbe": {"periodSeconds": 100}}, "startupProbe"),
    ({"startupProbe": {"tcpSocket": {}, "httpGet": {}}}, "startupProbe"),
    ({"startupProbe": {"tcpSocket": {"port": 70000}}}, "startupProbe.tcpSocket.port"),
    ({"startupProbe": {"httpGet": {"path": "up"}}}, "startupProbe.httpGet.path"),
]


@pytest.mark.parametrize("container", GOOD, ids=str)
def test_a_good_container_gets_no_complaint(container: dict[str, Any]) -> None:
    assert wrong(container) == {}


@pytest.mark.parametrize(("container", "field"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_one_gets_exactly_one_at_its_field(container: dict[str, Any], field: str) -> None:
    assert list(wrong(container)) == [field]


def test_variables_without_a_name_are_not_one_another_s() -> None:
    nameless = {"valueSource": SECRET["valueSource"]}
    assert set(wrong({"env": [nameless, nameless]})) == {"env[0].name", "env[1].name"}
