import asyncio

import pytest

from homerun.daemon.bills import bill, cost, pool_used, seconds, service_used, tasks_used
from homerun.model.container import Container, Containers
from tests.support.api import LOCATION, api

pytestmark = pytest.mark.looptime

HELLO = f"{LOCATION}/services/hello"
CREW = f"{LOCATION}/workerPools/crew"


async def test_what_runs_and_is_billed_by_instance_is_in_it_before_it_ends() -> None:
    async with api({}) as made:
        await made.deploy(
            containers=[{"image": "registry.test/hello:1", "resources": {"cpuIdle": False}}],
            scaling={"minInstanceCount": 1},
        )
        await made.deploy_pool()
        await asyncio.sleep(100)
        control = made.world.control
        assert 100 <= seconds(service_used(control, HELLO, control.capacity.groups)) < 105
        assert control.meter.totals(HELLO) == service_used(control, HELLO, ()) == {}
        assert 100 <= seconds(pool_used(control, CREW)) < 105
        assert pool_used(control, f"{LOCATION}/workerPools/other") == {}


async def test_a_bill_adds_up_and_says_whose_prices_these_are() -> None:
    async with api({}) as made:
        await made.deploy_pool()
        await asyncio.sleep(100)
        view = await bill(made.world.control, "2000-01-01", "2100-01-01", "kind", minimum=True)
        [row] = view["rows"]
        assert (row["name"], view["by"], view["currency"]) == ("WorkerPool", "kind", "USD")
        assert "Cloud Run" in view["prices"]
        assert view["usd"] == view["totalUsd"] == row["usd"] > 0 == view["freeTierUsd"]
        assert [month["usd"] for month in view["months"]] == [view["usd"]]
        used = cost(CREW, pool_used(made.world.control, CREW))
        assert used["usd"] == pytest.approx(row["usd"]) and used["idleSeconds"] == 0


def test_what_never_ran_used_nothing() -> None:
    assert tasks_used(Containers([Container("", "i", cpu=2, memory=1 << 30)]), [], now=0) == {}
