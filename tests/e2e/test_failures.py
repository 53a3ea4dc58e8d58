"""What users hear when real containers fail, and that they hear nothing of scaling."""

from __future__ import annotations

import threading
import time

import pytest

from tests.support.daemon import Daemon

pytestmark = pytest.mark.host


def test_a_container_that_runs_out_of_memory_is_said_to_and_the_next_request_gets_another_one(
    daemon: Daemon, app: str
) -> None:
    daemon.deploy("eats", app, container={"resources": {"limits": {"memory": "128Mi", "cpu": "1"}}})
    daemon.until(lambda: daemon.get("eats")[0] == 200)
    answers: list[tuple[int, bytes]] = []

    def said() -> bool:
        """On a machine that is busy the news may come too late for one request: then that one gets 503."""
        answers.append(daemon.get("eats", "/eat?mib=1000"))
        assert answers[-1][0] in (500, 503)
        return answers[-1][0] == 500

    daemon.until(said)
    _, body = answers[-1]
    assert b"was found to be using too much memory and was terminated" in body
    assert b"Memory limit of 128 MiB exceeded" in body
    assert daemon.get("eats", "/")[0] == 200


def test_a_container_that_crashes_is_said_to_and_the_next_request_gets_another_one(daemon: Daemon, app: str) -> None:
    daemon.deploy("crashes", app)
    daemon.until(lambda: daemon.get("crashes")[0] == 200)
    status, body = daemon.get("crashes", "/exit?code=3")
    assert status == 503, body
    assert b"either the HTTP response was malformed or connection to the instance had an error" in body
    assert daemon.get("crashes", "/")[0] == 200


def test_a_session_stays_with_its_instance(daemon: Daemon, app: str) -> None:
    daemon.deploy("sticks", app, sessionAffinity=True, scaling={"minInstanceCount": 2})
    daemon.until(lambda: len(daemon.explain("sticks")["instances"]) == 2 and daemon.get("sticks")[0] == 200)
    cookies = set()
    for _ in range(3):
        _, headers, _ = daemon.ask("sticks")
        assert headers["Cache-Control"] == "private"
        cookies.add(headers["Set-Cookie"].partition(";")[0])
    for cookie in cookies:
        assert cookie.startswith("GAESA=")
        _, headers, _ = daemon.ask("sticks", Cookie=cookie)
        assert "Set-Cookie" not in headers


def test_nobody_is_refused_while_instances_come_and_go(daemon: Daemon, app: str) -> None:
    """Load that rises and falls, until instances have been added and taken away a few times."""
    daemon.deploy("breathes", app, maxInstanceRequestConcurrency=2)
    daemon.until(lambda: daemon.get("breathes")[0] == 200)
    stop, level = threading.Event(), 12
    answers: list[int] = []

    def load(number: int) -> None:
        while not stop.is_set():
            if number < level:
                answers.append(daemon.get("breathes", "/sleep?ms=30")[0])
            else:
                time.sleep(0.02)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            level = 12
            daemon.until(lambda: len(daemon.explain("breathes")["instances"]) >= 4)
            level = 1
            daemon.until(lambda: len(daemon.explain("breathes")["instances"]) <= 2)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}
