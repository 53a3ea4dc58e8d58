from typing import Any

import click
import pytest

from homerun.cli.probes import parse_probe, set_port, set_probes


def test_fields_are_named_as_gcloud_names_them() -> None:
    assert parse_probe("httpGet.path=/up,httpGet.port=9,periodSeconds=5", "--x") == {
        "httpGet": {"path": "/up", "port": 9},
        "periodSeconds": 5,
    }
    assert parse_probe("grpc.port=50051,grpc.service=my.Service", "--x") == {
        "grpc": {"port": 50051, "service": "my.Service"}
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [("path=/up", "no field of a probe"), ("grpc.port=http", "wants a whole number"), ("up", "KEY=VALUE")],
)
def test_what_is_no_probe_is_wrong_usage(text: str, said: str) -> None:
    with pytest.raises(click.BadParameter, match=said):
        parse_probe(text, "--startup-probe")


def test_what_is_given_replaces_what_is_there_and_empty_takes_it_away() -> None:
    container: dict[str, Any] = {"startupProbe": {"tcpSocket": {}}, "livenessProbe": {"grpc": {}}}
    set_probes(container, {"startup": "periodSeconds=3", "liveness": "", "readiness": None})
    assert container == {"startupProbe": {"periodSeconds": 3}}
    set_probes(container, {"liveness": ""})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"startupProbe": {"tcpSocket": {"port": 8080}}}, {"startupProbe": {"tcpSocket": {"port": 9000}}}),
        ({"startupProbe": {"tcpSocket": {"port": 7}}}, {"startupProbe": {"tcpSocket": {"port": 7}}}),
        ({"startupProbe": {"httpGet": {"port": 8080}}}, {"startupProbe": {"httpGet": {"port": 8080}}}),
    ],
)
def test_a_startup_probe_that_only_connects_follows_the_port(before: dict[str, Any], after: dict[str, Any]) -> None:
    container = {**before, "ports": [{"name": "h2c", "containerPort": 8080}]}
    set_port(container, 9000)
    assert container == {**after, "ports": [{"name": "h2c", "containerPort": 9000}]}
