"""The arithmetic of the price list, on one that ships: to the unit, as exact fractions."""

from decimal import Decimal
from fractions import Fraction

import pytest

from homerun.core.billing import GIB, Amount, Rate
from homerun.core.tariff import Tariff
from homerun.meter.prices import prices

TARIFF: Tariff = prices()
HOME = "us-central1"


def used(rate: Rate, *, vcpu: int = 0, gib: int = 0, requests: int = 0) -> dict[Rate, Amount]:
    return {rate: Amount(0, vcpu * 1_000_000, gib * GIB * 1000, requests)}


# What the table of contract §6 says, line by line.
@pytest.mark.parametrize(
    ("rate", "vcpu", "gib", "million"),
    [
        (Rate.REQUEST, "0.000024", "0.0000025", "0.40"),
        (Rate.IDLE, "0.0000025", "0.0000025", "0"),
        (Rate.INSTANCE, "0.000018", "0.000002", "0"),
        (Rate.INSTANCE_MINIMUM, "0.000018", "0.000002", "0"),
        (Rate.WORKER, "0.000011244", "0.000001235", "0"),
        (Rate.WORKER_MINIMUM, "0.000011244", "0.000001235", "0"),
    ],
)
def test_prices_of_tier_1(rate: Rate, vcpu: str, gib: str, million: str) -> None:
    assert TARIFF.cost(HOME, used(rate, vcpu=1)).total == Fraction(vcpu)
    assert TARIFF.cost(HOME, used(rate, gib=1)).total == Fraction(gib)
    assert TARIFF.cost(HOME, used(rate, requests=1_000_000)).total == Fraction(million)


def test_tier_2_costs_more_and_a_region_that_nobody_knows_is_of_tier_1() -> None:
    assert TARIFF.cost("europe-west3", used(Rate.REQUEST, vcpu=1)).total == Fraction("0.0000336")
    assert TARIFF.cost("europe-west3", used(Rate.REQUEST, gib=1)).total == Fraction("0.0000035")
    assert TARIFF.tier("my-cellar") == TARIFF.tier(HOME) == "1"
    assert all(prices.keys() == set(Rate) for prices in TARIFF.tiers.values())


# Months, worked out by hand: what is used, what it costs, what the free tier takes off.
MONTHS = [
    # 10 million requests, one at a time, 200 ms each, 1 vCPU, 512 MiB: 2,000,000 vCPU-s, 1,000,000 GiB-s.
    (used(Rate.REQUEST, vcpu=2_000_000, gib=1_000_000, requests=10_000_000), "54.50", "4.32 + 0.90 + 0.80"),
    # 100,000 requests of 300 ms with 1 vCPU and 256 MiB: all of it is free.
    (used(Rate.REQUEST, vcpu=30_000, gib=7_500, requests=100_000), "0.77875", "0.77875"),
    # Exactly what is free.
    (used(Rate.REQUEST, vcpu=180_000, gib=360_000, requests=2_000_000), "6.02", "6.02"),
    (used(Rate.INSTANCE, vcpu=240_000, gib=450_000), "5.22", "5.22"),
    # One instance with 1 vCPU and 512 MiB, billed by instance, for 30 days.
    (used(Rate.INSTANCE, vcpu=2_592_000, gib=1_296_000), "49.248", "4.32 + 0.90"),
    # The same as a worker pool, which has no part in the free tier.
    (used(Rate.WORKER, vcpu=2_592_000, gib=1_296_000), "30.745008", "0"),
    # The same kept at rest by a minimum, likewise.
    (used(Rate.IDLE, vcpu=2_592_000, gib=1_296_000), "9.72", "0"),
    # A job: 1,000 tasks of 10 s with 2 vCPU and 4 GiB, billed for a minute each.
    (
        used(Rate.INSTANCE, vcpu=20_000, gib=40_000) | used(Rate.INSTANCE_MINIMUM, vcpu=100_000, gib=200_000),
        "2.64",
        "2.64",
    ),
    # CPU beyond the free tier does not use up what is free of memory.
    (used(Rate.REQUEST, vcpu=280_000, gib=1), "6.7200025", "4.3200025"),
]


@pytest.mark.parametrize(("month", "usd", "free"), MONTHS)
def test_a_month_to_the_unit(month: dict[Rate, Amount], usd: str, free: str) -> None:
    assert TARIFF.cost(HOME, month).total == Fraction(usd)
    assert TARIFF.discount([(HOME, month)]) == sum(Fraction(part) for part in free.split(" + "))


def test_the_free_tier_is_one_for_all_and_counts_money_at_the_prices_of_tier_1() -> None:
    half = used(Rate.REQUEST, vcpu=90_000)
    assert TARIFF.discount([(HOME, half), (HOME, half), (HOME, half)]) == Fraction("4.32")
    # In tier 2 the same money buys less.
    assert TARIFF.discount([("europe-west3", used(Rate.REQUEST, vcpu=180_000))]) == Fraction("4.32")
    assert TARIFF.cost("europe-west3", used(Rate.REQUEST, vcpu=180_000)).total == Fraction("6.048")


def test_a_fraction_is_only_rounded_when_it_is_printed() -> None:
    third = {Rate.REQUEST: Amount(100, 100 * 1000, 100 * (512 << 20), 1)}
    assert TARIFF.cost(HOME, third).total == Fraction("0.0000024") + Fraction("0.000000125") + Fraction("0.0000004")
    assert Decimal(str(float(TARIFF.cost(HOME, third).total))) == Decimal("0.000002925")
