"""Secrets whose time is over."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.api import Refused, api
from tests.support.control import SlowStore
from tests.support.secrets import Secrets

pytestmark = pytest.mark.looptime


async def test_a_secret_is_gone_with_all_that_it_holds_when_its_time_is_over() -> None:
    async with api() as a:
        secrets, control = Secrets(a), a.world.control
        made = await secrets.create("short", b"hunter2", ttl="3600s")
        await secrets.create("long", b"hunter3", ttl="864000s")
        assert made["expireTime"] > made["createTime"] and "ttl" not in made
        await asyncio.sleep(3599)
        assert await secrets.read("short") == b"hunter2"
        await asyncio.sleep(2)
        with pytest.raises(Refused, match="404 NOT_FOUND"):
            await secrets.read("short")
        await a.world.until(lambda: repr(control.vault) == "<MemoryVault, 1 payloads>")
        assert [d.name for d in await a.world.store.list("Secret")] == ["projects/homerun/secrets/long"]
        await asyncio.sleep(11 * 86400)
        assert await a.world.store.list("Secret") == []


async def test_its_end_can_be_put_off_and_taken_back() -> None:
    async with api() as a:
        secrets = Secrets(a)
        first = await secrets.create("db", b"hunter2", ttl="3600s")
        later = await secrets("PATCH", "secrets/db?updateMask=ttl", {"ttl": "7200s"})
        assert later["expireTime"] > first["expireTime"]
        await asyncio.sleep(3700)
        assert await secrets.read("db") == b"hunter2"
        assert "expireTime" not in await secrets("PATCH", "secrets/db?updateMask=expireTime", {})
        await asyncio.sleep(86400)
        assert await secrets.read("db") == b"hunter2"


async def test_what_expired_while_nobody_watched_is_gone_after_the_start() -> None:
    store = SlowStore()
    async with api(store=store) as a:
        await Secrets(a).create("db", b"hunter2", ttl="3600s")
    await asyncio.sleep(4000)
    async with api(store=store) as a:
        with pytest.raises(Refused, match="404 NOT_FOUND"):
            await Secrets(a)("GET", "secrets/db")
        assert await Secrets(a)("GET", "secrets") == {"secrets": [], "totalSize": 0}

        async def gone() -> bool:
            return not await store.list("Secret")

        await a.world.until(gone)


async def test_the_name_of_one_that_has_just_expired_is_free() -> None:
    async with api() as a:
        secrets = Secrets(a)
        await secrets.create("db", b"hunter2", ttl="3600s")
        await a.world.control.loops[-1].close()
        await asyncio.sleep(3600)
        await secrets.create("db", b"hunter3")
        assert await secrets.read("db") == b"hunter3"
        assert repr(a.world.control.vault) == "<MemoryVault, 1 payloads>"
