"""A secret goes with everything that belongs to it, and with nothing else."""

import pytest

from homerun.store.base import Conflict, Document, Put
from homerun.store.erasing import erase, payloads
from homerun.store.memory import MemoryStore
from homerun.store.memory_vault import MemoryVault

NAME = "projects/p/secrets/db"


async def stored(store: MemoryStore, vault: MemoryVault, name: str = NAME) -> Document:
    version = f"{name}/versions/1"
    id = await vault.put(b"hunter2", version)
    secret, *_ = await store.apply(
        Put("Secret", name, {}),
        Put("SecretVersion", version, {"state": "ENABLED"}, {"payload": id}),
        Put("SecretVersion", f"{name}/versions/2", {"state": "DESTROYED"}),
        Put("Policy", name, {}),
    )
    return secret


async def test_documents_and_payloads_are_gone() -> None:
    store, vault = MemoryStore(), MemoryVault()
    secret, other = await stored(store, vault), await stored(store, vault, f"{NAME}-2")
    await erase(store, vault, secret)
    assert [d.name for kind in ("Secret", "Policy") for d in await store.list(kind)] == [other.name, other.name]
    left = await store.list("SecretVersion")
    assert [d.name for d in left] == [f"{other.name}/versions/1", f"{other.name}/versions/2"]
    assert repr(vault) == "<MemoryVault, 1 payloads>"
    assert list(payloads(left).values()) == [f"{other.name}/versions/1"]


async def test_one_that_somebody_has_changed_stays() -> None:
    store, vault = MemoryStore(), MemoryVault()
    secret = await stored(store, vault)
    await store.apply(Put("Secret", NAME, {"labels": {"a": "b"}}))
    with pytest.raises(Conflict):
        await erase(store, vault, secret)
    assert repr(vault) == "<MemoryVault, 1 payloads>" and await store.count("SecretVersion") == 2


async def test_a_version_that_is_switched_meanwhile_does_not_stop_it() -> None:
    class Busy(MemoryStore):
        async def list(self, kind: str, **selection: object) -> list[Document]:  # type: ignore[override]
            found = list(await super().list(kind, **selection))  # type: ignore[arg-type]
            if not self.switched:
                self.switched = True
                await self.apply(Put(kind, found[0].name, {"state": "DISABLED"}, found[0].internal))
            return found

        switched = False

    store, vault = Busy(), MemoryVault()
    await erase(store, vault, await stored(store, vault))
    assert (await store.count("SecretVersion"), repr(vault)) == (0, "<MemoryVault, 0 payloads>")
