"""Lists in pages."""

import asyncio

import pytest

from homerun.apis.run.reads import get, listing, prefix_of
from homerun.lib.errors import NotFound
from homerun.store.base import Put
from homerun.store.memory import MemoryStore
from homerun.wire.paging import page

PREFIX = "projects/p/locations/l/services/"


async def store_of(count: int) -> MemoryStore:
    store = MemoryStore()
    await store.apply(*[Put("Service", f"{PREFIX}s{i:05d}", {"n": i}) for i in range(count)])
    return store


@pytest.mark.parametrize(("count", "size"), [(0, 3), (3, 3), (4, 3), (7, 3), (1700, 800)])
async def test_pages_hold_everything_once(count: int, size: int) -> None:
    store = await store_of(count)
    seen, token = [], ""
    while True:
        found = await listing(store, "Service", PREFIX, page("q", str(size), token), "q")
        assert len(found.documents) <= size
        seen += [document.body["n"] for document in found.documents]
        token = found.next_token
        if not token:
            break
        assert len(found.documents) == size
    assert seen == list(range(count))


async def test_what_is_not_kept_does_not_shorten_a_page() -> None:
    store = await store_of(1500)
    wanted = page("q", "3", "")
    found = await listing(store, "Service", PREFIX, wanted, "q", keep=lambda d: d.body["n"] % 400 == 399)
    assert [document.body["n"] for document in found.documents] == [399, 799, 1199]
    assert found.next_token == ""


async def test_a_page_stays_right_while_the_list_changes() -> None:
    store = await store_of(4)
    first = await listing(store, "Service", PREFIX, page("q", "2", ""), "q")
    await store.apply(Put("Service", f"{PREFIX}s00000a", {"n": -1}))
    second = await listing(store, "Service", PREFIX, page("q", "2", first.next_token), "q")
    assert [document.body["n"] for document in second.documents] == [2, 3]


@pytest.mark.parametrize(
    ("parent", "collection", "prefix"),
    [
        ("projects/p/locations/l", "services", "projects/p/locations/l/services/"),
        ("projects/p/locations/l/jobs/-", "executions", "projects/p/locations/l/jobs/"),
        ("projects/p/locations/l/jobs/-/executions/-", "tasks", "projects/p/locations/l/jobs/"),
        ("projects/p/locations/l/jobs/j/executions/-", "tasks", "projects/p/locations/l/jobs/j/executions/"),
    ],
)
def test_a_dash_stands_for_any(parent: str, collection: str, prefix: str) -> None:
    assert prefix_of(parent, collection) == prefix


async def test_what_is_being_deleted_is_not_found() -> None:
    store = MemoryStore()
    await store.apply(Put("Service", f"{PREFIX}s", {"deleteTime": "x"}))
    with pytest.raises(NotFound):
        await get(store, "Service", f"{PREFIX}s")


async def test_a_long_list_lets_others_have_their_turn() -> None:
    found = await listing(await store_of(1000), "Service", PREFIX, page("q", "1000", ""), "q")
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert len(await found.shown(lambda document: document.body["n"])) == 1000
    task.cancel()
    assert turns >= 10
