"""Several routers before real containers: services are spread over them, and each may be killed at any moment."""

from __future__ import annotations

import contextlib
import http.client
import os
import threading
from collections.abc import Iterator

import pytest

from homerun.core.ownership import owner
from homerun.daemon.processes import ROUTER_URGENCY
from tests.support.daemon import LOCATION, Daemon

pytestmark = pytest.mark.host

SERVICES = ["red", "green", "blue", "white"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, app: str) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("shared") / "state", idle_timeout=600, routers=2) as daemon:
        for name in SERVICES:
            daemon.deploy(name, app, maxInstanceRequestConcurrency=1)
        yield daemon


def owned_by(index: int) -> list[str]:
    return [name for name in SERVICES if owner(f"{LOCATION}/services/{name}", 2) == index]


def test_a_router_comes_before_control(shared: Daemon) -> None:
    niceness = {role: os.getpriority(os.PRIO_PROCESS, pid) for role, pid in shared.children().items()}
    assert niceness["router"] == niceness["router 1"] == max(niceness["control"] - ROUTER_URGENCY, -20)


def test_all_services_answer_on_one_port_and_over_one_connection(shared: Daemon) -> None:
    assert owned_by(0) and owned_by(1)
    assert {"router", "router 1"} <= shared.children().keys()
    connection = http.client.HTTPConnection("127.0.0.1", shared.http_port, timeout=30)
    for name in SERVICES * 3:
        connection.request("GET", "/", headers={"Host": shared.host(name)})
        response = connection.getresponse()
        assert response.status == 200
        response.read()
    connection.close()


def test_a_killed_router_takes_nothing_down_but_its_own_connections(shared: Daemon) -> None:
    steady, stop, bad = owned_by(0), threading.Event(), list[object]()

    def load(name: str) -> None:
        while not stop.is_set():
            # The other router may die with a connection that it has accepted and not passed on yet.
            try:
                status, _ = shared.get(name)
            except (OSError, http.client.HTTPException):
                continue
            if status != 200:
                bad.append((name, status))

    threads = [threading.Thread(target=load, args=[name]) for name in steady]
    for thread in threads:
        thread.start()
    before = shared.children()["router 1"]
    shared.kill("router 1")
    shared.until(lambda: shared.children().get("router 1", before) != before)
    # The new one has only just begun: they wait for it.
    for name in owned_by(1):
        assert shared.get(name)[0] == 200
    stop.set()
    for thread in threads:
        thread.join()
    assert bad == []
    assert {shared.get(name)[0] for name in SERVICES} == {200}


def test_no_container_has_more_than_its_concurrency_when_its_router_is_killed(shared: Daemon) -> None:
    """The program sleeps on, whoever has left; and says how many requests it has ever had at once."""
    names = owned_by(1)

    def ask(name: str) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            shared.get(name, "/sleep?ms=2500")

    threads = [threading.Thread(target=ask, args=[name]) for name in names for _ in range(2)]
    for thread in threads:
        thread.start()
    shared.until(lambda: all(any(i["inFlight"] for i in shared.explain(name)["instances"]) for name in names))
    before = shared.children()["router 1"]
    shared.kill("router 1")
    shared.until(lambda: shared.children().get("router 1", before) != before)
    for thread in threads:
        thread.join()
    for name in names:
        peaks = [shared.get(name, "/peak") for _ in range(5)]
        assert {(status, body.strip()) for status, body in peaks} == {(200, b"1")}
