from homerun.model.container import Container, StartupProbe


def test_an_empty_container_has_the_platforms_defaults() -> None:
    container = Container.parse({"image": "i"}, owner="hello", takes_requests=True)
    assert (container.cpu, container.memory, container.port, container.cpu_idle) == (1, 512 << 20, 8080, True)
    assert container.startup_probe == StartupProbe(8080, None, 0, 240, 240, 1)


def test_cpu_is_always_there_when_resources_are_given_without_cpu_idle() -> None:
    container = Container.parse(
        {"image": "i", "resources": {"limits": {"cpu": "2"}}}, owner="hello", takes_requests=True
    )
    assert not container.cpu_idle


def test_a_job_takes_no_requests() -> None:
    container = Container.parse(
        {"image": "i", "env": [{"name": "A", "value": "1"}, {"name": "B"}]}, owner="work", takes_requests=False
    )
    assert (container.port, container.startup_probe, container.env) == (None, None, {"A": "1", "B": ""})


def test_the_last_of_two_variables_of_one_name_wins() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    assert Container.parse({"image": "i", "env": env}, owner="hello", takes_requests=True).env == {"A": "2"}


def test_probes() -> None:
    http = StartupProbe.parse({"httpGet": {"path": "/up"}, "periodSeconds": 3}, 9000)
    assert http == StartupProbe(9000, "/up", 0, 1, 3, 3)
    tcp = StartupProbe.parse({"tcpSocket": {"port": 7}, "initialDelaySeconds": 2, "failureThreshold": 1}, 9000)
    assert tcp == StartupProbe(7, None, 2, 1, 10, 1)
    assert StartupProbe.parse({"httpGet": {}}, 9000).path == "/"


def test_a_container_without_a_name_has_one_for_logs_and_neighbours() -> None:
    assert Container.parse({"image": "i"}, owner="hello", takes_requests=True).name == "hello-1"
    assert Container.parse({"image": "i", "name": "app"}, owner="hello", takes_requests=True).name == "app"
