"""Documents as bytes. Every implementation goes through here, so that all of them accept and return the same JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from homerun.lib.errors import Invalid
from homerun.store.base import Json

_decoder: msgspec.json.Decoder[Json] = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()


def encode(value: Mapping[str, Any] | Sequence[str]) -> bytes:
    """Raises Invalid for text that is no valid Unicode, TypeError for what JSON cannot hold."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise Invalid(f"{error.object[:100]!r} is no valid Unicode ({error.reason}): it cannot be stored") from None


def check_key(kind: str, name: str) -> None:
    for text in (kind, name):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Invalid(f"{text!r} is no valid Unicode ({error.reason}): it names no document") from None


def decode(data: bytes | str) -> Json:
    return _decoder.decode(data)


def copied(value: Mapping[str, Any]) -> Json:
    """What a reader would get back had `value` been written: independent of the caller's object."""
    return decode(encode(value))


def prefix_end(prefix: str) -> str | None:
    """The first name, bytewise, after all names that start with `prefix`; None when there is no such name."""
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return None
    following = ord(head[-1]) + 1
    # U+D800 to U+DFFF are no characters: UTF-8 goes from U+D7FF straight to U+E000.
    return head[:-1] + chr(0xE000 if following == 0xD800 else following)
