"""What it costs: prices by region and rate, and the free tier of each month. Exact: fractions, until somebody prints.

The free tier is what contract §6 calls a discount on spending: so much CPU, memory and so many requests as would cost,
at the prices of tier 1, are taken off each month's bill, all projects together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from homerun.core.billing import GIB, Amount, Rate

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a vCPU-second, a GiB-second, a million requests."""

    cpu: Fraction
    memory: Fraction
    requests: Fraction = Fraction(0)

    @classmethod
    def parse(cls, stored: Mapping[str, str]) -> Price:
        return cls(*(Fraction(stored.get(key, "0")) for key in ("vcpuSecond", "gibSecond", "millionRequests")))


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars."""

    cpu: Fraction = Fraction(0)
    memory: Fraction = Fraction(0)
    requests: Fraction = Fraction(0)

    @property
    def total(self) -> Fraction:
        return self.cpu + self.memory + self.requests

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu + other.cpu, self.memory + other.memory, self.requests + other.requests)

    def at_most(self, other: Cost) -> Cost:
        return Cost(min(self.cpu, other.cpu), min(self.memory, other.memory), min(self.requests, other.requests))


@dataclass(frozen=True, slots=True)
class Free:
    """For nothing each month: what `rates` cost together, up to the cost of `amount` at the first tier's `price`."""

    rates: tuple[Rate, ...]
    amount: Amount
    price: Price


@dataclass(frozen=True, slots=True)
class Tariff:
    """`tiers`: prices by tier and rate. `regions`: the tier of each region that is not in `otherwise`."""

    source: str
    tiers: Mapping[str, Mapping[Rate, Price]]
    regions: Mapping[str, str]
    otherwise: str
    free: tuple[Free, ...]

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Tariff:
        """The form of meter/prices.json."""
        tiers = {
            tier: {Rate(rate): Price.parse(price) for rate, price in prices.items()}
            for tier, prices in table["tiers"].items()
        }
        regions = {region: tier for tier, members in table["regions"].items() for region in members}
        first = tiers[table["otherwise"]]
        free = tuple(_free(each, first) for each in table["freeEachMonth"])
        return cls(table["source"], tiers, regions, table["otherwise"], free)

    def tier(self, region: str) -> str:
        return self.regions.get(region, self.otherwise)

    def price(self, region: str, rate: Rate) -> Price:
        return self.tiers[self.tier(region)][rate]

    def cost(self, region: str, used: Mapping[Rate, Amount]) -> Cost:
        return sum((cost(each, self.price(region, rate)) for rate, each in used.items()), Cost())

    def discount(self, month: Iterable[tuple[str, Mapping[Rate, Amount]]]) -> Fraction:
        """What the free tier takes off, of all that was used since the month began: by region, in any pieces."""
        pieces = list(month)
        off = Fraction(0)
        for free in self.free:
            spent = Cost()
            for region, used in pieces:
                spent += self.cost(region, {rate: each for rate, each in used.items() if rate in free.rates})
            off += spent.at_most(cost(free.amount, free.price)).total
        return off


def cost(used: Amount, price: Price) -> Cost:
    return Cost(
        Fraction(used.cpu, _MILLION) * price.cpu,
        Fraction(used.memory, GIB * 1000) * price.memory,
        Fraction(used.requests, _MILLION) * price.requests,
    )


def _free(stored: Mapping[str, Any], prices: Mapping[Rate, Price]) -> Free:
    rates = tuple(Rate(rate) for rate in stored["rates"])
    used = Amount(
        cpu=stored.get("vcpuSeconds", 0) * _MILLION,
        memory=stored.get("gibSeconds", 0) * GIB * 1000,
        requests=stored.get("requests", 0),
    )
    return Free(rates, used, prices[rates[0]])
