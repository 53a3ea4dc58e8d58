from fractions import Fraction

import pytest

from homerun.core.billing import Amount, Rate, Used
from homerun.core.invoice import BY, OTHERS, Line, invoice, span_of
from homerun.lib.errors import Invalid
from homerun.meter.prices import prices

AT = "projects/p/locations/us-central1"
HELLO, NIGHTLY, CREW = f"{AT}/services/hello", f"{AT}/jobs/nightly", f"{AT}/workerPools/crew"
FAR = "projects/q/locations/europe-west3/services/far"


def cpu(seconds: int, rate: Rate = Rate.REQUEST) -> Used:
    return {rate: Amount(seconds * 1000, seconds * 1_000_000)}


LINES = [
    Line("2026-11-20", HELLO, cpu(100_000)),
    Line("2026-12-01", HELLO, cpu(100_000)),
    Line("2026-12-02", HELLO, cpu(100_000)),
    Line("2026-12-02", NIGHTLY, cpu(10, Rate.INSTANCE) | cpu(50, Rate.INSTANCE_MINIMUM)),
    Line("2026-12-02", CREW, cpu(60, Rate.WORKER)),
    Line("2026-12-03", FAR, cpu(1)),
]
CPU = Fraction("0.000024")


def keys(by: str, since: str = "2026-11-01", until: str = "2027-01-01") -> list[str]:
    return [row.key for row in invoice(LINES, prices(), since, until, by).rows]


def test_rows_are_for_what_one_asks_for() -> None:
    assert keys("resource") == [HELLO, NIGHTLY, CREW, FAR], "the dearest first"
    assert keys("service") == [HELLO, FAR, OTHERS]
    assert keys("job") == [NIGHTLY, OTHERS]
    assert keys("worker-pool") == [CREW, OTHERS]
    assert keys("kind") == ["Service", "Job", "WorkerPool"]
    assert keys("project") == ["p", "q"]
    assert keys("region") == ["us-central1", "europe-west3"]
    assert keys("day") == ["2026-11-20", "2026-12-01", "2026-12-02", "2026-12-03"]
    assert keys("month") == ["2026-11", "2026-12"]


@pytest.mark.parametrize("by", BY)
def test_the_sum_is_the_same_whatever_the_rows(by: str) -> None:
    made = invoice(LINES, prices(), "2026-11-01", "2027-01-01", by)
    assert made.usd == 300_000 * CPU + 60 * Fraction("0.000018") + 60 * Fraction("0.000011244") + Fraction("0.0000336")
    assert made.usd == sum(month.usd for month in made.months)


def test_each_month_has_a_free_tier() -> None:
    november, december = invoice(LINES, prices(), "2026-11-01", "2027-01-01", "month").months
    assert (november.usd, november.free) == (100_000 * CPU, 100_000 * CPU)
    assert december.free == 180_000 * CPU + 60 * Fraction("0.000018")


def test_days_before_the_bill_have_had_their_part_of_the_free_tier() -> None:
    made = invoice(LINES, prices(), "2026-12-02", "2026-12-03", "resource")
    assert keys("resource", "2026-12-02", "2026-12-03") == [HELLO, NIGHTLY, CREW]
    assert made.free == 80_000 * CPU + 60 * Fraction("0.000018")
    days = [invoice(LINES, prices(), f"2026-12-0{day}", f"2026-12-0{day + 1}", "day") for day in (1, 2, 3)]
    whole = invoice(LINES, prices(), "2026-12-01", "2026-12-04", "day")
    assert sum(day.usd - day.free for day in days) == whole.usd - whole.free


def test_what_the_minimum_adds_can_be_left_out() -> None:
    made = invoice(LINES, prices(), "2026-12-01", "2027-01-01", "job", minimum=False)
    assert next(row for row in made.rows if row.key == NIGHTLY).usd == 10 * Fraction("0.000018")


def test_nothing_used_costs_nothing() -> None:
    made = invoice([], prices(), "2026-12-01", "2027-01-01", "day")
    assert (made.rows, made.months, made.usd, made.free) == ([], [], 0, 0)


TODAY = "2026-12-15"


def test_without_dates_it_is_this_month_up_to_today() -> None:
    assert span_of("", "", TODAY) == ("2026-12-01", "2026-12-16")
    assert span_of("2026-11-03", "", TODAY) == ("2026-11-03", "2026-12-16")
    assert span_of("", "2026-12-02", TODAY) == ("2026-12-01", "2026-12-02")
    assert span_of("2027-01-01", "", TODAY) == ("2027-01-01", "2027-01-02"), "a bill of the future is empty"


@pytest.mark.parametrize(("since", "until"), [("yesterday", ""), ("", "2026-13-01"), ("2026-12-02", "2026-12-02")])
def test_what_is_no_span_of_days_is_refused(since: str, until: str) -> None:
    with pytest.raises(Invalid):
        span_of(since, until, TODAY)
