"""What a service has cost up to now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from homerun.controllers.capacity import Group
from homerun.meter.meter import Totals

if TYPE_CHECKING:
    from homerun.daemon.control import Control


def service_totals(control: Control, service: str, groups: Iterable[Group]) -> Totals:
    """`groups`: those of its revisions. With what is running and billed by instance, which is on nobody's bill yet."""
    totals, now = replace(control.meter.totals(service)), control.clock.mono()
    for group in groups:
        lives = [now - one.created for one in group.fleet.instances.values() if one.ready_at is not None]
        totals.add(control.meter.running(group.spec, lives))
    return totals
