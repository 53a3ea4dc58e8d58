"""Containers of both versions."""

from homerun.apis.run_v1.containers import to_v1, to_v2

V1 = {
    "name": "",
    "image": "x",
    "args": ["a"],
    "env": [{"name": "A", "value": "1"}, {"name": "B"}],
    "ports": [{"containerPort": 8080, "protocol": "TCP"}],
    "resources": {"limits": {"cpu": "1"}, "requests": {}},
    "startupProbe": {
        "httpGet": {"path": "/", "host": "h", "scheme": "HTTP"},
        "successThreshold": 1,
        "periodSeconds": 5,
    },
    "imagePullPolicy": "Always",
}


def test_v2_has_what_it_has_a_field_for() -> None:
    assert to_v2(V1) == {
        "image": "x",
        "args": ["a"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
        "ports": [{"containerPort": 8080}],
        "resources": {"limits": {"cpu": "1"}},
        "startupProbe": {"httpGet": {"path": "/"}, "periodSeconds": 5},
    }


def test_the_way_back_is_the_same() -> None:
    v2 = to_v2(V1)
    assert to_v2(to_v1(v2)) == v2


def test_cpu_idle_is_no_field_of_a_v1_container() -> None:
    assert to_v1({"image": "x", "resources": {"cpuIdle": True}}) == {"image": "x"}
