"""A bill over a span of days, from what each service, job and worker pool used on each day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from homerun.core.billing import Used, merge, without_minimum
from homerun.core.tariff import Tariff
from homerun.lib.errors import Invalid
from homerun.model.names import Name

OTHERS = "others"
"""The row of what a bill by service, say, has no row of its own for."""


@dataclass(frozen=True, slots=True)
class Line:
    """What `owner` (the full name of a service, job or worker pool) used on a day."""

    day: str
    owner: str
    used: Used


@dataclass(slots=True)
class Row:
    """Before the free tier."""

    key: str
    used: Used = field(default_factory=dict)
    usd: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Month:
    """What of the bill is in one month, which has a free tier of its own. `free`: what that took off."""

    month: str
    usd: Fraction
    free: Fraction


@dataclass(frozen=True, slots=True)
class Invoice:
    rows: list[Row]
    months: list[Month]

    @property
    def usd(self) -> Fraction:
        return sum((row.usd for row in self.rows), Fraction(0))

    @property
    def free(self) -> Fraction:
        return sum((month.free for month in self.months), Fraction(0))


def _only(kind: str) -> Callable[[Line], str]:
    return lambda line: line.owner if Name.parse(line.owner).kind == kind else OTHERS


BY: dict[str, Callable[[Line], str]] = {
    "resource": lambda line: line.owner,
    "service": _only("Service"),
    "job": _only("Job"),
    "worker-pool": _only("WorkerPool"),
    "kind": lambda line: Name.parse(line.owner).kind,
    "project": lambda line: Name.parse(line.owner).project,
    "region": lambda line: Name.parse(line.owner).location,
    "day": lambda line: line.day,
    "month": lambda line: line.day[:7],
}
"""What a row may stand for."""
IN_TIME = ("day", "month")
"""Those whose rows are in order of time; of the others the dearest comes first."""


def invoice(lines: Iterable[Line], tariff: Tariff, since: str, until: str, by: str, *, minimum: bool = True) -> Invoice:
    """Days from `since` to before `until`. `lines` begin with the month of `since`: what was used in it before is not
    on this bill, but has had its part of the free tier. `minimum`: with the first minute of each instance in full."""
    rows: dict[str, Row] = {}
    months: dict[str, list[Line]] = {}
    for line in lines:
        if line.day >= until:
            continue
        used = line.used if minimum else without_minimum(line.used)
        months.setdefault(line.day[:7], []).append(Line(line.day, line.owner, used))
        if line.day >= since:
            key = BY[by](line)
            row = rows.setdefault(key, Row(key))
            merge(row.used, used)
            row.usd += tariff.cost(_region(line), used).total
    ordered = sorted(rows.values(), key=lambda row: row.key)
    if by not in IN_TIME:
        ordered.sort(key=lambda row: (row.key == OTHERS, -row.usd))
    found = [_month(month, tariff, months[month], since) for month in sorted(months) if month >= since[:7]]
    return Invoice(ordered, found)


def _month(month: str, tariff: Tariff, lines: list[Line], since: str) -> Month:
    """The discount up to the end of the bill, less what had been given before it."""
    inside = [(_region(line), line.used) for line in lines if line.day >= since]
    before = [(_region(line), line.used) for line in lines if line.day < since]
    usd = sum((tariff.cost(region, used).total for region, used in inside), Fraction(0))
    return Month(month, usd, tariff.discount([*before, *inside]) - tariff.discount(before))


def _region(line: Line) -> str:
    return Name.parse(line.owner).location


def span_of(since: str, until: str, today: str) -> tuple[str, str]:
    """From a day to before another. Empty: from the first of this month, to the end of today. Raises Invalid."""
    first, last = _date("since", since or f"{today[:7]}-01"), date.fromisoformat(today) + timedelta(days=1)
    end = _date("until", until) if until else max(last, first + timedelta(days=1))
    if first >= end:
        raise Invalid.field("until", f"{end} is not after {first}: it is the first day that is not on the bill")
    return first.isoformat(), end.isoformat()


def _date(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid.field(field, f"{text!r} is no day of the form 2026-12-01") from None
