"""Where in a client's bytes the request begins that another router is to get: only what can be cut out exactly there is
handed over.

Kept by connections to routers that share their port. Nothing is done for a request that comes in one piece and is
answered by its instance, as nearly all do.
"""

from __future__ import annotations

import asyncio


class Boundary:
    __slots__ = ("_begun", "_loop", "_mixed")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._begun: bytes | None = b""
        """The beginning of a head that is not complete yet. None: it came together with other things."""
        self._mixed = False
        """The bytes being parsed now have something of an earlier request in front."""

    def mix(self) -> None:
        """A request has ended within the bytes being parsed: one behind it cannot be cut out of them."""
        if not self._mixed:
            self._mixed = True
            self._loop.call_soon(self._unmix)

    def keep(self, data: bytes, *, first: bool, alone: bool) -> None:
        """A part of a head; `first`: it begins in it; `alone`: no other request is on the connection."""
        if first:
            self._begun = data if alone and not self._mixed else None
        elif self._begun is not None:
            self._begun += data

    def cut(self, data: bytes, *, whole: bool) -> bytes | None:
        """All bytes of the request whose head ends in `data`, from its first one on; None: nobody can tell them from
        those of others. `whole`: it begins in `data` as well."""
        if self._mixed:
            return None
        if whole:
            return data
        return self._begun + data if self._begun is not None else None

    def _unmix(self) -> None:
        self._mixed = False
