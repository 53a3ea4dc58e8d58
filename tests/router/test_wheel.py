from __future__ import annotations

import asyncio

import pytest

from homerun.router.wheel import TICK, Wheel

pytestmark = pytest.mark.looptime


class Entry:
    def __init__(self, wheel: Wheel, deadline: float) -> None:
        self.visit = 0
        self.deadline = deadline
        self.checks: list[float] = []
        self.struck = 0.0
        wheel.add(self, deadline)

    def check(self, now: float) -> float | None:
        self.checks.append(now)
        if now < self.deadline:
            return self.deadline
        self.struck = now
        return None


def wheel() -> Wheel:
    loop = asyncio.get_running_loop()
    return Wheel(loop, loop.time)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_deadline_strikes_at_most_a_tick_late() -> None:
    start = now()
    turning = wheel()
    entries = [Entry(turning, start + 0.37 * n) for n in range(50)]
    await asyncio.sleep(30)
    for entry in entries:
        assert entry.deadline <= entry.struck <= entry.deadline + 2 * TICK
        assert len(entry.checks) == 1
    assert len(turning) == 0


async def test_a_deadline_moved_back_costs_nothing_until_the_old_one_comes() -> None:
    turning = wheel()
    entry = Entry(turning, now() + 10)
    for _ in range(9):
        await asyncio.sleep(1)
        entry.deadline = now() + 10
    assert entry.checks == []
    await asyncio.sleep(20)
    assert len(entry.checks) == 2 and entry.struck


async def test_a_deadline_moved_forward_is_added_anew() -> None:
    turning = wheel()
    start = now()
    entry = Entry(turning, start + 100)
    entry.deadline = start + 1
    turning.add(entry, entry.deadline)
    await asyncio.sleep(2)
    assert entry.struck
    await asyncio.sleep(200)
    assert len(entry.checks) == 1


async def test_what_is_removed_is_not_looked_at_and_an_empty_wheel_has_no_timer() -> None:
    turning = wheel()
    entries = [Entry(turning, now() + n) for n in (1, 1, 2)]
    for entry in reversed(entries):
        turning.remove(entry)
    assert turning._timer is None
    await asyncio.sleep(5)
    assert not any(entry.checks for entry in entries)
    turning.remove(entries[0])


async def test_one_timer_for_ten_thousand_entries() -> None:
    loop = asyncio.get_running_loop()
    timers: list[float] = []

    class Counting:
        def call_later(self, delay: float, callback: object, *rest: object) -> object:
            timers.append(delay)
            return loop.call_later(delay, callback, *rest)  # type: ignore[arg-type]

    turning = Wheel(Counting(), loop.time)  # type: ignore[arg-type]
    entries = [Entry(turning, now() + 5) for _ in range(10_000)]
    await asyncio.sleep(6)
    assert all(entry.struck for entry in entries)
    assert len(timers) == 1


async def test_an_entry_may_remove_others_while_the_wheel_turns() -> None:
    turning = wheel()

    class Killer(Entry):
        def check(self, now: float) -> float | None:
            turning.remove(victim)
            return None

    Killer(turning, now() + 1)
    victim = Entry(turning, now() + 1.5)
    await asyncio.sleep(3)
    assert not victim.checks
