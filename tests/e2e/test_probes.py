"""Real containers that stop being alive or ready while people use them."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.daemon import Daemon

pytestmark = pytest.mark.host
QUICK = {"periodSeconds": 1, "failureThreshold": 3}
ONE = {"minInstanceCount": 1, "maxInstanceCount": 1}


@contextlib.contextmanager
def load(daemon: Daemon, service: str, clients: int) -> Iterator[list[int]]:
    """So many clients that ask all the time; the statuses of their answers."""
    stop = threading.Event()
    answers: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            answers.append(daemon.get(service, "/sleep?ms=20")[0])

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask) for _ in range(clients)]
        try:
            yield answers
        finally:
            stop.set()
        for each in asking:
            each.result()


def get_well(daemon: Daemon) -> None:
    """All instances, each asked at its own address."""
    for record in (daemon.state / "instances").glob("*/process.json"):
        connection = http.client.HTTPConnection(json.loads(record.read_text())["address"], 8080, timeout=30)
        connection.request("GET", "/ail?ready=200&live=200")
        assert connection.getresponse().status == 200
        connection.close()


def phases(daemon: Daemon, service: str) -> list[str]:
    """Of its instances; empty while control is away."""
    with contextlib.suppress(OSError):
        return [instance["phase"] for instance in daemon.explain(service)["instances"]]
    return []


def test_one_that_is_not_alive_any_more_is_replaced_and_nobody_in_the_queue_hears_of_it(
    daemon: Daemon, app: str
) -> None:
    probe = {"httpGet": {"path": "/livez"}, **QUICK}
    daemon.deploy("hangs", app, container={"livenessProbe": probe}, maxInstanceRequestConcurrency=1, scaling=ONE)
    daemon.until(lambda: daemon.get("hangs")[0] == 200)
    [before] = daemon.explain("hangs")["instances"]
    with load(daemon, "hangs", 6) as answers:
        assert daemon.get("hangs", "/ail?live=0")[0] == 200
        daemon.until(
            lambda: any(said.startswith("LIVENESS HTTP probe failed 3 times") for said in daemon.said("hangs"))
        )
        known = len(answers)
        daemon.until(lambda: len(answers) > known + 30)
    assert set(answers) <= {200, 503}
    assert answers.count(503) <= 2, "only what it was working on"
    [after] = daemon.explain("hangs")["instances"]
    assert after["id"] != before["id"]
    metrics = daemon.text("/homerun/v1/metrics").splitlines()
    assert len([line for line in metrics if "failed_probes_total{" in line and 'probe="liveness"' in line]) == 1


def test_one_that_is_not_ready_ends_what_it_has_and_gets_nothing_new_until_it_is(daemon: Daemon, app: str) -> None:
    probe = {"httpGet": {"path": "/readyz"}, "successThreshold": 3, **QUICK}
    daemon.deploy("dozes", app, container={"readinessProbe": probe}, scaling=ONE)
    daemon.until(lambda: daemon.get("dozes")[0] == 200)
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(daemon.get, "dozes", "/sleep?ms=2500")
        assert daemon.get("dozes", "/ail?ready=503")[0] == 200
        daemon.until(lambda: phases(daemon, "dozes") == ["unready"])
        daemon.kill("control")
        daemon.until(lambda: phases(daemon, "dozes") == ["unready"])
        assert long.result()[0] == 200, "what it had goes on"
        waits = pool.submit(daemon.get, "dozes", "/")
        get_well(daemon)
        assert waits.result()[0] == 200, "what waited comes to it when it is ready again"
    daemon.until(lambda: phases(daemon, "dozes") == ["ready"])
    said = [line.partition(" for ")[0] for line in daemon.said("dozes")]
    assert "READINESS HTTP probe succeeded after 3 attempts" in said, "since control was killed"
