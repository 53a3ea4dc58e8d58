"""Identifiers that nobody can guess and nobody mistakes for words."""

from __future__ import annotations

import secrets
import uuid

_ALNUM = "abcdefghijklmnopqrstuvwxyz0123456789"
_LETTERS = "bcdfghjklmnpqrstvwxz"


def suffix(length: int = 5) -> str:
    """Lowercase letters and digits, as in the name of an execution: `ingest-cn462`."""
    return "".join(secrets.choice(_ALNUM) for _ in range(length))


def consonants(length: int = 3) -> str:
    """Letters without vowels, as in the name of a revision: `hello-00001-xkc` (contract §4.1)."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def uid() -> str:
    return str(uuid.uuid4())


def uid_of(owner: str, part: str) -> str:
    """Always the same for the same part of the same owner, so that nobody has to remember it."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{owner}/{part}"))


def instance_id() -> str:
    """The long hex number that logs and the metadata server call an instance by."""
    return secrets.token_hex(16)
