"""Containers of both versions."""

from homerun.apis.run_v1.containers import SANDBOX, to_v1, to_v2

V1 = {
    "name": "",
    "image": "x",
    "args": ["a"],
    "env": [
        {"name": "A", "value": "1"},
        {"name": "B"},
        {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "latest"}}},
        {"name": "T", "valueFrom": {"secretKeyRef": {"name": "alias", "key": "2", "optional": False}}},
    ],
    "ports": [{"containerPort": 8080, "protocol": "TCP"}],
    "resources": {"limits": {"cpu": "1"}, "requests": {}},
    "startupProbe": {
        "httpGet": {"path": "/", "host": "h", "scheme": "HTTP", "httpHeaders": [{"name": "X", "value": "y"}]},
        "successThreshold": 1,
        "periodSeconds": 5,
    },
    "livenessProbe": {"grpc": {}},
    "readinessProbe": {"tcpSocket": {"port": 5, "host": "h"}, "successThreshold": 3},
    "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "p", "readOnly": True}],
    "imagePullPolicy": "Always",
}
FULL_NAME = "projects/1/secrets/t"


def test_v2_has_what_it_has_a_field_for() -> None:
    assert to_v2(V1, {"alias": FULL_NAME}) == {
        "image": "x",
        "args": ["a"],
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "value": ""},
            {"name": "S", "valueSource": {"secretKeyRef": {"secret": "s", "version": "latest"}}},
            {"name": "T", "valueSource": {"secretKeyRef": {"secret": FULL_NAME, "version": "2"}}},
        ],
        "ports": [{"containerPort": 8080}],
        "resources": {"limits": {"cpu": "1"}},
        "startupProbe": {
            "httpGet": {"path": "/", "httpHeaders": [{"name": "X", "value": "y"}]},
            "successThreshold": 1,
            "periodSeconds": 5,
        },
        "livenessProbe": {"grpc": {}},
        "readinessProbe": {"tcpSocket": {"port": 5}, "successThreshold": 3},
        "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "p"}],
    }


def test_the_way_back_is_the_same() -> None:
    v2 = to_v2(V1, {"alias": FULL_NAME})
    assert to_v2(to_v1(v2, {FULL_NAME: "alias"}), {"alias": FULL_NAME}) == v2


def test_cpu_idle_is_no_field_of_a_v1_container() -> None:
    assert to_v1({"image": "x", "resources": {"cpuIdle": True}}, {}) == {"image": "x"}


def test_resources_that_gcloud_leaves_empty_are_none() -> None:
    assert to_v2({"image": "x", "resources": {"limits": {}, "requests": {}}}, {}) == {"image": "x"}


def test_a_sandbox_has_fewer_fields() -> None:
    assert to_v2({"name": "s", "image": "x", "ports": []}, {}, SANDBOX) == {"name": "s", "image": "x"}
