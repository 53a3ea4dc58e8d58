"""What services, jobs and worker pools have cost up to now: what is on the books, and what is running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from homerun.apis.homerun.insight import BillRow, BillView, Cost, UsedView
from homerun.controllers import crews
from homerun.controllers.group import Group
from homerun.core.billed import Billed
from homerun.core.billing import ByDay, Rate, Size, Used, book_tasks, gather, merge_days, total
from homerun.core.invoice import Invoice, Line, Row, invoice
from homerun.core.task import Task
from homerun.meter.prices import prices
from homerun.model.container import Containers
from homerun.model.names import Name

if TYPE_CHECKING:
    from homerun.daemon.control import Control

FREE_TIER = "Before the free tier."


def service_used(control: Control, service: str, groups: Iterable[Group]) -> Used:
    """Of all time; `groups`: those of its revisions."""
    used = control.meter.totals(service)
    for group in groups:
        gather(used, _serving(control, group))
    return used


def pool_used(control: Control, pool: str) -> Used:
    used, group = control.meter.totals(pool), control.crews.group(pool)
    if group is not None:
        gather(used, _working(control, group))
    return used


def tasks_used(containers: Containers, tasks: Iterable[Task], now: float) -> Used:
    days: ByDay = {}
    book_tasks(days, Size.of(containers.cpu, containers.memory), tasks, now)
    used: Used = {}
    gather(used, days)
    return used


async def bill(control: Control, since: str, until: str, by: str, *, minimum: bool) -> BillView:
    """Days from `since` to before `until`."""
    lines = [*await control.meter.lines(since, until), *_running(control, since[:7], until)]
    return _view(invoice(lines, prices(), since, until, by, minimum=minimum), since, until, by)


def cost(name: str, used: Used) -> Cost:
    """Of something whose name begins with a location."""
    usd = prices().cost(Name.parse(name).location, used).total
    return {**_used(used), "usd": float(usd), "freeTierNote": FREE_TIER}


def seconds(used: Used) -> float:
    """Billed, but for those of instances at rest that a minimum keeps."""
    return (total(used).ms - _idle(used)) / 1000


def _running(control: Control, since: str, until: str) -> Iterator[Line]:
    days: dict[str, ByDay] = {}
    for group in control.capacity.groups:
        merge_days(days.setdefault(group.spec.service, {}), _serving(control, group))
    for pool in control.crews.groups:
        merge_days(days.setdefault(pool.pool, {}), _working(control, pool))
    now = control.clock.now()
    for spec, machine in control.executions.unfinished():
        # Of one that has ended a Charge is on its way to the books, or there.
        if not machine.ended:
            size = Size.of(spec.containers.cpu, spec.containers.memory)
            book_tasks(days.setdefault(spec.job, {}), size, machine.tasks, now)
    for owner, found in days.items():
        for day, used in found.items():
            if since <= day < until:
                yield Line(day, owner, used)


def _serving(control: Control, group: Group) -> ByDay:
    lives = [control.capacity.life(group, instance) for instance in group.fleet.instances.values()]
    return control.meter.running(Billed.of(group.spec), lives)


def _working(control: Control, group: crews.Group) -> ByDay:
    days: ByDay = {}
    for id, instance in group.crew.instances.items():
        if (known := group.specs.get(group.crew.revision_of[id])) is not None:
            merge_days(days, control.meter.running(Billed.of(known[0]), [control.crews.life(instance)]))
    return days


def _view(made: Invoice, since: str, until: str, by: str) -> BillView:
    return {
        "since": since,
        "until": until,
        "by": by,
        "currency": "USD",
        "prices": prices().source,
        "rows": [_row(row) for row in made.rows],
        "months": [
            {"month": each.month, "usd": float(each.usd), "freeTierUsd": float(each.free),
             "totalUsd": float(each.usd - each.free)}
            for each in made.months
        ],
        "usd": float(made.usd),
        "freeTierUsd": float(made.free),
        "totalUsd": float(made.usd - made.free),
    }  # fmt: skip


def _row(row: Row) -> BillRow:
    return {"name": row.key, **_used(row.used), "usd": float(row.usd)}


def _used(used: Used) -> UsedView:
    sums = total(used)
    return {
        "vcpuSeconds": sums.vcpu_seconds,
        "gibSeconds": sums.gib_seconds,
        "requests": sums.requests,
        "billableSeconds": seconds(used),
        "idleSeconds": _idle(used) / 1000,
    }


def _idle(used: Used) -> int:
    return used[Rate.IDLE].ms if Rate.IDLE in used else 0
