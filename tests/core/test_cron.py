"""Schedules: what is refused, and when they fire, next to a second implementation of the same rules."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from homerun.core.cron import Cron
from tests.support.examples import examples

BERLIN = ZoneInfo("Europe/Berlin")
USUAL = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/St_Johns")]
ODD = [
    ZoneInfo(name)
    for name in (
        "America/Sao_Paulo",  # jumped at midnight, until 2018
        "Australia/Lord_Howe",  # jumps by half an hour
        "Antarctica/Troll",  # by two hours
        "Pacific/Apia",  # a whole day is missing: 2011-12-30
    )
]


def fires(text: str, start: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
    cron, found = Cron.parse(text), [start]
    for _ in range(count):
        found.append(cron.next(found[-1], zone))
    return found[1:]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "then"),
    [
        ("*/5 * * * *", "2026-12-01 10:02", ["10:05", "10:10", "10:15"]),
        ("0 9 * * MON-FRI", "2026-12-04 09:00", ["2026-12-07 09:00", "2026-12-08 09:00"]),
        ("30 4 1,15 * 5", "2026-12-01 00:00", ["2026-12-01 04:30", "2026-12-04 04:30", "2026-12-11 04:30"]),
        ("0 0 29 2 *", "2026-12-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 * * 7", "2026-12-01 00:00", ["2026-12-06 00:00", "2026-12-13 00:00"]),
        ("10-40/15 12 1 jan *", "2026-12-01 00:00", ["2027-01-01 12:10", "2027-01-01 12:25", "2027-01-01 12:40"]),
        ("5/20 0 1 1 *", "2026-12-01 00:00", ["2027-01-01 00:05", "2027-01-01 00:25", "2027-01-01 00:45"]),
    ],
)
def test_it_fires_when_it_says(text: str, start: str, then: list[str]) -> None:
    wanted = [utc(t if len(t) > 5 else f"{start[:10]} {t}") for t in then]
    assert fires(text, utc(start), ZoneInfo("UTC"), len(then)) == wanted


def test_a_time_that_the_clock_skips_is_made_up_for_when_it_has_jumped() -> None:
    # 2026-03-29 in Berlin: 02:00 is 03:00.
    assert fires("30 2 * * *", utc("2026-03-28 12:00"), BERLIN, 2) == [utc("2026-03-29 01:00"), utc("2026-03-30 00:30")]


def test_a_time_that_comes_twice_is_taken_the_first_time() -> None:
    # 2026-10-25 in Berlin: 03:00 is 02:00.
    assert fires("30 2 * * *", utc("2026-10-24 12:00"), BERLIN, 2) == [utc("2026-10-25 00:30"), utc("2026-10-26 01:30")]


def test_every_half_hour_is_every_half_hour_whatever_the_clock_on_the_wall_does() -> None:
    for day in ("2026-03-29", "2026-10-25"):
        found = fires("*/30 * * * *", utc(f"{day} 00:00") - timedelta(hours=1), BERLIN, 12)
        assert {later - sooner for sooner, later in pairwise(found)} == {timedelta(minutes=30)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("* * * *", "'* * * *' has 4 fields"),
        ("", "has 0 fields"),
        ("60 * * * *", "minute: '60' must be a number from 0 to 59"),
        ("0 24 * * *", "hour: '24' must be a number from 0 to 23"),
        ("0 0 0 * *", "day of the month: '0' must be a number from 1 to 31"),
        ("0 0 L * *", "day of the month: 'L' must be"),
        ("0 0 1 13 *", "month: '13' must be a number from 1 to 12 or JAN FEB"),
        ("0 0 * * 8", "day of the week: '8' must be a number from 0 to 7 or SUN MON"),
        ("*/0 * * * *", "minute: the step '0' must be a number above 0"),
        ("*/x * * * *", "minute: the step 'X' must be"),
        ("40-10 * * * *", "minute: 40-10 runs backwards: write 0-10,40-59"),
        ("1,,2 * * * *", "minute: '' must be"),
        ("٣ * * * *", "minute: '٣' must be"),
        ("0 0 30 2 *", "never happens"),
        ("0 0 31 4,6 *", "never happens"),
    ],
)
def test_what_is_wrong_is_refused_with_what_would_be_right(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        Cron.parse(text)
    assert complaint in str(caught.value)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    # cronsim takes 3-3/2 for 3/2.
    span = (
        st.tuples(number, number).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: f"{min(pair)}-{max(pair)}")
    )
    stepped = st.tuples(st.just("*") | span, st.integers(1, 30)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    part = number.map(str) | span | stepped
    return st.just("*") | st.lists(part, min_size=1, max_size=3).map(",".join)


NUMBERS = st.lists(st.integers(0, 23).map(str), min_size=1, max_size=3).map(",".join)
TIMES_OF_DAY = st.tuples(NUMBERS, NUMBERS, field(1, 28), field(1, 12), field(0, 7)).map(" ".join)
HOURLY = st.tuples(st.just("*/7") | st.just("*"), field(0, 23)).map(lambda pair: f"{pair[0]} {pair[1]} * * *")
SCHEDULES = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)).map(" ".join)
JUMPS = [
    utc(text)
    for text in (
        "2026-03-29 01:00",
        "2026-10-25 01:00",
        "2026-03-08 07:00",
        "2026-11-01 06:00",
        "2018-11-04 03:00",
        "2018-02-18 02:00",
        "2026-04-04 15:00",
        "2026-10-03 15:30",
        "2011-12-30 10:00",
    )
]
STARTS = st.tuples(st.sampled_from(JUMPS), st.integers(-3 * 24 * 60, 24 * 60)).map(
    lambda pair: pair[0] + timedelta(minutes=pair[1])
)


def agree(text: str, start: datetime, zone: ZoneInfo) -> None:
    # Begun in an hour that comes twice, in its second pass, cronsim first says a time of the first one, which is over.
    peer = (fired for moment in CronSim(text, start.astimezone(zone)) if (fired := moment.astimezone(UTC)) > start)
    for found in fires(text, start, zone, 6):
        assert found == next(peer)


@settings(max_examples=examples(300))
@given(SCHEDULES, STARTS, st.sampled_from(USUAL))
def test_it_fires_as_debian_s_cron_would(text: str, start: datetime, zone: ZoneInfo) -> None:
    agree(text, start, zone)


@settings(max_examples=examples(100))
@given(TIMES_OF_DAY, STARTS, st.sampled_from(ODD))
def test_times_of_day_where_the_clock_jumps_oddly(text: str, start: datetime, zone: ZoneInfo) -> None:
    agree(text, start, zone)


@settings(max_examples=examples(60))
@given(HOURLY, STARTS, st.sampled_from(ODD))
def test_what_follows_the_time_that_passes_does_so_where_the_clock_jumps_oddly(
    text: str, start: datetime, zone: ZoneInfo
) -> None:
    """By the definition, minute by minute: cronsim does not get these jumps right."""
    cron, until = Cron.parse(text), start + timedelta(days=2)
    minutes = (start.replace(second=0) + timedelta(minutes=number) for number in range(1, 2 * 24 * 60 + 1))
    passed = [(minute, minute.astimezone(zone)) for minute in minutes]
    wanted = [minute for minute, wall in passed if 60 * wall.hour + wall.minute in cron.times]
    found = [start]
    while found[-1] <= until:
        found.append(cron.next(found[-1], zone))
    assert found[1:-1] == wanted
