from typing import Any

from homerun.model.probe import Check, Probe
from homerun.model.worker_pool import WorkerSpec


def spec(**container: Any) -> WorkerSpec:
    name = "projects/p/locations/r/workerPools/w/revisions/v"
    return WorkerSpec.parse({"name": name, "containers": [{"image": "i", **container}]})


def test_it_knows_whose_it_is() -> None:
    assert spec().pool == "projects/p/locations/r/workerPools/w"


def test_its_container_finds_its_variables_and_those_of_no_other_kind() -> None:
    assert spec(ports=[{"containerPort": 9000}]).environment() == {
        "CLOUD_RUN_WORKER_POOL": "w",
        "CLOUD_RUN_WORKER_POOL_REVISION": "v",
    }


def test_a_probe_is_its_author_s_choice() -> None:
    assert spec().containers[0].startup_probe is None and not spec().probed
    tcp, http = {"tcpSocket": {"port": 90}}, {"httpGet": {}}
    assert spec(startupProbe=tcp).containers[0].startup_probe == Probe.parse(tcp, 0, Check.STARTUP)
    found = spec(ports=[{"containerPort": 9000}], startupProbe=http).containers[0].startup_probe
    assert found == Probe.parse(http, 9000, Check.STARTUP)


def test_its_cpu_is_always_there_and_always_paid() -> None:
    assert spec(resources={"limits": {"cpu": "2"}}).containers.ingress.cpu_idle is False
