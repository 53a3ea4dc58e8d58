"""Schedules in App Engine's English: `every 5 minutes`, `every monday 09:00`, `1st,third mon of month 10:00`.

What names a time of day follows the wall clock, as in cron. An interval is counted from the end of what it fired,
unless it is `synchronized` (from midnight on) or has a range of hours (`every 5 minutes from 10:00 to 14:00`).
Public document: App Engine, "cron.yaml reference", the schedule format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from homerun.core.cron import Cron, Times

_DAY = 24 * 60
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_INTERVAL = re.compile(r"every (\d+) (hours?|minutes?|mins?)(?: (synchronized)| from (\S+) to (\S+))?")
_DATED = re.compile(r"(every|[\w,]+?)(?: ([a-z,]+))?(?: of ([a-z,]+))? (\d+:\d+)")
_ORDINALS = dict(zip("first second third fourth fifth".split(), range(1, 6), strict=True))
_ORDINALS |= dict(zip("1st 2nd 3rd 4th 5th".split(), range(1, 6), strict=True))
_WEEKDAYS = "sunday monday tuesday wednesday thursday friday saturday".split()
_MONTHS = "january february march april may june july august september october november december".split()
EXAMPLES = '"every 5 minutes", "every monday 09:00", "1st,third mon of month 10:00"'


@dataclass(frozen=True, slots=True)
class Every:
    """So long after the last one."""

    interval: timedelta

    @property
    def relative(self) -> bool:
        return True

    def next(self, after: datetime, zone: tzinfo) -> datetime:
        return after.astimezone(UTC) + self.interval


@lru_cache(maxsize=4096)
def parse_times(text: str) -> Times:
    """A schedule in either form. Raises ValueError, which says what is wrong and what would be right."""
    words = " ".join(text.lower().split())
    if not words.startswith("every ") and ":" not in words:
        return Cron.parse(text)
    if match := _INTERVAL.fullmatch(words):
        return _interval(words, match)
    if match := _DATED.fullmatch(words):
        return _dated(text, match)
    raise ValueError(f'{text!r} is no schedule: write five fields, such as "30 9 * * MON-FRI", or {EXAMPLES}')


def _interval(text: str, match: re.Match[str]) -> Times:
    step = int(match[1]) * (60 if match[2].startswith("hour") else 1)
    if not 0 < step <= _DAY:
        raise ValueError(f"{text!r}: an interval is 1 minute to 24 hours")
    if match[3]:
        if _DAY % step:
            raise ValueError(f"{text!r}: synchronized, the interval must divide 24 hours evenly")
        return _on_days(range(0, _DAY, step), by_the_hour=True)
    if match[4]:
        first, last = _clock(match[4]), _clock(match[5])
        return _on_days(sorted(time % _DAY for time in range(first, last + _DAY * (last < first) + 1, step)))
    return Every(timedelta(minutes=step))


def _dated(text: str, match: re.Match[str]) -> Times:
    """`every monday 09:00`, `every day 00:00`, `2nd mon,wed of march 17:00`, `1,15 of month 10:00`."""
    which, names, of = match[1], match[2], match[3] or "month"
    months = range(1, 13) if of == "month" else [_index(_MONTHS, name, "month", 3) + 1 for name in of.split(",")]
    days: list[int] = list(range(1, 32))
    if which != "every":
        numbers = which.split(",")
        if names is None:
            days = [_number(text, day) for day in numbers]
        else:
            weeks = [_ordinal(text, week) for week in numbers]
            days = [day for week in weeks for day in range(7 * week - 6, min(7 * week, 31) + 1)]
    elif names is None:
        raise ValueError(f"{text!r}: every what? Write {EXAMPLES}")
    weekdays = range(7) if names in (None, "day") else [_index(_WEEKDAYS, name, "day", 3) for name in names.split(",")]
    made = _on_days([_clock(match[4])], days, months, weekdays)
    if not made.happens():
        raise ValueError(f"{text!r} never happens: no month that it names has such a day")
    return made


def _on_days(
    times: range | list[int],
    days: range | list[int] = range(1, 32),
    months: range | list[int] = range(1, 13),
    weekdays: range | list[int] = range(7),
    *,
    by_the_hour: bool = False,
) -> Cron:
    return Cron(
        times=tuple(times),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(weekdays),
        either_day=False,
        by_the_hour=by_the_hour,
    )


def _clock(text: str) -> int:
    """Minutes of the day."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time of day: write HH:MM, 00:00 to 23:59")
    return 60 * int(match[1]) + int(match[2])


def _index(names: list[str], text: str, what: str, short: int) -> int:
    for index, name in enumerate(names):
        if text in (name, name[:short]) or (name.startswith(text) and len(text) > short):
            return index
    raise ValueError(f"{text!r} is no {what}: write one of {', '.join(names)}, or the first {short} letters")


def _ordinal(text: str, word: str) -> int:
    if word not in _ORDINALS:
        raise ValueError(f"{text!r}: {word!r} must be one of {', '.join(_ORDINALS)}")
    return _ORDINALS[word]


def _number(text: str, word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= 31:
        raise ValueError(f"{text!r}: {word!r} must be a day of the month, 1 to 31")
    return int(word)
