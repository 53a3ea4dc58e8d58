"""Entries as they come: the last ones, then each that arrives, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from homerun.apis.logging.following import AT_ONCE, PULSE, Batch, follow
from homerun.store.log_base import LogRow, Origin
from homerun.wire.filters import parse_filter
from tests.support.api import Api, Refused, api

pytestmark = pytest.mark.looptime

MINE = Origin("mine", "global", ())
TAIL = "/homerun/v1/projects/homerun/entries:tail"


class Follower:
    """Collects what comes, until it is stopped; `last` is what a client would remember."""

    def __init__(self, a: Api, filter: str = "", **more: Any) -> None:
        self.texts: list[str] = []
        self.batches: list[Batch] = []
        self.last: int | None = None
        batches = follow(a.world.control.logs, "homerun", parse_filter(filter), **more)
        self._task = asyncio.ensure_future(self._collect(batches))

    async def _collect(self, batches: Any) -> None:
        async for batch in batches:
            self.batches.append(batch)
            self.texts += [entry["textPayload"] for entry in batch.entries]
            self.last = batch.last

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def say(a: Api, *texts: str, time: int = 0, severity: int = 0) -> None:
    await a.world.control.logs.append("homerun", [LogRow(time, MINE, severity, text) for text in texts])


async def test_the_last_ones_and_then_what_comes_whatever_its_time() -> None:
    async with api() as a:
        await say(a, "1", "2", "3", time=50)
        follower = Follower(a, limit=2)
        await asyncio.sleep(0.1)
        assert follower.texts == ["2", "3"]
        await say(a, "late", time=7)
        await asyncio.sleep(0.1)
        await say(a, "4", "5", time=60)
        await asyncio.sleep(0.1)
        assert follower.texts == ["2", "3", "late", "4", "5"]
        await follower.stop()


async def test_who_comes_again_goes_on_behind_what_they_saw() -> None:
    async with api() as a:
        first = Follower(a)
        await asyncio.sleep(0.1)
        await say(a, "1")
        await asyncio.sleep(0.1)
        await first.stop()
        await say(a, *map(str, range(2, 3 * AT_ONCE)))
        second = Follower(a, after=first.last, limit=5)
        await asyncio.sleep(0.1)
        assert first.texts + second.texts == [str(number) for number in range(1, 3 * AT_ONCE)]
        await second.stop()


async def test_only_what_passes_the_filter_is_sent() -> None:
    async with api() as a:
        follower = Follower(a, "severity>=WARNING", limit=10)
        await asyncio.sleep(0.1)
        await say(a, "quiet")
        await say(a, "loud", severity=400)
        await asyncio.sleep(0.1)
        assert follower.texts == ["loud"]
        await say(a, "quiet")
        await asyncio.sleep(0.1)
        assert len(follower.batches) == 2
        await asyncio.sleep(PULSE)
        assert (follower.batches[-1], follower.last) == (Batch([], 3), 3)
        await follower.stop()


async def test_lines_of_containers_come_as_they_are_written() -> None:
    async with api() as a:
        follower = Follower(a, 'logName:"stdout"')
        await a.deploy("hello")
        await asyncio.sleep(0.1)
        assert follower.texts == ["listening"]
        await follower.stop()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({"filter": 7}, "filter"),
        ({"filter": "a ="}, "filter"),
        ({"limit": -1}, "limit"),
        ({"limit": True}, "limit"),
        ({"after": "x"}, "after"),
        ({"aftr": 1}, "aftr"),
    ],
)
async def test_what_is_wrong_is_named(body: Any, field: str) -> None:
    async with api() as a:
        with pytest.raises(Refused) as caught:
            await a("POST", TAIL, body)
        assert caught.value.fields == [field]
