"""What is done to it. Each fault says what it may break; when it returns, its cause is gone, and what it broke has to
come back by itself."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from bench.chaos.ledger import AWAY, BROKEN, REFUSED, Fault, Ledger
from bench.chaos.town import SECRETS, Town
from tests.support.calamity import kill_runtime, reboot, running
from tests.support.daemon import ApiError

Inject = Callable[[Town, Ledger, random.Random], Fault]


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def control(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """Nothing may break: the routers know enough, and whoever needs an instance waits."""
    fault = ledger.begin("control killed")
    if pid := town.daemon.children().get("control"):
        _kill(pid)
    return fault


def router(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """Its own connections break, and those that it had accepted for the other one."""
    fault = ledger.begin("router killed", {BROKEN, AWAY})
    routers = [pid for role, pid in town.daemon.children().items() if role.startswith("router")]
    if routers:
        _kill(rng.choice(routers))
    return fault


def container(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """What it was answering is lost."""
    fault = ledger.begin("container killed", {REFUSED, BROKEN})
    if there := running(town.state):
        chosen = rng.choice(there)
        fault.services, fault.note = frozenset({chosen.owner}), chosen.owner
        for pid in chosen.inits:
            _kill(pid)
    return fault


def monitor(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """As a container's end; and what the container had said and conmon not written down yet is lost with it."""
    fault = ledger.begin("conmon killed", {REFUSED, BROKEN})
    fault.forgets = True
    if there := running(town.state):
        chosen = rng.choice(there)
        fault.services, fault.note = frozenset({chosen.owner}), chosen.owner
        for pid in chosen.monitors:
            _kill(pid)
    return fault


def runtime(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """Nothing may break: it is tried once more."""
    fault = ledger.begin("OCI runtime killed in a start")
    fault.note = "hit" if kill_runtime(town.state, 5) else "missed"
    return fault


def supervisor(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """Everything of homerun's dies with it; then it is started again."""
    fault = ledger.begin("homerun up killed", {BROKEN, REFUSED, AWAY})
    town.daemon.kill_all()
    time.sleep(rng.uniform(0, 1))
    town.daemon.start()
    return fault


def machine(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """The power fails."""
    fault = ledger.begin("machine restarted", {BROKEN, REFUSED, AWAY})
    fault.forgets = True
    reboot(town.daemon, town.boot_id)
    town.daemon.start()
    return fault


def full_disk(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """Instances that run answer; new ones cannot be made, and lines cannot be kept. Writes are refused with words."""
    fault = ledger.begin("disk full", {REFUSED})
    fault.forgets = True
    with town.disk.full():
        deadline = time.monotonic() + rng.uniform(3, 8)
        while time.monotonic() < deadline:
            _try_to_write(town, ledger, f"full{time.monotonic_ns()}")
            time.sleep(0.02)
    return fault


def _try_to_write(town: Town, ledger: Ledger, id: str) -> None:
    with suppress(OSError):
        try:
            labels = {f"l{number}": "x" * 60 for number in range(60)}
            body = {"replication": {"automatic": {}}, "labels": labels}
            town.daemon.call("POST", f"{SECRETS}?secretId={id}", body, timeout=5)
        except ApiError as error:
            said = error.error.get("message", "")
            if error.status not in (429, 503) or "space" not in said:
                ledger.problem(f"on a full disk a write was answered with {error}")
            else:
                ledger.count("writes refused for want of space, with words")
        else:
            ledger.acknowledged.add(id)


def clock(town: Town, ledger: Ledger, rng: random.Random) -> Fault:
    """Nothing may break."""
    by = rng.choice([-1, 1]) * rng.choice([30.0, 3600.0, 40000.0])
    fault = ledger.begin("clock set")
    fault.note = f"by {by:+.0f} s"
    town.clock.set(by)
    time.sleep(rng.uniform(2, 5))
    town.clock.set(0)
    return fault


FAULTS: tuple[Inject, ...] = (
    control,
    router,
    container,
    monitor,
    runtime,
    supervisor,
    machine,
    full_disk,
    clock,
)
ALONE = (supervisor, machine)
"""Not while another one is at work."""
