from typing import Any

from homerun.model.container import Container, Containers, StartupProbe


def test_an_empty_container_has_the_platforms_defaults() -> None:
    container = Container.parse({"image": "i"}, name="hello-1", takes_requests=True)
    assert (container.cpu, container.memory, container.port, container.cpu_idle) == (1, 512 << 20, 8080, True)
    assert container.startup_probe == StartupProbe(8080, None, 0, 240, 240, 1)


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


def test_probes() -> None:
    http = StartupProbe.parse({"httpGet": {"path": "/up"}, "periodSeconds": 3}, 9000)
    assert http == StartupProbe(9000, "/up", 0, 1, 3, 3)
    tcp = StartupProbe.parse({"tcpSocket": {"port": 7}, "initialDelaySeconds": 2, "failureThreshold": 1}, 9000)
    assert tcp == StartupProbe(7, None, 2, 1, 10, 1)
    assert StartupProbe.parse({"httpGet": {}}, 9000).path == "/"


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
    assert found.named("cache").startup_probe == StartupProbe(6379, None, 0, 2, 10, 3)


def test_an_instance_is_the_sum_of_its_containers() -> None:
    limits = {"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}
    found = containers(limits, {})
    assert (found.cpu, found.memory) == (1.5, 1536 << 20)


def test_where_nobody_takes_requests_the_first_stands_for_all() -> None:
    assert containers({"name": "a"}, {"name": "b"}, take_requests=False).ingress.name == "a"
    assert containers({"name": "a"}).named("gone").name == "a"
