"""CPU of services that are billed by request: there while there are requests, and nearly gone without."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from homerun.engine.oci.cgroup import Cgroups
from homerun.engine.oci.layout import Layout
from tests.support.daemon import Daemon

pytestmark = pytest.mark.host

NEARLY_NONE = 0.05
"""Cores."""
SPIN = {"env": [{"name": "SPIN", "value": "1"}]}


class Watched:
    """A service whose only instance would use a core if it were let."""

    def __init__(self, daemon: Daemon, service: str) -> None:
        self.daemon, self.service = daemon, service
        [instance] = daemon.explain(service)["instances"]
        self.id: str = instance["id"]
        self._cgroups = Cgroups.of_host(Layout(daemon.state).cgroup)

    def used(self) -> float:
        return self._cgroups.cpu_used(self.id)

    def throttled(self) -> bool:
        began, before = time.monotonic(), self.used()
        time.sleep(0.5)
        return (self.used() - before) / (time.monotonic() - began) < NEARLY_NONE

    def run(self) -> None:
        """Requests, one after the other, until it has used so much CPU that it cannot be throttled."""
        before = self.used()

        def enough() -> bool:
            assert self.daemon.get(self.service, "/sleep?ms=300")[0] == 200
            return self.used() > before + 0.6

        self.daemon.until(enough)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("own") / "state", idle_timeout=600) as daemon:
        yield daemon


@pytest.fixture
def spin(own: Daemon, app: str) -> Watched:
    own.deploy("spin", app, container=SPIN)
    watched = Watched(own, "spin")
    own.until(watched.throttled)
    return watched


def test_cpu_comes_with_the_first_request_and_goes_with_the_last(own: Daemon, spin: Watched) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", own.http_port, timeout=60)) as connection:
        for _ in range(2):
            connection.request("GET", "/", headers={"Host": own.host("spin")})
            assert connection.getresponse().read() == b"hello\n", "over the connection of before"
            own.until(spin.throttled)
    spin.run()
    own.until(spin.throttled)
    # Control does not answer: nobody gives it CPU. What it has left is enough to answer.
    control = own.children()["control"]
    os.kill(control, signal.SIGSTOP)
    assert own.get("spin")[0] == 200
    assert spin.throttled()
    os.kill(control, signal.SIGKILL)
    assert own.get("spin")[0] == 200
    spin.run()
    own.until(spin.throttled)
    assert [instance["id"] for instance in own.explain("spin")["instances"]] == [spin.id]


def test_cpu_that_is_always_allocated_is_always_there(own: Daemon, app: str) -> None:
    own.deploy("always", app, container={**SPIN, "resources": {"cpuIdle": False, "startupCpuBoost": True}})
    always = Watched(own, "always")
    time.sleep(3)
    before = always.used()
    own.until(lambda: always.used() > before + 0.6)
