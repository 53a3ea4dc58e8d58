"""The contract is in tests/contract/test_vault.py; this is what only a vault in memory says."""

from homerun.store.memory_vault import MemoryVault


async def test_it_shows_how_many_there_are_and_none_of_them() -> None:
    vault = MemoryVault()
    await vault.put(b"hunter2", "projects/p/secrets/s/versions/1")
    assert repr(vault) == "<MemoryVault, 1 payloads>"
