"""HighWater: sleep until a number has risen."""

import asyncio

import pytest

from homerun.aio.highwater import HighWater
from homerun.aio.tasks import Supervisor

pytestmark = pytest.mark.looptime


async def test_what_has_risen_already_is_not_waited_for() -> None:
    assert await HighWater(5).beyond(4)


async def test_waiters_wake_when_their_own_mark_is_passed() -> None:
    mark = HighWater()
    woken: list[int] = []

    async def wait(value: int) -> None:
        await mark.beyond(value)
        woken.append(value)

    async with Supervisor() as tasks:
        for value in (0, 1, 5):
            tasks.spawn(wait(value), name=f"beyond {value}")
        await asyncio.sleep(1)
        assert repr(mark) == "<HighWater 0, 3 waiting>"
        mark.rise(2)
        await asyncio.sleep(1)
        assert sorted(woken) == [0, 1]
        mark.rise(6)
        await asyncio.sleep(1)
        assert sorted(woken) == [0, 1, 5]
    assert repr(mark) == "<HighWater 6, 0 waiting>"


async def test_it_never_falls() -> None:
    mark = HighWater(7)
    mark.rise(3)
    assert mark.value == 7


async def test_close_ends_every_wait_and_all_later_ones() -> None:
    mark = HighWater()
    async with Supervisor() as tasks:
        waiting = tasks.spawn(mark.beyond(0), name="waiting")
        await asyncio.sleep(1)
        mark.close()
        assert await waiting is False
    mark.rise(9)
    assert await mark.beyond(0) is False


async def test_a_cancelled_waiter_is_forgotten() -> None:
    mark = HighWater()
    async with Supervisor() as tasks:
        waiting = tasks.spawn(mark.beyond(0), name="waiting")
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.sleep(1)
    assert repr(mark) == "<HighWater 0, 0 waiting>"
