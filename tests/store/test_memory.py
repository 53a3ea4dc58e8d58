"""MemoryStore: what the contract suite does not say."""

from homerun.store.base import Delete, Put
from homerun.store.memory import MemoryStore


async def test_repr_counts_what_is_there() -> None:
    store = MemoryStore()
    await store.apply(Put("A", "x", {}), Put("B", "y", {}), Delete("A", "x"))
    assert repr(store) == "<MemoryStore at version 3, 1 documents>"
