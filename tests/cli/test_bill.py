import json

import pytest

from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

BILL = "/homerun/v1/bill"
USED = {"billableSeconds": 3661.5, "idleSeconds": 0, "vcpuSeconds": 3661.5, "gibSeconds": 1830.75, "requests": 1200}
ANSWER = {
    "since": "2026-12-01",
    "until": "2026-12-16",
    "by": "resource",
    "currency": "USD",
    "prices": "Cloud Run's public prices",
    "rows": [
        {"name": "projects/p/locations/r/services/hello", **USED, "idleSeconds": 90, "usd": 1.25},
        {"name": "projects/q/locations/s/workerPools/crew", **USED, "usd": 0.000013},
    ],
    "months": [{"month": "2026-12", "usd": 1.250013, "freeTierUsd": 1.25, "totalUsd": 0.000013}],
    "usd": 1.250013,
    "freeTierUsd": 1.25,
    "totalUsd": 0.000013,
}


def test_each_row_says_what_was_used_and_the_end_what_is_to_pay(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", BILL, ANSWER)
    result = homerun("bill")
    assert result.exit_code == 0
    assert "hello  service      p        r       61m 2s  90.0 s   3661.5  1830.75  1200      $1.250000" in result.stdout
    assert "crew   worker pool  q        s       61m 2s  -        3661.5  1830.75  1200      $0.000013" in result.stdout
    assert "Free tier  -$1.250000\nTo pay      $0.000013\n" in result.stdout
    assert "From 2026-12-01 to before 2026-12-16 (UTC). Cloud Run's public prices." in result.stdout
    assert api.asked[0].query == {"by": "resource", "minimum": "true"}


def test_days_months_and_the_minimum_are_what_is_asked_for(homerun: Invoke, api: FakeApi) -> None:
    by_month = [{"name": "2026-11", **USED, "usd": 1}, {"name": "2026-12", **USED, "usd": 2}]
    months = [{"month": m["name"], "usd": 1, "freeTierUsd": 0.5, "totalUsd": 0.5} for m in by_month]
    api.on("GET", BILL, {**ANSWER, "by": "month", "rows": by_month, "months": months})
    result = homerun("bill", "--by", "month", "--since", "2026-11-01", "--until", "2027-01-01", "--no-minimum")
    assert result.stdout.splitlines()[0].split()[0] == "MONTH"
    assert "Free tier of 2026-11  -$0.500000" in result.stdout
    query = {"by": "month", "minimum": "false", "since": "2026-11-01", "until": "2027-01-01"}
    assert api.asked[0].query == query


@pytest.mark.parametrize(("month", "until"), [("2026-11", "2026-12-01"), ("2026-12", "2027-01-01")])
def test_a_month_is_its_days(homerun: Invoke, api: FakeApi, month: str, until: str) -> None:
    api.on("GET", BILL, ANSWER)
    assert json.loads(homerun("bill", "--month", month, "--format", "json").stdout) == ANSWER
    assert (api.asked[0].query["since"], api.asked[0].query["until"]) == (f"{month}-01", until)


def test_nothing_used_is_said(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", BILL, {**ANSWER, "rows": [], "months": [], "usd": 0, "freeTierUsd": 0, "totalUsd": 0})
    assert "Nothing was used from 2026-12-01 to before 2026-12-16." in homerun("bill").stdout


@pytest.mark.parametrize(
    "arguments", [("--month", "2026-13"), ("--month", "december"), ("--month", "2026-12", "--since", "2026-12-01")]
)
def test_what_is_no_month_is_wrong_usage(homerun: Invoke, arguments: tuple[str, ...]) -> None:
    result = homerun("bill", *arguments)
    assert result.exit_code == 2 and "--month" in result.stderr
