"""What every Vault promises, in memory or on disk. See homerun/store/vault.py."""

from pathlib import Path

import pytest

from homerun.lib.errors import Internal
from homerun.store.file_vault import FileVault
from homerun.store.memory_vault import MemoryVault
from homerun.store.vault import Vault
from homerun.wire.sealing import Sealer

ONE, TWO = "projects/p/secrets/s/versions/1", "projects/p/secrets/s/versions/2"


@pytest.fixture(params=["memory", "file"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    if request.param == "memory":
        return MemoryVault()
    return FileVault(tmp_path / "secrets", Sealer.load(Sealer.generate(), "keys"))


async def test_what_was_put_is_there(vault: Vault) -> None:
    await vault.open({})
    one, two = await vault.put(b"hunter2", ONE), await vault.put(bytes(range(256)), TWO)
    assert (await vault.get(one, ONE), await vault.get(two, TWO)) == (b"hunter2", bytes(range(256)))


async def test_a_payload_is_no_other_one(vault: Vault) -> None:
    id = await vault.put(b"hunter2", ONE)
    with pytest.raises(Internal):
        await vault.get(id, TWO)


async def test_what_was_destroyed_is_gone(vault: Vault) -> None:
    one, two = await vault.put(b"hunter2", ONE), await vault.put(b"hunter3", TWO)
    await vault.destroy(one)
    await vault.destroy(one, "never-there")
    await vault.destroy()
    with pytest.raises(Internal, match=f"payload of {ONE} is missing"):
        await vault.get(one, ONE)
    assert await vault.get(two, TWO) == b"hunter3"


async def test_at_the_start_what_no_document_holds_on_to_is_destroyed(vault: Vault) -> None:
    one, two = await vault.put(b"hunter2", ONE), await vault.put(b"hunter3", TWO)
    await vault.open({two: TWO})
    assert await vault.get(two, TWO) == b"hunter3"
    with pytest.raises(Internal):
        await vault.get(one, ONE)
