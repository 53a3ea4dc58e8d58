"""What a container is given, whom it finds, and where it has to listen: contract §1.2, §1.3, §1.4 and §1.10."""

from __future__ import annotations

import re

import pytest

from tests.conformance.runtime.conftest import SERVICE, Platform, pairs
from tests.support.daemon import LOCATION, ApiError

pytestmark = pytest.mark.host

IMAGE_AND_TEMPLATE = {"FROM_IMAGE": "yes", "OVERRIDDEN": "by the user", "PLAIN": "$(FROM_IMAGE)"}


def test_1_2_port_and_k_variables_of_a_service(platform: Platform) -> None:
    revision = platform.daemon.call("GET", f"/v2/{LOCATION}/services/{SERVICE}")["latestReadyRevision"]
    wanted = {
        "PORT": "8080",
        "K_SERVICE": SERVICE,
        "K_REVISION": revision.rpartition("/")[2],
        "K_CONFIGURATION": SERVICE,
    }
    found = platform.environment()
    assert {name: found.get(name) for name in wanted} == wanted


def test_1_2_port_is_for_the_container_that_takes_requests_alone(platform: Platform) -> None:
    """A sidecar that was told PORT would listen there; without, it chooses 8080."""
    containers = [
        {"name": "web", "image": platform.image, "ports": [{"containerPort": 3000}], "dependsOn": ["side"]},
        {"name": "side", "image": platform.image, "startupProbe": {"tcpSocket": {"port": 8080}}},
    ]
    platform.daemon.deploy("ports", platform.image, containers=containers)
    assert b"PORT=3000" in platform.daemon.get("ports", "/env")[1]
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/ports"))


def test_1_2_variables_of_a_job(platform: Platform) -> None:
    found = pairs("\n".join(platform.run_job("variables", "env")))
    execution = found.pop("CLOUD_RUN_EXECUTION")
    assert re.fullmatch(r"variables-[a-z0-9]{5}", execution)
    ours = {name: value for name, value in found.items() if name.startswith(("CLOUD_RUN", "K_", "PORT"))}
    assert ours == {
        "CLOUD_RUN_JOB": "variables",
        "CLOUD_RUN_TASK_INDEX": "0",
        "CLOUD_RUN_TASK_ATTEMPT": "0",
        "CLOUD_RUN_TASK_COUNT": "1",
    }


def test_1_2_variables_of_a_worker_pool(platform: Platform) -> None:
    platform.daemon.deploy_pool("variables", platform.image, args=["env"])
    lines = platform.log("resource.type = cloud_run_worker_pool AND resource.labels.worker_pool_name = variables")
    found = pairs("\n".join(lines))
    assert found.pop("CLOUD_RUN_WORKER_POOL_REVISION").startswith("variables-00001-")
    assert found.pop("CLOUD_RUN_WORKER_POOL") == "variables"
    assert not [name for name in found if name.startswith(("CLOUD_RUN", "K_")) or name == "PORT"]
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/workerPools/variables"))


def test_1_2_the_images_variables_and_the_users_win_over_them(platform: Platform) -> None:
    found = platform.environment()
    assert {name: found.get(name) for name in IMAGE_AND_TEMPLATE} == IMAGE_AND_TEMPLATE


def test_1_2_no_references_to_variables(platform: Platform) -> None:
    assert platform.environment()["PLAIN"] == "$(FROM_IMAGE)"


def change(platform: Platform, container: dict[str, object]) -> None:
    body = {"template": {"containers": [container]}}
    platform.daemon.call("PATCH", f"/v2/{LOCATION}/services/{SERVICE}", body)


@pytest.mark.parametrize("name", ["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"])
def test_1_2_reserved_names_are_refused(one_platform: Platform, name: str) -> None:
    container = {"image": one_platform.image, "env": [{"name": name, "value": "x"}]}
    with pytest.raises(ApiError, match=name) as caught:
        change(one_platform, container)
    assert caught.value.status == 400


def test_1_3_it_must_listen_on_all_addresses(platform: Platform) -> None:
    container = {
        "args": ["serve", "8080", "127.0.0.1"],
        "startupProbe": {"tcpSocket": {}, "failureThreshold": 1, "periodSeconds": 1},
    }
    with pytest.raises(ApiError, match=r"listens on 127\.0\.0\.1:8080 only"):
        platform.daemon.deploy("local", platform.image, container=container)
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/local"))


