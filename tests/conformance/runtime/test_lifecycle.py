"""How instances, tasks and workers begin and end, and what is told of it: contract §1.6 to §1.9 and §1.11 to §1.13."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.conformance.runtime.conftest import SERVICE, Platform
from tests.support.daemon import LOCATION, ApiError

pytestmark = pytest.mark.host


def delete(platform: Platform, service: str) -> None:
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/{service}"))


def test_1_6_jobs_and_worker_pools_are_of_the_second_generation(one_platform: Platform) -> None:
    one_platform.run_job("generation", "exit", "0", "done")
    job = one_platform.daemon.call("GET", f"/v2/{LOCATION}/jobs/generation")
    assert job["template"]["template"]["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2"
    pool = one_platform.daemon.deploy_pool("generation", one_platform.image, args=["sleep"])
    revision = one_platform.daemon.call("GET", f"/v2/{pool['latestReadyRevision']}")
    assert revision["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2"
    one_platform.daemon.wait(one_platform.daemon.call("DELETE", f"/v2/{LOCATION}/workerPools/generation"))


def test_1_7_sigterm_to_all_containers(platform: Platform) -> None:
    """Deleting a service ends its instances, and each of their containers says goodbye."""
    side = {"image": platform.image, "args": ["serve", "9000"]}
    containers = [{"image": platform.image, "ports": [{}]}, side]
    platform.daemon.deploy("ends", platform.image, containers=containers, scaling={"minInstanceCount": 1})
    platform.daemon.until(lambda: platform.daemon.get("ends")[0] == 200)
    delete(platform, "ends")
    for container in ("ends-1", "ends-2"):
        of_it = f"resource.labels.service_name = ends AND labels.container_name = {container}"
        assert "SIGTERM: goodbye" in platform.log(of_it)


def test_1_7_a_crash_costs_one_request_and_the_next_one_is_a_cold_start(platform: Platform) -> None:
    assert platform.daemon.get(SERVICE, "/exit?code=3")[0] == 503
    assert platform.ask("/") == "hello\n"


def test_1_7_out_of_memory_is_500(platform: Platform) -> None:
    resources = {"limits": {"memory": "128Mi", "cpu": "1"}}
    platform.daemon.deploy("eats", platform.image, container={"resources": resources})

    def said() -> bool:
        """On a busy machine the news may come too late for one request: then that one gets 503."""
        status, body = platform.daemon.get("eats", "/eat?mib=1000")
        assert status in (500, 503), body
        return status == 500 and b"Memory limit of 128 MiB exceeded" in body

    platform.daemon.until(said)
    delete(platform, "eats")


def last_result(platform: Platform, job: str) -> dict[str, object]:
    [execution] = platform.daemon.call("GET", f"/v2/{LOCATION}/jobs/{job}/executions")["executions"]
    [task] = platform.daemon.call("GET", f"/v2/{execution['name']}/tasks")["tasks"]
    found: dict[str, object] = task["lastAttemptResult"]
    return found


def test_1_8_exit_0_is_success(platform: Platform) -> None:
    assert platform.run_job("succeeds", "exit", "0", "done") == ["done"]


def test_1_8_anything_else_is_failure_and_the_code_is_kept(platform: Platform) -> None:
    with pytest.raises(ApiError, match="exit code 42"):
        platform.run_job("fails", "exit", "42", maxRetries=0)
    assert last_result(platform, "fails")["exitCode"] == 42


def test_1_8_a_signal_is_told_from_a_code(platform: Platform) -> None:
    with pytest.raises(ApiError):
        platform.run_job("crashes", "segv", maxRetries=0)
    result = last_result(platform, "crashes")
    assert (result.get("termSignal"), result.get("exitCode")) == (11, None)


def test_1_8_the_timeout_ends_an_attempt_with_sigterm(platform: Platform) -> None:
    with pytest.raises(ApiError, match="timeout of 1 s"):
        platform.run_job("lasts", "sleep", "60", maxRetries=0, timeout="1s")
    assert "SIGTERM: goodbye" in platform.log("resource.labels.job_name = lasts")


def test_1_8_retries_count_up(one_platform: Platform) -> None:
    with pytest.raises(ApiError):
        one_platform.run_job("again", "exit", "1", maxRetries=1)
    [execution] = one_platform.daemon.call("GET", f"/v2/{LOCATION}/jobs/again/executions")["executions"]
    [task] = one_platform.daemon.call("GET", f"/v2/{execution['name']}/tasks")["tasks"]
    assert task["retried"] == 1


def test_1_9_one_instance_by_default_and_none_at_zero(platform: Platform) -> None:
    platform.daemon.deploy_pool("counts", platform.image, args=["sleep"])

    def running() -> int:
        found = platform.daemon.explain("counts", "workerPools")["instances"]
        return len([each for each in found if each["phase"] == "ready"])

    platform.daemon.until(lambda: running() == 1)
    platform.daemon.deploy_pool("counts", platform.image, instances=0, args=["sleep"])
    platform.daemon.until(lambda: running() == 0)
    assert "uri" not in platform.daemon.call("GET", f"/v2/{LOCATION}/workerPools/counts")
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/workerPools/counts"))


def test_1_11_liveness_and_readiness_wait_for_the_start(one_platform: Platform) -> None:
    """Asked before, the instance would not live that long."""
    well = {"httpGet": {"path": "/livez"}, "periodSeconds": 1, "failureThreshold": 1}
    env = [{"name": "START_DELAY_MS", "value": "2500"}]
    container = {"env": env, "livenessProbe": well, "readinessProbe": well}
    one_platform.daemon.deploy("lasting", one_platform.image, container=container)
    assert one_platform.daemon.get("lasting")[0] == 200
    assert not [line for line in one_platform.daemon.said("lasting") if " failed " in line]
    delete(one_platform, "lasting")


def test_1_11_a_deployment_that_fails_says_so_in_the_platforms_words(platform: Platform) -> None:
    once = {"tcpSocket": {}, "periodSeconds": 1, "failureThreshold": 1}
    with pytest.raises(ApiError) as caught:
        platform.daemon.deploy("silent", platform.image, container={"args": ["sleep"], "startupProbe": once})
    name = platform.daemon.call("GET", f"/v2/{LOCATION}/services/silent")["latestCreatedRevision"]
    assert str(caught.value.error["message"]).startswith(
        f"Revision '{name.rpartition('/')[2]}' is not ready and cannot serve traffic. "
        "The user-provided container failed to start and listen on the port defined provided by the PORT=8080 "
        "environment variable within the allocated timeout."
    )
    conditions = platform.daemon.call("GET", f"/v2/{name}")["conditions"]
    assert "HEALTH_CHECK_CONTAINER_ERROR" in {condition.get("revisionReason") for condition in conditions}
    delete(platform, "silent")


def test_1_12_404_for_a_host_that_nobody_has(one_platform: Platform) -> None:
    assert one_platform.daemon.get("nobody")[0] == 404


def test_1_12_413_for_more_than_32_mib(one_platform: Platform) -> None:
    assert one_platform.daemon.get(SERVICE, "/echo", **{"Content-Length": str((32 << 20) + 1)})[0] == 413


def test_1_12_503_for_no_answer(one_platform: Platform) -> None:
    status, body = one_platform.daemon.get(SERVICE, "/drop")
    assert status == 503
    assert b"either the HTTP response was malformed or connection to the instance had an error" in body


def test_1_12_504_and_the_instance_goes_on(one_platform: Platform) -> None:
    one_platform.daemon.deploy("slow", one_platform.image, timeout="1s")
    one_platform.daemon.until(lambda: one_platform.daemon.get("slow")[0] == 200)
    [before] = one_platform.daemon.explain("slow")["instances"]
    assert one_platform.daemon.get("slow", "/sleep?ms=3000")[0] == 504
    [after] = one_platform.daemon.explain("slow")["instances"]
    assert (after["id"], one_platform.daemon.get("slow")[0]) == (before["id"], 200)
    delete(one_platform, "slow")


def test_1_7_a_request_waits_for_the_start(one_platform: Platform) -> None:
    env = [{"name": "START_DELAY_MS", "value": "500"}]
    one_platform.daemon.deploy("late", one_platform.image, container={"env": env}, scaling={"maxInstanceCount": 1})
    one_platform.daemon.get("late", "/exit?code=0")
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(one_platform.daemon.get("late")[0])) for _ in range(5)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 5
    assert time.monotonic() - began > 0.4
    delete(one_platform, "late")


def entry_of(platform: Platform, log: str, text: str) -> dict[str, Any]:
    """The service's first one in this log that has the text."""
    filter = f'resource.type=cloud_run_revision AND log_id("run.googleapis.com/{log}") AND SEARCH("{text}")'
    query = {"resourceNames": ["projects/homerun"], "filter": filter}
    found: list[dict[str, Any]] = []

    def look() -> list[dict[str, Any]]:
        found.extend(platform.daemon.call("POST", "/v2/entries:list", query).get("entries", ()))
        return found

    platform.daemon.until(look)
    return found[0]


