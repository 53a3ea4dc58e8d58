"""Projects, and waiting for a document."""

import asyncio

import pytest

from homerun.apis.server import create_backend
from homerun.lib.errors import Invalid
from homerun.settings import Settings
from homerun.store.base import Delete, Document, Put
from homerun.store.memory import MemoryStore
from tests.support.clock import LoopClock

pytestmark = pytest.mark.looptime


def done(document: Document | None) -> bool:
    return document is None or document.body.get("done", False)


async def test_a_number_leads_to_its_project_once_it_was_used() -> None:
    store = MemoryStore()
    backend = create_backend(store, LoopClock(), Settings())
    number = backend.projects.number_of("mine")
    assert await backend.project_id(number) == number
    await backend.remember("mine")
    await backend.remember("mine")
    assert await backend.project_id(number) == "mine"
    restarted = create_backend(store, LoopClock(), Settings())
    assert await restarted.project_id(number) == "mine"
    await restarted.remember("mine")


async def test_the_default_project_is_known_by_both() -> None:
    backend = create_backend(MemoryStore(), LoopClock(), Settings())
    assert await backend.project_id("100000000001") == await backend.project_id("homerun") == "homerun"
    with pytest.raises(Invalid):
        await backend.project_id("No Project")


async def test_it_waits_for_the_write_that_settles_a_document() -> None:
    store = MemoryStore()
    backend = create_backend(store, LoopClock(), Settings())
    await store.apply(Put("Operation", "mine", {}), Put("Operation", "other", {}))
    loop = asyncio.get_running_loop()
    loop.call_later(5, lambda: asyncio.ensure_future(store.apply(Put("Operation", "other", {"done": True}))))
    loop.call_later(7, lambda: asyncio.ensure_future(store.apply(Put("Operation", "mine", {"done": True}))))
    found = await backend.until("Operation", "mine", done, 30)
    assert found is not None
    assert found.body == {"done": True}
    assert 7 <= loop.time() < 8


async def test_what_is_settled_or_never_will_be_is_returned_as_it_is() -> None:
    store = MemoryStore()
    backend = create_backend(store, LoopClock(), Settings())
    assert await backend.until("Operation", "none", done, 30) is None
    await store.apply(Put("Operation", "mine", {}))
    found = await backend.until("Operation", "mine", done, 30)
    assert found is not None
    assert found.body == {}
    assert 30 <= asyncio.get_running_loop().time() < 31


async def test_a_document_that_goes_is_settled_too() -> None:
    store = MemoryStore()
    backend = create_backend(store, LoopClock(), Settings())
    await store.apply(Put("Operation", "mine", {}))
    asyncio.get_running_loop().call_later(1, lambda: asyncio.ensure_future(store.apply(Delete("Operation", "mine"))))
    assert await backend.until("Operation", "mine", done, 30) is None
