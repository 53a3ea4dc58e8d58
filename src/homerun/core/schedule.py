"""One schedule: when it attempts its target, and what it does when an attempt fails (contract §8.3).

Sans-IO: what happens is told with the time of it (aware datetimes, UTC), and what to do comes back. Two attempts never
overlap: a time that comes while one is under way is taken when that has ended, and however many came, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from homerun.core.cron import Times


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
    """Holds one attempt at most, in `running`. All that it knows is in its fields: they can be written down."""

    times: Times
    zone: tzinfo
    retries: Retries
    paused: bool = False
    running: Attempt | None = None
    planned: datetime | None = None
    """Its next attempt: `due`, or a retry before it."""
    due: datetime | None = None
    """The next time of the schedule itself."""
    scheduled: datetime | None = None
    """The time that the attempts since then stand for."""
    first: datetime | None = None
    """When the first attempt for that time was made."""
    failures: int = 0
    wanted: datetime | None = None
    """Somebody has asked for an attempt then, which was not made yet."""

    @property
    def next(self) -> datetime | None:
        """When it attempts again: a retry perhaps, or what was asked for; None while it is paused or attempts."""
        if self.running is not None:
            return None
        return self.wanted or (None if self.paused else self.planned)

    def start(self, now: datetime, due: datetime | None = None) -> None:
        """Begin, or begin again after homerun was away: `due` was the time to attempt, and is made up for once."""
        if not self.paused:
            self.due = self.planned = due if due is not None else self.times.next(now, self.zone)

    def tick(self, now: datetime) -> Attempt | None:
        """Time has passed."""
        if self.next is None or now < self.next:
            return None
        if self.wanted is not None:
            wanted, self.wanted = self.wanted, None
            if self.planned == self.due:
                self.scheduled, self.first, self.failures = wanted, now, 0
            # Else an earlier one is to be retried, and goes on to be: this one has no retries of its own.
            return self._attempt(Attempt(wanted, forced=True))
        if self.due is not None and self.due <= now:
            self.scheduled, self.first, self.failures = self.due, now, 0
            self.due = self.times.next(now, self.zone)
        return self._attempt(Attempt(self.scheduled or now))

    def ended(self, now: datetime, *, ok: bool) -> None:
        """The attempt under way has succeeded or failed."""
        attempt, self.running = self.running, None
        if attempt is None or (attempt.forced and attempt.scheduled != self.scheduled):
            return
        if self.times.relative and self.due is not None and not attempt.forced:
            self.due = self.times.next(now, self.zone)
        self.planned = self.due
        self.failures = 0 if ok else self.failures + 1
        if ok or self.first is None or self.paused:
            return
        if self.retries.allow(self.failures, now - self.first):
            again = now + self.retries.backoff(self.failures)
            if self.due is None or again < self.due:
                self.planned = again

    def force(self, now: datetime) -> None:
        """Attempt now, paused or not, or as soon as none is under way. The schedule stays as it is. If it fails, it is
        retried like others, unless an earlier one is being retried or the schedule is paused."""
        self.wanted = self.wanted or now

    def pause(self) -> None:
        self.paused, self.planned, self.due, self.first = True, None, None, None

    def resume(self, now: datetime) -> None:
        """From now on; what was missed stays missed."""
        self.paused = False
        self.change(self.times, self.zone, self.retries, now)

    def change(self, times: Times, zone: tzinfo, retries: Retries, now: datetime) -> None:
        """Other times, other retries: what is under way ends as it began."""
        self.times, self.zone, self.retries = times, zone, retries
        self.failures, self.first = 0, None
        if not self.paused:
            self.due = self.planned = times.next(now, zone)

    def _attempt(self, attempt: Attempt) -> Attempt:
        self.running = attempt
        return attempt
