"""Any process killed at any moment: services answer, instances are found again, nothing leaks."""

from __future__ import annotations

import threading
import time

import pytest

from tests.support.daemon import LOCATION, Daemon

pytestmark = pytest.mark.host


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Daemon:
    return Daemon(tmp_path_factory.mktemp("own") / "state", idle_timeout=600)


def instances(daemon: Daemon, service: str) -> list[str]:
    return sorted(i["id"] for i in daemon.explain(service)["instances"])


def billed(daemon: Daemon, service: str) -> int:
    """Requests of it that are on the bill."""
    rows = daemon.call("GET", "/homerun/v1/bill")["rows"]
    return sum(row["requests"] for row in rows if row["name"].endswith(f"/{service}"))


def test_control_is_killed_and_no_request_notices(own: Daemon, app: str) -> None:
    with own as daemon:
        daemon.deploy("steady", app)
        before = instances(daemon, "steady")
        stop, answers = threading.Event(), list[int]()

        def load() -> None:
            while not stop.is_set():
                answers.append(daemon.get("steady")[0])

        thread = threading.Thread(target=load)
        thread.start()
        for _ in range(3):
            daemon.kill("control")
            time.sleep(1.5)
        stop.set()
        thread.join()
        assert set(answers) == {200}
        daemon.until(lambda: instances(daemon, "steady") == before)
        daemon.until(lambda: billed(daemon, "steady") == len(answers))


def test_a_killed_router_is_started_again_and_knows_everything(own: Daemon, app: str) -> None:
    with own as daemon:
        daemon.deploy("routed", app)
        before = instances(daemon, "routed")
        daemon.kill("router")
        # The listening socket was never closed: the request waits for the new router.
        daemon.until(lambda: "router" in daemon.children())
        assert daemon.get("routed")[0] == 200
        assert instances(daemon, "routed") == before


def test_everything_is_killed_and_the_next_start_adopts_the_instance(own: Daemon, app: str) -> None:
    with own as daemon:
        daemon.deploy("adopted", app)
        before = instances(daemon, "adopted")
        daemon.kill_all()
        daemon.start()
        daemon.until(lambda: instances(daemon, "adopted") == before)
        assert daemon.get("adopted")[0] == 200
        assert instances(daemon, "adopted") == before


def test_an_operation_that_was_waited_for_ends_after_everything_was_killed(own: Daemon, app: str) -> None:
    with own as daemon:
        daemon.create_job("killed", app, container={"command": ["/app"], "args": ["sleep", "2"]})
        running = daemon.call("POST", f"/v2/{LOCATION}/jobs/killed:run", {})
        body = {"template": {"containers": [{"image": app}]}}
        deploying = daemon.call("POST", f"/v2/{LOCATION}/services?serviceId=killed", body)
        daemon.kill_all()
        daemon.start()
        assert daemon.wait(running)["succeededCount"] == 1
        assert daemon.wait(deploying)["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert daemon.call("GET", f"/v2/{LOCATION}/operations?filter=done%3Dfalse")["operations"] == []


def test_ctrl_c_stops_everything_and_the_next_start_finds_the_service(own: Daemon, app: str) -> None:
    with own as daemon:
        daemon.deploy("again", app)
        assert daemon.stop() == 0
        daemon.start()
        assert daemon.get("again")[0] == 200


def test_an_unfinished_execution_goes_on_after_a_restart(own: Daemon, app: str) -> None:
    with own as daemon:
        daemon.create_job("goes-on", app, task_count=2, container={"command": ["/app"], "args": ["sleep", "3"]})
        daemon.call("POST", f"/v2/{LOCATION}/jobs/goes-on:run", {})
        name = daemon.call("GET", f"/v2/{LOCATION}/jobs/goes-on/executions")["executions"][0]["name"]
        daemon.until(lambda: daemon.call("GET", f"/v2/{name}").get("runningCount") == 2)
        daemon.stop()
        daemon.start()
        daemon.until(lambda: daemon.call("GET", f"/v2/{name}").get("succeededCount") == 2)
