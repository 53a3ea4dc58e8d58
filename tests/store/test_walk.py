"""All documents, a page at a time."""

import pytest

from homerun.store.base import Put
from homerun.store.memory import MemoryStore
from homerun.store.walk import walk


@pytest.mark.parametrize("number", [0, 2, 3, 7])
async def test_all_come_in_order_whatever_fits_into_a_page(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr("homerun.store.walk.PAGE", 3)
    store = MemoryStore()
    names = [f"a/{index}" for index in range(number)]
    await store.apply(*(Put("Thing", name, {}) for name in ("b/0", *names)))
    assert [document.name async for document in walk(store, "Thing", prefix="a/")] == names
    assert [document.name async for document in walk(store, "Thing", after="a/0")] == [*names[1:], "b/0"]
    assert [document async for document in walk(store, "Other")] == []
