"""What happened, when, and what of it was allowed to: users write down their requests, faults what they may break."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

SLACK = 2.0
"""Seconds after a fault in which what it did still shows: on a busy machine news travels slowly."""
REFUSED, BROKEN, AWAY = "refused", "broken", "away"
"""An answer that is none; no answer, or not all of it; 503 because its router is not back after ten seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    service: str
    id: str
    began: float
    ended: float
    outcome: str
    """`ok`, or one of these."""
    detail: str = ""


@dataclass(slots=True)
class Fault:
    """`may`: outcomes that it excuses, of `services` (None: of all). `forgets`: lines of output may be lost by it."""

    name: str
    began: float
    may: frozenset[str] = frozenset()
    services: frozenset[str] | None = None
    forgets: bool = False
    ended: float = 0.0
    recovered: float | None = None
    """Seconds from its end until every service answered."""
    note: str = ""

    def excuses(self, request: Request) -> bool:
        if request.outcome not in self.may or (self.services is not None and request.service not in self.services):
            return False
        end = (self.ended or time.monotonic()) + (self.recovered or 0.0) + SLACK
        return request.began <= end and request.ended >= self.began

    def covers(self, moment: float) -> bool:
        """Output of that moment may be lost."""
        return self.forgets and self.began - SLACK <= moment <= (self.ended or time.monotonic()) + SLACK


@dataclass
class Ledger:
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)
    """Names of what the API said it had written."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request: Request) -> None:
        with self.lock:
            self.requests.append(request)

    def count(self, what: str, number: int = 1) -> None:
        with self.lock:
            self.counts[what] += number

    def problem(self, text: str) -> None:
        with self.lock:
            if len(self.problems) < 200:
                self.problems.append(text)
        print(f"PROBLEM: {text}", flush=True)

    def begin(self, name: str, may: Iterable[str] = (), services: Iterable[str] | None = None) -> Fault:
        chosen = None if services is None else frozenset(services)
        fault = Fault(name, time.monotonic(), frozenset(may), chosen)
        with self.lock:
            self.faults.append(fault)
        return fault

    def unexcused(self) -> list[Request]:
        with self.lock:
            bad = [request for request in self.requests if request.outcome != "ok"]
            faults = list(self.faults)
        return [request for request in bad if not any(fault.excuses(request) for fault in faults)]
