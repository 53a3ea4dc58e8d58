"""Is a container well? When its probes ask, and what their answers mean (contract §1.11).

A container that starts is asked until it answers once, or until its time is over. From then on liveness and readiness
ask once in each period, and count answers that are alike: so many in a row are a verdict. What a verdict does is up to
whoever hears it: a container that is not alive is ended, one that is not ready gets no new requests until it is.

Events in (an answer, and when it came), verdicts out; `due` says when to ask next. Nobody is asked more often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from homerun.model.probe import Probe

_SHARE = 500
_FASTEST, _SLOWEST = 0.001, 0.25
_ASK_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last `times` answers were all good, or all bad."""

    well: bool
    times: int


class Starting:
    """The startup probe of a container whose process began at `began`.

    Its time is that of the attempts which the probe allows. Within it we look far more often than once in a period,
    because nobody should wait for an interval to pass: whether it listens every millisecond, later every 1/500 of the
    time that has passed (a start of 10 s is seen 20 ms late at most); and once it listens, at most ten times a second
    whether it is well.
    """

    def __init__(self, probe: Probe, began: float) -> None:
        self._probe, self._began = probe, began
        self.due = began + probe.initial_delay
        self.deadline = began + probe.limit

    def attempts(self, now: float) -> int:
        """Whose turn it is, counted as the platform counts: one in each period."""
        periods = (now - self._began - self._probe.initial_delay) / self._probe.period
        return min(max(math.floor(periods) + 1, 1), self._probe.failure_threshold)

    def patience(self, now: float) -> float:
        """Seconds that an answer may take."""
        return max(min(self._probe.timeout, self.deadline - now), 0.0)

    def answered(self, listens: bool, well: bool, now: float) -> Verdict | None:
        """Not `well`: look again when it is `due`, unless the time is over."""
        if well:
            return Verdict(True, self.attempts(now))
        if now >= self.deadline:
            return Verdict(False, self._probe.failure_threshold)
        passed = now - self._began
        pause = min(self._probe.period, _ASK_PAUSE) if listens else min(_SLOWEST, max(_FASTEST, passed / _SHARE))
        self.due = min(now + pause, self.deadline)
        return None


class Watch:
    """Liveness or readiness of a container that has started: its process began at `began`.

    `well`: what is known of it, None for nothing yet. What is known from an earlier process keeps its rhythm, so that
    instances that were found again are not all asked at the same moment.
    """

    def __init__(self, probe: Probe, began: float, now: float, well: bool | None = None) -> None:
        self._probe = probe
        self.well = well
        self.due = began + probe.initial_delay
        if self.due < now:
            missed = math.ceil((now - self.due) / probe.period)
            self.due = now if well is None else self.due + missed * probe.period
        self._last = False
        self._run = 0

    def __repr__(self) -> str:
        return f"<Watch {self._probe}: {self._run} x {'well' if self._last else 'unwell'}, due at {self.due:g}>"

    def answered(self, well: bool, now: float) -> Verdict | None:
        """The verdict, when it is another than before."""
        self._run = self._run + 1 if well is self._last else 1
        self._last = well
        self.due = max(self.due + self._probe.period, now)
        needed = self._probe.success_threshold if well else self._probe.failure_threshold
        if well is self.well or self._run < needed:
            return None
        self.well = well
        return Verdict(well, self._run)
