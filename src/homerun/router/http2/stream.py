"""One stream: what may still be sent and received on it.

Towards us, what arrives counts as taken unless the stream is `held`: whoever passes it on cannot get rid of it at the
moment. Then the other end gets no more room than it has, and one window is all that is ever kept of a stream. From
us, what the other end gives no room for waits in `queue`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import StreamFault

if TYPE_CHECKING:
    from homerun.router.http2.connection import Connection


class Stream:
    __slots__ = ("connection", "ended", "held", "id", "last_block", "queue", "room", "sent_end", "taken", "window")

    def __init__(self, connection: Connection, id: int) -> None:
        self.connection = connection
        self.id = id
        self.window = connection.initial_window
        """Bytes that the other end has room for."""
        self.room = connection.stream_window
        """Bytes that it may send."""
        self.taken = 0
        """Bytes that are done with, and that it has not been told of yet."""
        self.held = False
        self.queue: deque[bytes] | None = None
        """What it has no room for yet. None: nothing."""
        self.last_block: bytes | None = None
        """The trailers that follow the queue; empty: its last piece ends the stream. None: more is to come."""
        self.ended = False
        """The other end has sent everything."""
        self.sent_end = False

    def __repr__(self) -> str:
        queued = sum(map(len, self.queue)) if self.queue else 0
        return f"<{type(self).__name__} {self.id}, {queued} queued, window {self.window}, room {self.room}>"

    # What happens on it

    def on_headers(self, block: bytes, end: bool) -> None:
        """Of an answer, or trailers."""
        raise NotImplementedError

    def on_data(self, data: bytes, end: bool) -> None:
        raise NotImplementedError

    def on_reset(self, code: int) -> None:
        """The other end wants no more of it, or the connection is lost."""
        raise NotImplementedError

    def on_fault(self, fault: StreamFault) -> None:
        """The other end has done something wrong on it, and it has been reset."""
        self.on_reset(fault.code)

    def on_room(self) -> None:
        """Everything that was queued has been sent."""
        raise NotImplementedError

    # What is done with it

    def hold(self, held: bool) -> None:
        """Whether what arrives cannot be passed on at the moment."""
        self.held = held
        if not held:
            self.give_room()

    def give_room(self) -> None:
        """Tell the other end when half of its window is free again."""
        if self.taken >= self.connection.stream_window >> 1 and not self.ended:
            self.connection.write(frames.window_update(self.id, self.taken))
            self.room += self.taken
            self.taken = 0
