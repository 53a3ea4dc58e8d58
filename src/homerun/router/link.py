"""The router's end of the link to control. While control is away the router serves what it knows, and tries to reach
it again; what it would have said meanwhile is lost, except for what the Hello repeats and the last logs of requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from homerun.wire import link
from homerun.wire.link import FrameDecoder, Hello, InstanceDrained, RequestLog, ToControl, ToRouter

_log = logging.getLogger("homerun.router")

_FIRST_DELAY, _LAST_DELAY = 0.05, 0.25
_NOT_SOON = 1.5
"""Seconds without control that are worth a warning: it starts when we do."""
_BACKLOG = 16 << 20
"""Bytes that control may leave unread before the logs of requests are dropped."""
_KEPT = 10_000
"""Logs of requests that wait for control while it is away."""


class ControlLink(asyncio.Protocol):
    def __init__(self, path: Path, hello: Callable[[], Hello], apply: Callable[[ToRouter], None]) -> None:
        self._path, self._hello, self._apply = path, hello, apply
        self._frames = FrameDecoder()
        self._transport: asyncio.WriteTransport | None = None
        self._told = False
        """Control has said what it knows, which is the first thing that it says."""
        self._lost = asyncio.Event()
        self._kept: deque[RequestLog] = deque(maxlen=_KEPT)
        """What control has not heard of while it is away."""
        self.dropped = 0
        """Request logs that control had no time for."""

    def __repr__(self) -> str:
        return f"<ControlLink {self._path} {'up' if self._transport else 'down'}>"

    async def run(self) -> None:
        """Connect, for ever again."""
        delay = absent = 0.0
        while True:
            await asyncio.sleep(delay)
            try:
                await asyncio.get_running_loop().create_unix_connection(lambda: self, str(self._path))
            except OSError as error:
                delay = min(max(_FIRST_DELAY, 2 * delay), _LAST_DELAY)
                if absent < _NOT_SOON <= absent + delay:
                    _log.warning("control at %s cannot be reached: %s", self._path, error.strerror)
                absent += delay
                continue
            delay, absent = _FIRST_DELAY, 0.0
            await self._lost.wait()

    @property
    def up(self) -> bool:
        return self._transport is not None

    def send(self, message: ToControl) -> None:
        """Lost when control is away.

        Likewise that an instance has drained, before control has said what it knows: it may want it back, and would
        stop it under the requests that it gets then. Of those that it wants drained it asks again.
        """
        if self._transport is not None and (self._told or not isinstance(message, InstanceDrained)):
            self._transport.write(link.encode(message))

    def send_logs(self, requests: Sequence[RequestLog]) -> None:
        """In one piece. They are the first thing to do without when control does not keep up."""
        if self._transport is None:
            self.dropped += max(0, len(self._kept) + len(requests) - _KEPT)
            self._kept.extend(requests)
            return
        if not requests:
            return
        if self._transport.get_write_buffer_size() > _BACKLOG:
            self.dropped += len(requests)
            return
        self._transport.write(link.encode_all(requests))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._frames, self._told = FrameDecoder(), False
        self._lost.clear()
        self.send(self._hello())
        self.send_logs([*self._kept])
        self._kept.clear()

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self._told = True
                self._apply(link.decode_to_router(body))
        except ValueError:
            _log.exception("control at %s speaks another protocol", self._path)
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        with contextlib.suppress(RuntimeError):
            self._lost.set()
