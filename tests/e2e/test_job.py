"""Jobs on real containers."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests.support.daemon import LOCATION, ApiError, Daemon
from tests.support.images import app_layer, make_image

pytestmark = pytest.mark.host

TASKS = int(os.environ.get("HOMERUN_TEST_TASKS", "100"))
"""Of the execution under which control is killed; at full size: 500, in a minute."""


@pytest.fixture(scope="module")
def image(folder: Path) -> str:
    return f"oci-archive:{make_image(folder / 'job.tar', [app_layer()], entrypoint=['/app'])}"


def task_list(daemon: Daemon, execution: str) -> list[dict]:  # type: ignore[type-arg]
    found: list[dict] = daemon.call("GET", f"/v2/{execution}/tasks?pageSize=1000")["tasks"]  # type: ignore[type-arg]
    return found


def test_twenty_tasks_run_to_completion(daemon: Daemon, image: str) -> None:
    daemon.create_job("twenty", image, task_count=20, container={"args": ["exit", "0", "done"]})
    execution = daemon.execute("twenty")
    assert execution["succeededCount"] == 20
    assert {task["lastAttemptResult"].get("exitCode", 0) for task in task_list(daemon, execution["name"])} == {0}
    explained = daemon.call("GET", f"/homerun/v1/{execution['name']}:explain")
    assert explained["cost"]["billableSeconds"] >= 2
    assert len(explained["timeline"]) == 40


def test_a_failing_task_is_retried_then_named(daemon: Daemon, image: str) -> None:
    daemon.create_job("fails", image, maxRetries=1, container={"args": ["exit", "7", "no luck"]})
    with pytest.raises(ApiError, match=r"exit code 7\)\. Its last log lines:\\nno luck"):
        daemon.execute("fails")


def test_a_task_that_takes_too_long_is_stopped(daemon: Daemon, image: str) -> None:
    daemon.create_job("slow", image, maxRetries=0, timeout="1s", container={"args": ["sleep", "60"]})
    with pytest.raises(ApiError, match="timeout of 1 s"):
        daemon.execute("slow")


def test_a_task_over_its_memory_limit_says_so(daemon: Daemon, image: str) -> None:
    resources = {"limits": {"cpu": "1", "memory": "512Mi"}}
    daemon.create_job("hog", image, maxRetries=0, container={"args": ["eat", "700"], "resources": resources})
    with pytest.raises(ApiError, match="memory limit"):
        daemon.execute("hog")


def test_cancel_ends_an_execution_within_the_grace_period(daemon: Daemon, image: str) -> None:
    daemon.create_job("long", image, task_count=3, container={"args": ["sleep", "600"]})
    run = daemon.call("POST", f"/v2/{LOCATION}/jobs/long:run", {})
    name = daemon.call("GET", f"/v2/{LOCATION}/jobs/long/executions")["executions"][0]["name"]
    daemon.until(lambda: daemon.call("GET", f"/v2/{name}").get("runningCount") == 3)
    daemon.call("POST", f"/v2/{name}:cancel", {})
    began = time.monotonic()
    with pytest.raises(ApiError, match="cancelled"):
        daemon.wait(run)
    assert time.monotonic() - began < 60
    assert daemon.call("GET", f"/v2/{name}")["cancelledCount"] == 3


def test_a_command_that_is_not_there_is_named(daemon: Daemon, image: str) -> None:
    daemon.create_job("typo", image, maxRetries=0, container={"command": ["/nope"]})
    with pytest.raises(ApiError, match="/nope"):
        daemon.execute("typo")


def test_control_killed_again_and_again_under_an_execution_loses_and_repeats_nothing(folder: Path, image: str) -> None:
    with Daemon(folder / "killed", max_tasks=8) as daemon:
        daemon.create_job("many", image, task_count=TASKS, maxRetries=0, container={"args": ["exit", "0", "ran"]})
        result: dict[str, object] = {}
        daemon.call("POST", f"/v2/{LOCATION}/jobs/many:run", {})
        name = daemon.call("GET", f"/v2/{LOCATION}/jobs/many/executions")["executions"][0]["name"]

        def done() -> bool:
            try:
                result.update(daemon.call("GET", f"/v2/{name}"))
            except (OSError, ApiError):
                return False
            return "completionTime" in result

        stop = threading.Event()

        def kill() -> None:
            while not stop.wait(1.5):
                try:
                    daemon.kill("control")
                except (KeyError, OSError):
                    continue

        killer = threading.Thread(target=kill)
        killer.start()
        time.sleep(6)
        stop.set()
        killer.join()
        daemon.until(done, timeout=120)
        tasks = daemon.call("GET", f"/v2/{name}/tasks?pageSize=1000")["tasks"]
        failed = [task.get("lastAttemptResult") for task in tasks if task.get("lastAttemptResult", {}).get("exitCode")]
        assert result["succeededCount"] == TASKS, (str(result["conditions"]), failed)
        lines = daemon.call(
            "POST",
            "/v2/entries:list",
            {
                "resourceNames": ["projects/homerun"],
                "filter": "resource.type = cloud_run_job AND resource.labels.job_name = many",
                "pageSize": 1000,
            },
        )["entries"]
        ran = [line for line in lines if line.get("textPayload") == "ran"]
        by_task: dict[str, list[dict[str, object]]] = {}
        for line in ran:
            by_task.setdefault(line["labels"]["run.googleapis.com/task_index"], []).append(line)
        twice = {task: found for task, found in by_task.items() if len(found) > 1}
        assert not twice, f"a task ran twice: {twice}; {[t for t in tasks if str(t['index']) in twice]}"
        assert len(by_task) == TASKS
