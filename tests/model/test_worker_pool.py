from typing import Any

from homerun.model.container import StartupProbe
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
    assert spec(startupProbe={"tcpSocket": {"port": 90}}).containers[0].startup_probe == StartupProbe(
        90, None, 0, 1, 10, 3
    )
    assert spec(ports=[{"containerPort": 9000}], startupProbe={"httpGet": {}}).containers[
        0
    ].startup_probe == StartupProbe(9000, "/", 0, 1, 10, 3)


def test_its_cpu_is_always_there_and_always_paid() -> None:
    assert spec(resources={"limits": {"cpu": "2"}}).containers.ingress.cpu_idle is False
