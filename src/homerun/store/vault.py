"""The Vault port: payloads of secrets, kept apart from the documents that describe them.

Documents are watched, listed, kept in memory and written over in place of being erased; a payload must have none of
that. A document holds the id that the vault gave its payload, and the vault holds the bytes: sealed, never shown, and
gone for good when they are destroyed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Cipher(Protocol):
    """How payloads are sealed. `context` names what one is: sealed as one thing, it does not open as another."""

    def seal(self, payload: bytes, context: str) -> bytes: ...

    def open(self, sealed: bytes, context: str) -> bytes:
        """Raises FailedPrecondition when the key is missing, Internal when it is damaged."""
        ...

    def current(self, sealed: bytes) -> bool:
        """Sealed as `seal` would today. Raises FailedPrecondition when the key is missing."""
        ...


class Vault(Protocol):
    async def open(self, kept: Mapping[str, str]) -> None:
        """Before anything else. `kept`: the context of each payload that a document holds on to, by id. All others are
        destroyed: a crash came between them and their documents. Raises FailedPrecondition when the key is missing."""
        ...

    async def put(self, payload: bytes, context: str) -> str:
        """Its id; durable when this returns."""
        ...

    async def get(self, id: str, context: str) -> bytes:
        """Raises Internal when it is not there or damaged."""
        ...

    async def destroy(self, *ids: str) -> None:
        """Nothing is left of these when this returns. Unknown: no error."""
        ...


def lost(context: str) -> str:
    """What there is to say of a payload that is not where it should be."""
    return (
        f"the stored payload of {context} is missing: restore the folder of the secrets from a copy, or destroy the "
        "version and add a new one"
    )