def test_1_13_a_line_is_an_entry_of_its_service_and_instance(platform: Platform) -> None:
    platform.ask("/log?text=plainline")
    entry = entry_of(platform, "stdout", "plainline")
    assert (entry["textPayload"], entry.get("severity", "DEFAULT")) == ("plainline", "DEFAULT")
    assert entry["logName"] == "projects/homerun/logs/run.googleapis.com%2Fstdout"
    revision = platform.daemon.call("GET", f"/v2/{LOCATION}/services/{SERVICE}")["latestReadyRevision"]
    assert entry["resource"]["labels"] == {
        "project_id": "homerun",
        "service_name": SERVICE,
        "configuration_name": SERVICE,
        "revision_name": revision.rpartition("/")[2],
        "location": "us-central1",
    }
    assert entry["labels"]["instanceId"] in {each["id"] for each in platform.daemon.explain(SERVICE)["instances"]}


def test_1_13_a_line_of_json_is_structured(platform: Platform) -> None:
    platform.ask('/log?text={"severity":"error","message":"structured","code":7}')
    entry = entry_of(platform, "stdout", "structured")
    assert (entry["severity"], entry["jsonPayload"]) == ("ERROR", {"message": "structured", "code": 7})


def test_1_13_what_is_sent_to_dev_log(platform: Platform) -> None:
    platform.ask("/syslog?text=overthere")
    assert entry_of(platform, "syslog", "overthere")["severity"] == "ERROR"
