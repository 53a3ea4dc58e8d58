"""Page tokens: the name after which the next page starts, so that pages stay right while the list changes.

A token is bound to the list that it was given for; another list's is refused rather than answered with nonsense.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from homerun.lib.errors import Invalid
from homerun.model.limits import DEFAULT_PAGE, MAX_PAGE


@dataclass(frozen=True, slots=True)
class Page:
    size: int
    after: str


def page(query: str, size: str, token: str, *, size_field: str = "pageSize", token_field: str = "pageToken") -> Page:
    """`query` identifies the list (its parent and selector); `size` and `token` are as the client sent them."""
    return Page(_size(size, size_field), _after(query, token, token_field) if token else "")


def next_token(query: str, last: str) -> str:
    """`last`: the name that the page ended with."""
    return base64.urlsafe_b64encode(f"{_mark(query)}{last}".encode()).decode().rstrip("=")


def _size(text: str, field: str) -> int:
    try:
        size = int(text or 0)
    except ValueError:
        raise Invalid.field(field, f"must be a whole number, not {text!r}") from None
    if size < 0:
        raise Invalid.field(field, f"must not be negative, and is {size}")
    return min(size, MAX_PAGE) if size else DEFAULT_PAGE


def _after(query: str, token: str, field: str) -> str:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    mark = _mark(query)
    if not text.startswith(mark):
        raise Invalid.field(
            field, "is no token of this list: send the one that its last page gave, with the same query"
        )
    return text[len(mark) :]


def _mark(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:8]
