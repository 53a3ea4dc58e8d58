"""One schedule: when it attempts its target, and what it does when an attempt fails (contract §8.3).

Sans-IO: what happens is told with the time of it (aware datetimes, UTC), and what to do comes back. Two attempts never
overlap: a time that comes while one is under way is taken when that has ended, and however many came, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from homerun.core.cron import Cron


@dataclass(frozen=True, slots=True)
class Retries:
    """`count`: of retries after a failure. `duration`: since the first attempt; 0 sets no limit of its own."""

    count: int = 0
    duration: timedelta = timedelta()
    min_backoff: timedelta = timedelta(seconds=5)
    max_backoff: timedelta = timedelta(hours=1)
    max_doublings: int = 5

    def backoff(self, retry: int) -> timedelta:
        """Before the retry of this number, from 1: doubled so many times, then growing by the last of them."""
        doubled = min(retry - 1, self.max_doublings)
        step = self.min_backoff * 2.0**doubled
        return min(step * (1 + retry - 1 - doubled), self.max_backoff)

    def allow(self, retry: int, elapsed: timedelta) -> bool:
        """Until both limits are reached, if there are two."""
        return retry <= self.count or elapsed < self.duration


@dataclass(frozen=True, slots=True)
class Attempt:
    """Call the target now. `scheduled`: the time that it stands for. `forced`: somebody asked for it."""

    scheduled: datetime
    forced: bool = False


@dataclass(slots=True)
class Schedule:
    """Holds one attempt at most, in `running`."""

    cron: Cron
    zone: tzinfo
    retries: Retries
    paused: bool = False
    running: Attempt | None = None
    _next: datetime | None = None
    """Of the schedule itself, or a retry before it."""
    _due: datetime | None = None
    """The next time of the schedule itself."""
    _scheduled: datetime | None = None
    """The time that the attempts since then stand for."""
    _first: datetime | None = None
    """When the first attempt for that time was made."""
    _failures: int = 0

    @property
    def next(self) -> datetime | None:
        """When it attempts again, a retry perhaps; None while it is paused or an attempt is under way."""
        return None if self.paused or self.running else self._next

    def start(self, now: datetime, due: datetime | None = None) -> None:
        """Begin, or begin again after homerun was away: `due` was the time to attempt, and is made up for once."""
        if not self.paused:
            self._due = self._next = due if due is not None else self.cron.next(now, self.zone)

    def tick(self, now: datetime) -> Attempt | None:
        """Time has passed."""
        if self.next is None or now < self.next:
            return None
        if self._due is not None and self._due <= now:
            self._scheduled, self._first, self._failures = self._due, now, 0
            self._due = self.cron.next(now, self.zone)
        return self._attempt(Attempt(self._scheduled or now))

    def ended(self, now: datetime, *, ok: bool) -> None:
        """The attempt under way has succeeded or failed."""
        attempt, self.running = self.running, None
        if attempt is None or attempt.forced:
            return
        self._next = self._due
        self._failures = 0 if ok else self._failures + 1
        if ok or self._first is None:
            return
        if self.retries.allow(self._failures, now - self._first):
            again = now + self.retries.backoff(self._failures)
            if self._due is None or again < self._due:
                self._next = again

    def force(self, now: datetime) -> Attempt | None:
        """Attempt now, paused or not; nothing while one is under way. The schedule stays as it is."""
        return None if self.running else self._attempt(Attempt(now, forced=True))

    def pause(self) -> None:
        self.paused, self._next, self._due, self._first = True, None, None, None

    def resume(self, now: datetime) -> None:
        """From now on; what was missed stays missed."""
        self.paused = False
        self.change(self.cron, self.zone, self.retries, now)

    def change(self, cron: Cron, zone: tzinfo, retries: Retries, now: datetime) -> None:
        """Other times, other retries: what is under way ends as it began."""
        self.cron, self.zone, self.retries = cron, zone, retries
        self._failures, self._first = 0, None
        if not self.paused:
            self._due = self._next = cron.next(now, zone)

    def _attempt(self, attempt: Attempt) -> Attempt:
        self.running = attempt
        return attempt
