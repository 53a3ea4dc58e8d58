"""Payloads of secrets as they lie on disk: AES-256-GCM under a key from a file of its own.

The file is text, a key in base64 on each line, as `openssl rand -base64 32` prints one. The first one seals, all of
them open. So a key is changed by putting a new one in front: at the next start everything is sealed anew, and the old
one can go. A sealed payload says which key it needs, and opens only as what it was sealed as (`context`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homerun.lib.errors import FailedPrecondition, Internal

_MAGIC = b"hrs1"
_ID, _NONCE, _KEY = 8, 12, 32
_HEAD = len(_MAGIC) + _ID + _NONCE


class Sealer:
    """`where`: where the keys are from, for those who must repair something."""

    def __init__(self, keys: Sequence[bytes], where: str) -> None:
        self._where = where
        self._ids = [_id(key) for key in keys]
        self._ciphers = {_id(key): AESGCM(key) for key in keys}

    def __repr__(self) -> str:
        return f"<Sealer {', '.join(id.hex() for id in self._ids)}>"

    @staticmethod
    def generate() -> bytes:
        """The content of a new key file."""
        return base64.b64encode(os.urandom(_KEY)) + b"\n"

    @classmethod
    def load(cls, content: bytes, where: str) -> Sealer:
        """`where`: what to call it when it is damaged. Raises FailedPrecondition."""
        lines = [line.strip() for line in content.splitlines()]
        lines = [line for line in lines if line and not line.startswith(b"#")]
        try:
            keys = [base64.b64decode(line, validate=True) for line in lines]
        except (binascii.Error, ValueError):
            keys = []
        if not keys or any(len(key) != _KEY for key in keys):
            raise FailedPrecondition(
                f"{where} holds no keys that can be read: each line must be {_KEY} bytes in base64, as from "
                f"`openssl rand -base64 {_KEY}`. Put back a copy: without its key no secret can be read"
            )
        return cls(keys, where)

    def seal(self, payload: bytes, context: str) -> bytes:
        """By the newest key."""
        id, nonce = self._ids[0], os.urandom(_NONCE)
        return _MAGIC + id + nonce + self._ciphers[id].encrypt(nonce, payload, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Raises FailedPrecondition when its key is missing, Internal when it is damaged."""
        self.current(sealed)
        nonce = sealed[len(_MAGIC) + _ID : _HEAD]
        try:
            return self._ciphers[_key_of(sealed)].decrypt(nonce, sealed[_HEAD:], context.encode())
        except InvalidTag:
            raise Internal(
                f"the stored payload of {context} is damaged, or is that of another secret: restore a copy of it, or "
                "destroy the version and add a new one"
            ) from None

    def current(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it. Raises FailedPrecondition when none of the keys did."""
        id = _key_of(sealed)
        if id not in self._ciphers:
            raise FailedPrecondition(
                f"secrets were sealed with a key ({id.hex() or 'unreadable'}) that is not in {self._where}: put the "
                "file back that was used before, or its key on a line below the others (--secrets-key names the file)"
            )
        return id == self._ids[0]


def _id(key: bytes) -> bytes:
    return hashlib.sha256(b"homerun secrets key" + key).digest()[:_ID]


def _key_of(sealed: bytes) -> bytes:
    return sealed[len(_MAGIC) : len(_MAGIC) + _ID] if sealed.startswith(_MAGIC) else b""
