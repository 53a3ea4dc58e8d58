from typing import Any

from homerun.model.container import Container, Containers
from homerun.model.probe import Check, Probe


def test_an_empty_container_has_the_platforms_defaults() -> None:
    container = Container.parse({"image": "i"}, name="hello-1", takes_requests=True)
    assert (container.cpu, container.memory, container.port, container.cpu_idle) == (1, 512 << 20, 8080, True)
    assert container.startup_probe == Probe(8080)


def test_cpu_is_always_there_when_resources_are_given_without_cpu_idle() -> None:
    container = Container.parse(
        {"image": "i", "resources": {"limits": {"cpu": "2"}}}, name="hello-1", takes_requests=True
    )
    assert not container.cpu_idle


def test_a_job_takes_no_requests() -> None:
    container = Container.parse(
        {"image": "i", "env": [{"name": "A", "value": "1"}, {"name": "B"}]}, name="work-1", takes_requests=False
    )
    assert (container.port, container.startup_probe, container.env) == (None, None, {"A": "1", "B": ""})


def test_the_last_of_two_variables_of_one_name_wins() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    assert Container.parse({"image": "i", "env": env}, name="hello-1", takes_requests=True).env == {"A": "2"}


def test_probes_are_asked_at_the_container_s_port_unless_they_name_another() -> None:
    http, grpc = {"httpGet": {"path": "/up"}, "periodSeconds": 3}, {"grpc": {"port": 50}}
    json = {"image": "i", "ports": [{"containerPort": 9000}], "livenessProbe": http, "readinessProbe": grpc}
    container = Container.parse(json, name="hello-1", takes_requests=True)
    assert container.startup_probe == Probe(9000)
    assert container.liveness_probe == Probe.parse(http, 9000, Check.LIVENESS)
    assert container.readiness_probe == Probe.parse(grpc, 9000, Check.READINESS)


def containers(*bodies: dict[str, Any], take_requests: bool = True) -> Containers:
    return Containers.parse([{"image": "i", **body} for body in bodies], owner="hello", take_requests=take_requests)


def test_a_container_without_a_name_has_one_for_logs_and_neighbours() -> None:
    assert [each.name for each in containers({}, {"name": "app"}, {})] == ["hello-1", "app", "hello-3"]


def test_the_one_with_the_port_takes_the_requests() -> None:
    found = containers({"name": "cache"}, {"name": "web", "ports": [{"containerPort": 80}], "dependsOn": ["cache"]})
    assert (found.ingress.name, found.ingress.port, found.ingress.depends_on) == ("web", 80, ("cache",))
    cache = found.named("cache")
    assert (cache.port, cache.startup_probe) == (None, None)


def test_a_sidecar_has_the_probe_that_it_declares() -> None:
    probe = {"tcpSocket": {"port": 6379}, "timeoutSeconds": 2}
    found = containers({"ports": [{"containerPort": 80}]}, {"name": "cache", "startupProbe": probe})
    assert found.named("cache").startup_probe == Probe(6379, timeout=2, period=10, failure_threshold=3)


def test_an_instance_is_the_sum_of_its_containers() -> None:
    limits = {"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}
    found = containers(limits, {})
    assert (found.cpu, found.memory) == (1.5, 1536 << 20)


def test_where_nobody_takes_requests_the_first_stands_for_all() -> None:
    assert containers({"name": "a"}, {"name": "b"}, take_requests=False).ingress.name == "a"
    assert containers({"name": "a"}).named("gone").name == "a"
