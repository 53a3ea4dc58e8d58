"""App Engine's English: the examples of its reference, with what they mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from homerun.core.cron import Cron
from homerun.core.english import Every, parse_times

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)  # a Tuesday


def fires(text: str, count: int = 3, after: datetime = NOON, zone: ZoneInfo | None = None) -> list[str]:
    times, found = parse_times(text), []
    for _ in range(count):
        after = times.next(after, zone or UTC)
        found.append(f"{after.astimezone(zone or UTC):%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("every 5 minutes", ["2026-12-01 12:05", "2026-12-01 12:10", "2026-12-01 12:15"]),
        ("every 1 hours", ["2026-12-01 13:00", "2026-12-01 14:00", "2026-12-01 15:00"]),
        ("every 90 mins", ["2026-12-01 13:30", "2026-12-01 15:00", "2026-12-01 16:30"]),
        ("every 5 hours from 10:00 to 14:00", ["2026-12-02 10:00", "2026-12-03 10:00", "2026-12-04 10:00"]),
        ("every 2 hours from 10:00 to 14:00", ["2026-12-01 14:00", "2026-12-02 10:00", "2026-12-02 12:00"]),
        ("every 90 minutes from 22:00 to 01:00", ["2026-12-01 22:00", "2026-12-01 23:30", "2026-12-02 01:00"]),
        ("every 8 hours synchronized", ["2026-12-01 16:00", "2026-12-02 00:00", "2026-12-02 08:00"]),
        ("every day 00:00", ["2026-12-02 00:00", "2026-12-03 00:00", "2026-12-04 00:00"]),
        ("every monday 09:00", ["2026-12-07 09:00", "2026-12-14 09:00", "2026-12-21 09:00"]),
        ("Every  Mon,Thurs 9:00", ["2026-12-03 09:00", "2026-12-07 09:00", "2026-12-10 09:00"]),
        ("1st,third mon of month 10:00", ["2026-12-07 10:00", "2026-12-21 10:00", "2027-01-04 10:00"]),
        ("2nd,third mon,wed,thu of march 17:00", ["2027-03-08 17:00", "2027-03-10 17:00", "2027-03-11 17:00"]),
        ("first monday of sep,oct,nov 17:00", ["2027-09-06 17:00", "2027-10-04 17:00", "2027-11-01 17:00"]),
        ("5th sunday of month 08:00", ["2027-01-31 08:00", "2027-05-30 08:00", "2027-08-29 08:00"]),
        ("1 of jan,april,july,oct 00:00", ["2027-01-01 00:00", "2027-04-01 00:00", "2027-07-01 00:00"]),
        ("1,15 of month 10:00", ["2026-12-15 10:00", "2027-01-01 10:00", "2027-01-15 10:00"]),
    ],
)
def test_the_examples_of_the_reference(text: str, wanted: list[str]) -> None:
    assert fires(text) == wanted


def test_times_of_day_are_those_of_the_zone() -> None:
    assert fires("every day 09:00", 1, zone=ZoneInfo("Asia/Tokyo")) == ["2026-12-02 09:00"]


def test_an_interval_is_relative_and_everything_else_is_not() -> None:
    assert parse_times("every 5 minutes") == Every(timedelta(minutes=5)) and parse_times("every 5 minutes").relative
    for text in ("every 5 minutes synchronized", "every monday 09:00", "* * * * *"):
        assert not parse_times(text).relative


def test_five_fields_are_cron() -> None:
    assert parse_times("*/5 * * * *") == Cron.parse("*/5 * * * *")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("every 0 minutes", "1 minute to 24 hours"),
        ("every 25 hours", "1 minute to 24 hours"),
        ("every 7 hours synchronized", "divide 24 hours evenly"),
        ("every 5 minuets", "is no schedule: write five fields"),
        ("every 5 minutes from 10 to 12", "'10' is no time of day"),
        ("every 09:00", "every what?"),
        ("every moonday 09:00", "'moonday' is no day"),
        ("every monday of brumaire 09:00", "'brumaire' is no month"),
        ("every day 25:00", "'25:00' is no time of day"),
        ("sixth monday of month 10:00", "'sixth' must be one of first"),
        ("32 of month 10:00", "'32' must be a day of the month"),
        ("31 of february 10:00", "never happens"),
        ("* * * *", "has 4 fields"),
    ],
)
def test_what_cannot_be_read_says_what_can(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_times(text)
