"""Schedules and real containers: a private service called, a job run, and an attempt that a crash cut off."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import LOCATION, Daemon
from tests.support.images import app_layer, make_image

pytestmark = pytest.mark.host

ROBOT = "robot@homerun.iam.gserviceaccount.com"
JOBS = f"/v1/{LOCATION}/jobs"
RUN = "https://us-central1-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/homerun/jobs/work:run"


@pytest.fixture(scope="module")
def daemon(folder: Path) -> Iterator[Daemon]:
    with Daemon(folder / "scheduler", idle_timeout=60) as daemon:
        yield daemon


_numbers = itertools.count(1)


def create(daemon: Daemon, uri: str, **target: Any) -> str:
    """One that will not fire by itself before the next New Year; asked to run. Its path."""
    id = f"s{next(_numbers)}"
    http = {"uri": uri, "httpMethod": "GET", **target}
    daemon.call("POST", JOBS, {"name": f"{LOCATION}/jobs/{id}", "schedule": "0 5 1 1 *", "httpTarget": http})
    daemon.call("POST", f"{JOBS}/{id}:run", {})
    return f"{JOBS}/{id}"


def status(daemon: Daemon, uri: str, **target: Any) -> Any:
    """Of one attempt."""
    path = create(daemon, uri, **target)
    daemon.until(lambda: "status" in daemon.call("GET", path), 60)
    return daemon.call("GET", path)["status"]


def test_a_private_service_is_called_by_whom_its_policy_lets_in(daemon: Daemon, app: str) -> None:
    daemon.deploy("private", app, private=True)
    target = {"uri": f"http://{daemon.host('private')}/id", "oidcToken": {"serviceAccountEmail": ROBOT}}
    refused = status(daemon, **target)
    assert (refused["code"], f"{ROBOT} needs roles/run.invoker" in refused["message"]) == (7, True)
    daemon.allow("private", f"serviceAccount:{ROBOT}")
    daemon.until(lambda: status(daemon, **target) == {}, 60)


def test_a_job_is_run_through_the_url_of_the_platform(daemon: Daemon, folder: Path) -> None:
    image = f"oci-archive:{make_image(folder / 'job.tar', [app_layer()], cmd=['/app', 'exit', '0', 'done'])}"
    daemon.create_job("work", image)
    target = {"uri": RUN, "httpMethod": "POST", "oauthToken": {"serviceAccountEmail": ROBOT}}
    assert status(daemon, **target)["code"] == 7
    policy = {"bindings": [{"role": "roles/run.invoker", "members": [f"serviceAccount:{ROBOT}"]}]}
    daemon.call("POST", f"/v2/{LOCATION}/jobs/work:setIamPolicy", {"policy": policy})
    assert status(daemon, **target) == {}
    [execution] = daemon.call("GET", f"/v2/{LOCATION}/jobs/work/executions")["executions"]
    assert execution["creator"] == ROBOT
    daemon.until(lambda: daemon.call("GET", f"/v2/{execution['name']}").get("succeededCount") == 1, 60)


class Held(ThreadingHTTPServer):
    """Holds the first request until the end, and answers the others at once."""

    def __init__(self) -> None:
        self.came, self.over = 0, threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Held

    def do_GET(self) -> None:
        self.server.came += 1
        if self.server.came == 1:
            self.server.over.wait(100)
        with contextlib.suppress(OSError):
            self.send_response(204)
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def held() -> Iterator[Held]:
    with Held() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.over.set()
        made.shutdown()
        thread.join()


def test_an_attempt_that_a_crash_has_cut_off_is_made_again(daemon: Daemon, held: Held) -> None:
    path = create(daemon, f"http://127.0.0.1:{held.server_address[1]}/")
    daemon.until(lambda: held.came == 1, 60)
    assert "status" not in daemon.call("GET", path)
    daemon.kill("control")
    daemon.until(lambda: held.came == 2, 60)
    daemon.until(lambda: daemon.call("GET", path).get("status") == {}, 60)
    assert held.came == 2
