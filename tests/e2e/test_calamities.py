"""What befalls the machine and not the processes: no room, another time, no power, and a runtime that dies at its work.

The same at random, together, for minutes: scripts/chaos.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homerun.lib.timestamps import from_rfc3339
from tests.support.calamity import Disk, WallClock, leftovers, reboot, running
from tests.support.daemon import LOCATION, ApiError, Daemon

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def disk(folder: Path) -> Iterator[Disk]:
    with Disk(folder / "state") as disk:
        yield disk


@pytest.fixture(scope="module")
def clock(folder: Path) -> WallClock:
    return WallClock(folder / "clock")


@pytest.fixture(scope="module")
def daemon(folder: Path, disk: Disk, clock: WallClock) -> Iterator[Daemon]:
    """Its runtime kills itself in the middle of the next start, if the file `fatal` is there.

    Nothing is made ahead: that would need neither room nor a runtime.
    """
    if (crun := shutil.which("crun")) is None:
        pytest.skip("crun is not installed")
    runtime, fatal = folder / "crun", folder / "fatal"
    runtime.write_text(f'#!/bin/sh\nif rm "{fatal}" 2>/dev/null; then kill -9 $$; fi\nexec {crun} "$@"\n')
    runtime.chmod(0o755)
    daemon = Daemon(disk.place, idle_timeout=1, queue_wait=60, runtime=runtime, standby=0)
    daemon.environment = clock.environment
    with daemon:
        yield daemon
    assert leftovers(daemon.state) == []


def lines(daemon: Daemon, text: str) -> list[str]:
    body = {"resourceNames": ["projects/homerun"], "filter": f'textPayload:"{text}"'}
    return [entry["textPayload"] for entry in daemon.call("POST", "/v2/entries:list", body).get("entries", ())]


def run_job(daemon: Daemon, name: str, app: str, seconds: int, tasks: int = 1, **template: Any) -> dict[str, Any]:
    """An operation: so many tasks that take so long, all running."""
    container = {"command": ["/app"], "args": ["sleep", str(seconds)]}
    daemon.create_job(name, app, tasks, container=container, **template)
    operation: dict[str, Any] = daemon.call("POST", f"/v2/{LOCATION}/jobs/{name}:run", {})
    daemon.until(lambda: sum(each.owner == name for each in running(daemon.state)) == tasks)
    return operation


def test_a_runtime_that_is_killed_in_a_start_costs_nobody_an_answer(daemon: Daemon, folder: Path, app: str) -> None:
    daemon.deploy("started", app)
    daemon.wait_for_zero("started")
    (folder / "fatal").touch()
    assert daemon.get("started")[0] == 200
    assert not (folder / "fatal").exists(), "it was killed"


def test_a_runtime_that_is_killed_in_the_start_of_a_task_costs_it_no_retry(
    daemon: Daemon, folder: Path, app: str
) -> None:
    daemon.create_job("starts", app, container={"command": ["/app"], "args": ["exit", "0"]}, maxRetries=0)
    (folder / "fatal").touch()
    execution = daemon.execute("starts")
    assert (execution["succeededCount"], execution.get("retriedCount", 0)) == (1, 0)
    assert not (folder / "fatal").exists(), "it was killed"


def test_on_a_full_disk_what_runs_goes_on_and_what_cannot_be_is_refused_with_the_remedy(
    daemon: Daemon, disk: Disk, app: str
) -> None:
    daemon.deploy("warm", app, scaling={"minInstanceCount": 1})
    daemon.deploy("cold", app)
    daemon.wait_for_zero("cold")
    operation = run_job(daemon, "ends", app, 2)
    env = [{"name": f"V{number}", "value": "x" * 30_000} for number in range(20)]
    with disk.full():
        assert daemon.get("warm")[0] == 200
        with pytest.raises(ApiError, match="no space left on the disk") as refused:
            for number in range(100):
                body = {"template": {"template": {"containers": [{"image": app, "env": env}]}}}
                daemon.call("POST", f"/v2/{LOCATION}/jobs?jobId=large-{number}", body)
        assert (refused.value.status, refused.value.error["status"]) == (429, "RESOURCE_EXHAUSTED")
        status, answer = daemon.get("cold")
        assert status == 503 and b"no space left" in answer
        daemon.until(lambda: not any(each.owner == "ends" for each in running(daemon.state)))
        daemon.kill("control")
        daemon.until(lambda: daemon.get("warm")[0] == 200)
    daemon.until(lambda: "control" in daemon.children() and daemon.get("cold")[0] == 200, 60)
    assert daemon.wait(operation)["succeededCount"] == 1
    assert daemon.get("warm", "/log?text=after-it-all")[0] == 200
    daemon.until(lambda: lines(daemon, "after-it-all") == ["after-it-all"])
    daemon.deploy("new", app)
    assert daemon.get("new")[0] == 200


def test_a_clock_that_is_set_stops_nothing_and_loses_nothing(daemon: Daemon, clock: WallClock, app: str) -> None:
    daemon.deploy("timed", app)
    operation = run_job(daemon, "timed-job", app, 2, timeout="60s", maxRetries=0)
    try:
        for ahead in (0.0, 7200.0, -7200.0):
            clock.set(ahead)
            assert daemon.get("timed", f"/log?text=ahead-by-{ahead:.0f}")[0] == 200
        daemon.until(lambda: len(lines(daemon, "ahead-by-")) == 3)
        assert daemon.wait(operation)["succeededCount"] == 1
    finally:
        clock.set(0)


def test_after_a_power_failure_services_answer_and_tasks_are_repeated(daemon: Daemon, app: str) -> None:
    daemon.deploy("powered", app)
    assert daemon.get("powered", "/log?text=before-the-failure")[0] == 200
    operation = run_job(daemon, "powerless", app, 2, tasks=2)
    daemon.until(lambda: lines(daemon, "before-the-failure"))
    reboot(daemon)
    assert leftovers(daemon.state) == []
    began = time.time()
    daemon.start()
    assert daemon.get("powered")[0] == 200
    execution = daemon.wait(operation)
    assert execution["succeededCount"] == 2
    assert from_rfc3339(execution["completionTime"]) > began
    assert lines(daemon, "before-the-failure") == ["before-the-failure"]
    daemon.until(lambda: all(each.owner != "powerless" for each in running(daemon.state)))
