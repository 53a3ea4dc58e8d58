"""homerun's scaling against Knative's, on the same requests in virtual time: what it costs, and who has to wait.

python -m bench.autoscaler [TRACE ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench import traces
from bench.knative import Knative
from bench.simulation import Outcome, World, numbered
from bench.support import machine, percentile, table, write_results
from bench.traces import Trace
from homerun.core.autoscaler import TARGET, Scaling
from homerun.core.dispatcher import Sample
from homerun.core.fleet import Command, Drain, Fleet, Load, Recall, Start, Stop
from homerun.settings import Settings

MOST = 1000


class Homerun:
    """Implements bench.simulation.Scaler with the real fleet, told what the router would tell it."""

    def __init__(self, world: World, scaling: Scaling, idle_timeout: float) -> None:
        self._world = world
        self._fleet = Fleet(scaling, idle_timeout, numbered("i"))
        self._wake: float | None = None

    def waiting(self, now: float) -> None:
        dispatcher = self._world.dispatcher
        self._carry_out(self._fleet.demand(dispatcher.in_flight - dispatcher.leaving, dispatcher.waiting, now), now)

    def sampled(self, sample: Sample, now: float) -> None:
        loads = {one.instance: Load(one.in_flight, one.idle) for one in sample.instances}
        self._carry_out(
            self._fleet.usage(sample.concurrency, sample.in_flight, sample.waiting, loads, now, sample.requests), now
        )

    def ready(self, id: str, now: float) -> None:
        self._carry_out(self._fleet.ready(id, now), now)
        self._world.dispatcher.queue_deadline = max(3.5 * self._fleet.average_startup, 10.0)

    def gone(self, id: str, now: float) -> None:
        commands = self._fleet.drained(id, now)
        self._carry_out([c for c in commands if not isinstance(c, Stop)] + self._fleet.exited(id, now), now)

    def _carry_out(self, commands: list[Command], now: float) -> None:
        for command in commands:
            match command:
                case Start(id):
                    self._world.start(id, now)
                case Drain(id):
                    self._world.drain(id, now)
                case Recall(id):
                    self._world.recall(id, now)
                case Stop():
                    raise AssertionError("nothing fails here")
        wake = self._fleet.wake
        if wake is not None and wake != self._wake:
            self._wake = wake
            self._world.at(wake, self._tick)

    def _tick(self, now: float) -> None:
        if now == self._wake:
            self._wake = None
            self._carry_out(self._fleet.tick(now), now)


def homerun(trace: Trace, target: float = TARGET, idle_timeout: float = Settings().idle_timeout) -> Outcome:
    def scaler(world: World) -> Homerun:
        return Homerun(world, Scaling(trace.concurrency, max=MOST, concurrency_target=target), idle_timeout)

    return replay(trace, scaler, 10.0)


def knative(trace: Trace) -> Outcome:
    return replay(trace, lambda world: Knative(world, trace.concurrency, MOST), float("inf"))


def replay(trace: Trace, scaler: Callable[[World], Homerun | Knative], deadline: float) -> Outcome:
    total = Outcome()
    for seed, requests in enumerate(trace.services):
        world = World(trace.concurrency, deadline, seed)
        world.scaler = scaler(world)
        total.add(world.run(requests))
    return total


@dataclass(frozen=True, slots=True)
class Platform:
    name: str
    run: Callable[[Trace], Outcome]


PLATFORMS = (
    Platform("Knative", knative),
    Platform("homerun", homerun),
    Platform("homerun, thrifty", lambda trace: homerun(trace, 0.7, 65)),
)


def main() -> None:
    known = {make.__name__: make for make in traces.ALL}
    if unknown := set(sys.argv[1:]) - set(known):
        sys.exit(f"no trace is called {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    rows, results = [], []
    for name in sys.argv[1:] or known:
        trace = known[name]()
        outcomes = [platform.run(trace) for platform in PLATFORMS]
        for platform, outcome in zip(PLATFORMS, outcomes, strict=True):
            rows.append(row(trace, platform, outcome, outcomes[0]))
            results.append({"trace": trace.name, "about": trace.about, "platform": platform.name, **figures(outcome)})
        print(f"round {name} done", flush=True)
    print(table(HEADER, rows))
    write_results("autoscaler", {"machine": machine(), "results": results})


def figures(outcome: Outcome) -> dict[str, float]:
    """For the JSON. Seconds; waits are those of requests that had to wait."""
    waits = outcome.waits or [0.0]
    return {
        "requests": outcome.requests,
        "delayed": len(outcome.waits),
        "refused": outcome.refused,
        "starts": outcome.starts,
        "instance_seconds": round(outcome.instance_seconds, 1),
        "wait_p50": round(percentile(waits, 50), 3),
        "wait_p99": round(percentile(waits, 99), 3),
    }


HEADER = (
    "trace, platform",
    "requests",
    "instance-seconds",
    "x Knative",
    "delayed",
    "x Knative",
    "starts",
    "wait p50",
    "p99",
)


def row(trace: Trace, platform: Platform, outcome: Outcome, base: Outcome) -> list[str]:
    waits = outcome.waits or [0.0]
    return [
        f"{trace.name}: {platform.name}",
        f"{outcome.requests:,}",
        f"{outcome.instance_seconds:,.0f}",
        f"{outcome.instance_seconds / base.instance_seconds:.2f}",
        f"{len(outcome.waits):,}",
        f"{len(outcome.waits) / max(len(base.waits), 1):.2f}",
        f"{outcome.starts:,}",
        f"{percentile(waits, 50):.2f}",
        f"{percentile(waits, 99):.2f}",
    ]


if __name__ == "__main__":
    main()
