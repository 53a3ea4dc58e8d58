"""How instances, tasks and workers begin and end: contract §1.7, §1.8, §1.9 and §1.12."""

from __future__ import annotations

import threading
import time

import pytest

from tests.conformance.runtime.conftest import SERVICE, Platform
from tests.support.daemon import LOCATION, ApiError

pytestmark = pytest.mark.host


def test_1_7_sigterm_then_sigkill(platform: Platform) -> None:
    """Deleting a service ends its instances: one says goodbye, one that ignores SIGTERM is killed."""
    env = [{"name": "ON_TERM", "value": "say"}]
    platform.daemon.deploy("ends", platform.image, container={"env": env}, scaling={"minInstanceCount": 1})
    platform.daemon.until(lambda: platform.daemon.get("ends")[0] == 200)
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/ends"))
    assert "SIGTERM: goodbye" in platform.log("resource.labels.service_name = ends")


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
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/eats"))


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
    one_platform.daemon.wait(one_platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/slow"))


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
    one_platform.daemon.wait(one_platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/late"))
