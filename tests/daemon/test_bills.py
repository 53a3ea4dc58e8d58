import asyncio

import pytest

from homerun.daemon.bills import service_totals
from tests.support.api import LOCATION, api

pytestmark = pytest.mark.looptime

HELLO = f"{LOCATION}/services/hello"


async def test_what_runs_and_is_billed_by_instance_is_in_it_before_it_ends() -> None:
    async with api({}) as made:
        await made.deploy(
            containers=[{"image": "registry.test/hello:1", "resources": {"cpuIdle": False}}],
            scaling={"minInstanceCount": 1},
        )
        await asyncio.sleep(30)
        control = made.world.control
        totals = service_totals(control, HELLO, control.capacity.groups)
        assert 30 <= totals.seconds < 35
        assert service_totals(control, HELLO, ()).seconds == control.meter.totals(HELLO).seconds == 0
