"""When a schedule fires: unix-cron's five fields, by the wall clock of a time zone.

Where that clock jumps, Debian's cron is followed, whose rule is that nothing is forgotten and nothing done twice: a
time that is skipped fires when the clock has jumped, one that comes twice fires the first time. Schedules of every
minute or every hour (a `*` in the minute or the hour) mean no time of day and follow the time that really passes.
Public document: Cloud Scheduler, "Cron job format and time zone".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol

_MONTHS = {name: number for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)}
_DAYS = {name: number for number, name in enumerate("SUN MON TUE WED THU FRI SAT".split())}
_YEARS = 28
"""After so many, dates fall on the same days of the week again: what has not matched by then never will."""
_MINUTE = timedelta(minutes=1)


class Times(Protocol):
    """When a schedule fires. `relative`: so long after the end of what it has fired."""

    @property
    def relative(self) -> bool: ...

    def next(self, after: datetime, zone: tzinfo) -> datetime:
        """The first time later than `after` (aware), in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """The values that each field allows; Sunday is 0. `times`: of a day, in minutes, in their order."""

    times: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Both kinds of day are restricted: one of them is enough."""
    by_the_hour: bool
    """It follows the time that passes, not a time of day."""

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Raises ValueError, which says which field is wrong and what it may be."""
        fields = text.upper().split()
        if len(fields) != len(_FIELDS):
            raise ValueError(
                f"{text!r} has {len(fields)} fields; a schedule has five: minute, hour, day of the month, month, "
                'day of the week, such as "30 9 * * MON-FRI"'
            )
        minutes, hours, days, months, weekdays = map(_values, _FIELDS, fields)
        cron = cls(
            times=tuple(60 * hour + minute for hour in sorted(hours) for minute in sorted(minutes)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(day % 7 for day in weekdays),
            either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
            by_the_hour=fields[0].startswith("*") or fields[1].startswith("*"),
        )
        if not cron.happens():
            raise ValueError(f"{text!r} never happens: no month that it names has such a day")
        return cron

    @property
    def relative(self) -> bool:
        return False

    def happens(self) -> bool:
        """Whether there is any such day."""
        return next(self._days(date(2000, 1, 1)), None) is not None

    def next(self, after: datetime, zone: tzinfo) -> datetime:
        """The first time later than `after` (aware), in UTC."""
        after = after.astimezone(UTC)
        return self._next_passed(after, zone) if self.by_the_hour else self._next_on_the_wall(after, zone)

    def _next_on_the_wall(self, after: datetime, zone: tzinfo) -> datetime:
        """Each wall time is one moment: its first, or the end of the gap that it lies in."""
        began = after.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)
        for wall in self._walls(began):
            moment = wall.replace(tzinfo=zone).astimezone(UTC)
            if moment.astimezone(zone).replace(tzinfo=None) != wall:
                moment = _jump(moment - timedelta(days=1), moment + timedelta(days=1), zone)
            if moment > after:
                return moment
        raise AssertionError("a schedule that never happens is not parsed")

    def _next_passed(self, after: datetime, zone: tzinfo) -> datetime:
        """Between two jumps of the clock, wall time and real time run alike."""
        while True:
            start = after.replace(second=0, microsecond=0) + _MINUTE
            offset = start.astimezone(zone).utcoffset() or timedelta()
            wall = next(self._walls((start + offset).replace(tzinfo=None)))
            moment = wall.replace(tzinfo=UTC) - offset
            jump = _jump(start, moment, zone) if moment > start else moment
            if jump >= moment and (moment.astimezone(zone).utcoffset() or timedelta()) == offset:
                return moment
            after = jump - _MINUTE

    def _walls(self, start: datetime) -> Iterator[datetime]:
        """Matching wall times from `start` on, in order, without regard to any zone."""
        began = start.date()
        for day in self._days(began):
            first = bisect_left(self.times, _minutes(start)) if day == began else 0
            for time in self.times[first:]:
                yield datetime(day.year, day.month, day.day, *divmod(time, 60))

    def _days(self, start: date) -> Iterator[date]:
        day, end = start, start.year + _YEARS
        while day.year <= end:
            if day.month not in self.months:
                day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
                continue
            if self._matches(day):
                yield day
            day += timedelta(days=1)

    def _matches(self, day: date) -> bool:
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


def _minutes(wall: datetime) -> int:
    """Of its day that have begun before, or begin then."""
    return wall.hour * 60 + wall.minute + (1 if wall.second or wall.microsecond else 0)


def _values(field: _Field, text: str) -> set[int]:
    """`*`, `5`, `1-5`, `*/15`, `10-40/5`, `MON`, and lists of these."""
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
            raise ValueError(f"{field.name}: the step {step!r} must be a number above 0, such as */15")
        if span == "*":
            low, high = field.low, field.high
        else:
            first, dash, last = span.partition("-")
            low = _number(field, first)
            high = _number(field, last) if dash else (field.high if slash else low)
        if low > high:
            raise ValueError(f"{field.name}: {span} runs backwards: write {field.low}-{high},{low}-{field.high}")
        values.update(range(low, high + 1, int(step) if slash else 1))
    return values


def _number(field: _Field, text: str) -> int:
    if text in field.names:
        return field.names[text]
    if text.isascii() and text.isdigit() and field.low <= int(text) <= field.high:
        return int(text)
    names = f" or {' '.join(field.names)}" if field.names else ""
    raise ValueError(f"{field.name}: {text!r} must be a number from {field.low} to {field.high}{names}")


def _jump(start: datetime, end: datetime, zone: tzinfo) -> datetime:
    """The first moment in (start, end] at which the zone's offset is no longer that of `start`; else `end`."""
    offset = start.astimezone(zone).utcoffset()
    low, high = start, start
    while high < end:
        low, high = high, min(high + timedelta(hours=12), end)
        if high.astimezone(zone).utcoffset() != offset:
            break
    else:
        return end
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