def test_1_3_another_port_is_told_and_asked(platform: Platform) -> None:
    platform.daemon.deploy("port", platform.image, container={"ports": [{"containerPort": 3000}]})
    assert b"PORT=3000" in platform.daemon.get("port", "/env")[1]
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/port"))


@pytest.mark.parametrize("ports", [[{"containerPort": 1}, {"containerPort": 2}], [{"name": "grpc"}]])
def test_1_3_one_port_named_http1_or_h2c(one_platform: Platform, ports: list[dict[str, object]]) -> None:
    container = {"image": one_platform.image, "ports": ports}
    with pytest.raises(ApiError, match=r"containers\[0\]\.ports"):
        change(one_platform, container)


def test_1_3_stdin_is_at_its_end(platform: Platform) -> None:
    assert platform.ask("/cat?path=/dev/stdin") == ""


def test_1_4_host_and_client(one_platform: Platform) -> None:
    found = one_platform.headers()
    assert found["host"] == one_platform.daemon.host(SERVICE)
    assert found["x-forwarded-for"] == "127.0.0.1"
    assert found["x-forwarded-proto"] == "http"
    assert found["forwarded"] == 'for="127.0.0.1";proto=http'


def test_1_4_what_the_client_says_of_itself_comes_first(one_platform: Platform) -> None:
    assert one_platform.headers(**{"X-Forwarded-For": "203.0.113.7"})["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"


def test_1_4_each_request_has_a_trace_in_both_notations(one_platform: Platform) -> None:
    found = one_platform.headers()
    [trace, span] = re.fullmatch(r"([0-9a-f]{32})/(\d+);o=\d", found["x-cloud-trace-context"]).groups()  # type: ignore[union-attr]
    assert found["traceparent"].split("-")[1:3] == [trace, f"{int(span):016x}"]


def asked(platform: Platform, name: str, **sent: str) -> dict[str, str]:
    """What reaches the container of a private service."""
    token = platform.daemon.call("POST", "/homerun/v1:generateIdToken", {})["token"]
    platform.daemon.deploy(name, platform.image, private=True)
    assert platform.daemon.get(name)[0] == 403
    _, body = platform.daemon.get(name, "/headers", **{key: value.format(token=token) for key, value in sent.items()})
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/{name}"))
    return {key.lower(): value.strip() for key, _, value in map(partitioned, body.decode().split("\r\n"))}


def partitioned(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def test_1_4_the_signature_of_a_token_does_not_reach_the_container(one_platform: Platform) -> None:
    found = asked(one_platform, "checked", Authorization="Bearer {token}")
    assert re.fullmatch(r"Bearer [\w-]+\.[\w-]+\.SIGNATURE_REMOVED_BY_GOOGLE", found["authorization"])


def test_1_4_with_the_other_header_the_applications_own_stays_as_it_is(one_platform: Platform) -> None:
    sent = {"X-Serverless-Authorization": "Bearer {token}", "Authorization": "Bearer mine.a.b"}
    found = asked(one_platform, "other", **sent)
    assert found["authorization"] == "Bearer mine.a.b"
    assert found["x-serverless-authorization"].endswith(".SIGNATURE_REMOVED_BY_GOOGLE")


def test_1_4_headers_of_callers_come_as_they_are(one_platform: Platform) -> None:
    sent = {
        "X-Goog-Resource-State": "exists",
        "X-CloudScheduler-JobName": "nightly",
        "ce-type": "google.cloud.storage.object.v1.finalized",
        "Authorization": "Basic bWU6c2VjcmV0",
    }
    found = one_platform.headers(**sent)
    assert {name: found.get(name.lower()) for name in sent} == sent


def test_1_10_containers_find_each_other_by_name(platform: Platform) -> None:
    containers = [
        {"name": "web", "image": platform.image, "ports": [{}]},
        {"name": "cache", "image": platform.image, "args": ["serve", "9000"]},
    ]
    platform.daemon.deploy("named", platform.image, containers=containers)
    hosts = platform.daemon.get("named", "/cat?path=/etc/hosts")[1].decode()
    found = {name: address for address, *names in map(str.split, hosts.splitlines()) for name in names}
    assert (found["web"], found["cache"]) == ("127.0.0.1", "127.0.0.1")
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/named"))
