"""Instances of several containers, as users have them: a service with a sidecar, a job and a worker pool likewise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import LOCATION, ApiError, Daemon
from tests.support.images import app_layer, make_image

pytestmark = pytest.mark.host

PROBE = {"tcpSocket": {"port": 9000}, "periodSeconds": 1, "failureThreshold": 60}


@pytest.fixture(scope="module")
def image(folder: Path) -> str:
    return f"oci-archive:{make_image(folder / 'several.tar', [app_layer()], entrypoint=['/app'])}"


def container(image: str, name: str, *args: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": image, "args": list(args), **fields}


def lines(daemon: Daemon, condition: str) -> dict[str, set[str]]:
    """Texts of the log entries for which it holds, by container."""
    body = {"resourceNames": ["projects/homerun"], "filter": condition, "pageSize": 1000}
    found: dict[str, set[str]] = {}
    for entry in daemon.call("POST", "/v2/entries:list", body).get("entries", ()):
        text = entry.get("textPayload") or str(entry.get("jsonPayload", {}).get("message", ""))
        found.setdefault(entry["labels"].get("container_name", ""), set()).add(text)
    return found


def test_a_service_begins_after_its_sidecar_and_finds_it_on_localhost(daemon: Daemon, image: str) -> None:
    slow = [{"name": "START_DELAY_MS", "value": "300"}]
    web = container(image, "web", "serve", ports=[{}], dependsOn=["cache"])
    cache = container(image, "cache", "serve", "9000", startupProbe=PROBE, env=slow)
    daemon.deploy("pair", image, containers=[cache, web])
    assert daemon.get("pair", "/connect?host=127.0.0.1&port=9000") == (200, b"connected\n")
    env = dict(line.split("=", 1) for line in daemon.get("pair", "/env")[1].decode().splitlines())
    assert (env["PORT"], env["K_SERVICE"]) == ("8080", "pair")
    daemon.wait_for_zero("pair")
    goodbye = {"SIGTERM: goodbye"}
    said = lines(daemon, 'resource.labels.service_name="pair" logName:"stdout"')
    assert (said["web"], said["cache"]) == (goodbye, goodbye), "both were told to stop"


def test_the_end_of_a_sidecar_is_that_of_the_instance_and_the_next_request_starts_another(
    daemon: Daemon, image: str
) -> None:
    web = container(image, "web", "serve", ports=[{}])
    daemon.deploy("brief", image, containers=[web, container(image, "side", "sleep", "1")])
    daemon.until(lambda: not daemon.explain("brief")["instances"])
    text = 'Container "side" called exit(0).'
    daemon.until(lambda: any(text in said for said in lines(daemon, 'logName:"system"').values()))
    assert daemon.get("brief")[0] == 200


def test_a_task_ends_with_its_main_container_and_fails_with_any(daemon: Daemon, image: str) -> None:
    work = container(image, "work", "connect", "127.0.0.1", "9000", dependsOn=["proxy"])
    proxy = container(image, "proxy", "serve", "9000", startupProbe=PROBE)
    daemon.create_job("proxied", image, task_count=2, containers=[proxy, work])
    assert daemon.execute("proxied")["succeededCount"] == 2
    assert lines(daemon, 'resource.labels.job_name="proxied"')["work"] == {"connected"}

    failing = [container(image, "work", "sleep", "600"), container(image, "proxy", "exit", "3")]
    daemon.create_job("unproxied", image, maxRetries=0, containers=failing)
    with pytest.raises(ApiError, match="exit code 3"):
        daemon.execute("unproxied")


def test_a_worker_pool_has_sidecars_as_well(daemon: Daemon, image: str) -> None:
    template = {"containers": [container(image, "work", "sleep"), container(image, "side", "exit", "2")]}
    body = {"template": template, "scaling": {"manualInstanceCount": 1}}
    path = f"/v2/{LOCATION}/workerPools"
    with pytest.raises(ApiError, match=r"side.* called exit.2"):
        daemon.wait(daemon.call("POST", f"{path}?workerPoolId=crew", body))
    template["containers"][1] = container(image, "side", "serve", "9000", startupProbe=PROBE)
    pool = daemon.wait(daemon.call("PATCH", f"{path}/crew", body))
    assert pool["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
