"""A secret is deleted: its documents first, in one transaction, then the payloads that nobody holds on to any more.

A crash in between leaves payloads without a document, which are destroyed at the next start (Vault.open).
"""

from __future__ import annotations

from collections.abc import Iterable

from homerun.store.base import Conflict, Delete, Document, Store
from homerun.store.vault import Vault


async def erase(store: Store, vault: Vault, secret: Document) -> None:
    """With its versions and its policy; payloads are gone for good when this returns. Unless somebody else changed it
    meanwhile it is gone. Raises Conflict."""
    while True:
        versions = await store.list("SecretVersion", prefix=f"{secret.name}/versions/")
        gone = [Delete("SecretVersion", version.name, if_version=version.version) for version in versions]
        try:
            await store.apply(
                Delete("Secret", secret.name, if_version=secret.version), Delete("Policy", secret.name), *gone
            )
        except Conflict as conflict:
            if conflict.kind == "Secret":
                raise
            continue  # a version was switched or destroyed at the same time
        await vault.destroy(*payloads(versions))
        return


def payloads(versions: Iterable[Document]) -> dict[str, str]:
    """The contexts of the payloads that these versions hold on to, by id: destroyed ones have none."""
    return {version.internal["payload"]: version.name for version in versions if version.internal.get("payload")}
