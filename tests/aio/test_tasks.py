"""Supervisor: named, kept, never failing unnoticed."""

import asyncio
import logging

import pytest

from homerun.aio.tasks import Supervisor

pytestmark = pytest.mark.looptime


async def test_a_crash_is_reported_with_its_name_and_leaves_the_siblings_alone() -> None:
    crashes: list[tuple[str, BaseException]] = []
    async with Supervisor(lambda name, error: crashes.append((name, error))) as tasks:
        error = ValueError("boom")

        async def crash() -> None:
            raise error

        sibling = tasks.spawn(asyncio.sleep(5, "fine"), name="sibling")
        tasks.spawn(crash(), name="crasher")
        assert await sibling == "fine"
    assert crashes == [("crasher", error)]


async def test_without_a_callback_a_crash_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def crash() -> None:
        raise ValueError("boom")

    async with Supervisor() as tasks:
        tasks.spawn(crash(), name="crasher")
        await asyncio.sleep(0.1)
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "task crasher crashed")
    assert record.exc_info is not None and "boom" in str(record.exc_info[1])


async def test_close_waits_until_tasks_have_really_ended() -> None:
    ended: list[float] = []

    async def slow_to_leave() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(3)
            ended.append(asyncio.get_running_loop().time())

    tasks = Supervisor()
    tasks.spawn(slow_to_leave(), name="slow")
    await asyncio.sleep(1)
    await tasks.close()
    assert ended == [4]
    assert len(tasks) == 0


async def test_a_crash_while_closing_is_reported_too() -> None:
    crashes: list[str] = []

    async def crash_on_the_way_out() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            raise OSError("no space to say goodbye")

    tasks = Supervisor(lambda name, _: crashes.append(name))
    tasks.spawn(crash_on_the_way_out(), name="messy")
    await asyncio.sleep(0)
    await tasks.close()
    assert crashes == ["messy"]


async def test_a_task_may_close_its_own_supervisor() -> None:
    tasks = Supervisor()
    other = tasks.spawn(asyncio.sleep(1000), name="other")
    closer = tasks.spawn(tasks.close(), name="closer")
    await closer
    assert other.cancelled()


async def test_nothing_starts_after_close() -> None:
    tasks = Supervisor()
    await tasks.close()
    with pytest.raises(RuntimeError, match="cannot start task late: its supervisor is closed"):
        tasks.spawn(asyncio.sleep(1), name="late")


async def test_cancelling_one_task_is_no_crash() -> None:
    crashes: list[str] = []
    async with Supervisor(lambda name, _: crashes.append(name)) as tasks:
        tasks.spawn(asyncio.sleep(1000), name="one").cancel()
        await asyncio.sleep(1)
        assert len(tasks) == 0
    assert crashes == []


async def test_repr_names_the_tasks() -> None:
    tasks = Supervisor()
    tasks.spawn(asyncio.sleep(9), name="b")
    tasks.spawn(asyncio.sleep(9), name="a")
    assert repr(tasks) == "<Supervisor open: a, b>"
    await tasks.close()
    assert repr(tasks) == "<Supervisor closed: no tasks>"
