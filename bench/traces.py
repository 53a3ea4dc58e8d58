"""Arrivals to replay: when each request comes and how long an instance works on it. All from fixed seeds.

`azure` is drawn from what Shahrad et al. published of Azure Functions' production traffic ("Serverless in the Wild:
Characterizing and Optimizing the Serverless Workload at a Large Cloud Provider", USENIX ATC'20, section 3): 45 % of the
applications are invoked at most once an hour and 81 % at most once a minute; average run times are best fitted by a
log-normal with log mean -0.38 and sigma 2.36, so that half are under a second; some applications are invoked like
clockwork, and about two fifths have inter-arrival times with a coefficient of variation above 1.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.simulation import Request

HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Trace:
    """`services`: the requests of each, which are scaled one by one."""

    name: str
    about: str
    concurrency: int
    services: Sequence[Sequence[Request]]

    @property
    def requests(self) -> int:
        return sum(map(len, self.services))


def poisson(rate: Callable[[float], float], peak: float, end: float, draw: random.Random) -> Iterator[float]:
    """Arrivals at `rate(t)` a second, at most `peak`, from 0 to `end`."""
    now = 0.0
    while (now := now + draw.expovariate(peak)) < end:
        if draw.random() * peak < rate(now):
            yield now


def served(arrivals: Iterator[float] | Sequence[float], median: float, draw: random.Random) -> list[Request]:
    """Service times are log-normal: at the 99th percentile 4 times the median."""
    return [(at, median * draw.lognormvariate(0, 0.6)) for at in arrivals]


def steady() -> Trace:
    draw = random.Random(1)
    arrivals = poisson(lambda t: 40, 40, HOUR, draw)
    return Trace("steady", "40 requests/s of 0.2 s for an hour, Poisson", 10, [served(arrivals, 0.2, draw)])


def single() -> Trace:
    draw = random.Random(2)
    arrivals = poisson(lambda t: 10, 10, HOUR, draw)
    return Trace(
        "steady, one at a time", "10 requests/s of 0.3 s for an hour, Poisson", 1, [served(arrivals, 0.3, draw)]
    )


def diurnal() -> Trace:
    draw = random.Random(3)

    def rate(now: float) -> float:
        return 6 * (1 - math.cos(2 * math.pi * now / DAY)) ** 2 / 4 + 0.002

    arrivals = poisson(rate, 6.1, DAY, draw)
    return Trace("diurnal", "a day of 0 to 6 requests/s of 0.5 s", 2, [served(arrivals, 0.5, draw)])


def bursty() -> Trace:
    """On for a while, off for longer: people who work with it, and leave."""
    draw = random.Random(4)
    arrivals: list[float] = []
    now = 0.0
    while now < 12 * HOUR:
        end = now + draw.expovariate(1 / 120)
        while (now := now + draw.expovariate(1 / 2)) < end:
            arrivals.append(now)
        now = end + draw.lognormvariate(math.log(600), 0.8)
    return Trace("bursty", "sessions of 2 min, a request every 2 s, 10 min apart", 4, [served(arrivals, 0.5, draw)])


def spiky() -> Trace:
    """A quiet service on which a hundred requests fall at once, now and then."""
    draw = random.Random(5)
    arrivals = list(poisson(lambda t: 2, 2, 6 * HOUR, draw))
    now = 0.0
    while (now := now + draw.lognormvariate(math.log(480), 0.4)) < 6 * HOUR:
        arrivals += [now + draw.random() * 2 for _ in range(100)]
    return Trace("spiky", "2 requests/s, and every 8 min 100 within 2 s", 10, [served(sorted(arrivals), 0.4, draw)])


def periodic() -> Trace:
    """What a scheduler sends."""
    draw = random.Random(6)
    services = []
    for number in range(40):
        every = (60, 120, 300, 600, 900, 1800, 3600, 7200)[number % 8]
        arrivals = [at + draw.random() * 2 for at in _every(every, draw.random() * every)]
        services.append(served(arrivals, 1.0, draw))
    return Trace("periodic", "40 services called every 1 min to 2 h for a day", 80, services)


def _every(seconds: float, first: float) -> Iterator[float]:
    while first < DAY:
        yield first
        first += seconds


RATES = ((0.45, 1 / DAY, 1 / HOUR), (0.81, 1 / HOUR, 1 / 60), (1.0, 1 / 60, 1.0))
"""Share of the applications that are invoked at most so often; within a step the logarithm is uniform. Those that are
invoked more often than once a second never fall idle, and would fill the run."""


def azure() -> Trace:
    draw = random.Random(7)
    services = []
    for _ in range(100):
        place = draw.random()
        low, high = next((low, high) for share, low, high in RATES if place <= share)
        gap = 1 / math.exp(draw.uniform(math.log(low), math.log(high)))
        # Average run time of this application, capped: the longest need more than a request's timeout.
        seconds = min(draw.lognormvariate(-0.38, 2.36), 60.0)
        services.append([(at, seconds * draw.lognormvariate(-0.18, 0.6)) for at in _arrivals(gap, draw)])
    return Trace("azure", "100 applications for a day, after Shahrad et al.", 1, services)


def _arrivals(gap: float, draw: random.Random) -> Iterator[float]:
    """A fifth like clockwork, two fifths Poisson, two fifths in bursts."""
    kind = draw.random()
    now = draw.random() * gap
    while now < DAY:
        yield now
        if kind < 0.2:
            now += gap
        elif kind < 0.6:
            now += draw.expovariate(1 / gap)
        else:
            # Log-normal with the same mean; sigma 1.5 is a coefficient of variation of 2.9.
            now += draw.lognormvariate(math.log(gap) - 1.125, 1.5)


ALL: tuple[Callable[[], Trace], ...] = (steady, single, diurnal, bursty, spiky, periodic, azure)
