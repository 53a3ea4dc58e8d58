"""A whole control process on fakes, in virtual time: the daemon's own wiring, a fake engine, a fake router."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from homerun.controllers.plane import RouterLink
from homerun.daemon.control import Control
from homerun.engine.fake.engine import FakeEngine
from homerun.engine.fake.script import Behaviour, Script
from homerun.lib.errors import ResourceExhausted
from homerun.settings import Settings
from homerun.store.base import Document, Store, Write
from homerun.store.memory import MemoryStore
from homerun.wire import link
from homerun.wire.link import FrameDecoder, Hello, InstanceDrain, InstanceDrained, InstanceUp, ToControl, ToRouter
from tests.support.builders import IMAGE
from tests.support.clock import LoopClock
from tests.support.identity import keys


class SlowStore(MemoryStore):
    """Writes take a while, as they do on a disk: what is read meanwhile is what was there before."""

    async def apply(self, *writes: Write) -> Sequence[Document]:
        await asyncio.sleep(0.02)
        return await super().apply(*writes)


class FullStore(SlowStore):
    """Nothing can be written while it is `full`."""

    full = False

    async def apply(self, *writes: Write) -> Sequence[Document]:
        if self.full:
            await asyncio.sleep(0.02)
            raise ResourceExhausted("no space left")
        return await super().apply(*writes)


class FakeRouter(asyncio.WriteTransport):
    """The other end of the link: hears what a router would, says what it is told to."""

    def __init__(self, control: Control) -> None:
        super().__init__()
        self.heard: list[ToRouter] = []
        self.busy = False
        """Requests are in flight everywhere, without an end."""
        self._frames = FrameDecoder()
        self._link = RouterLink(control.plane)
        self._link.connection_made(self)
        self.say(Hello(1, []))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        for body in self._frames.feed(bytes(data)):
            message = link.decode_to_router(body)
            self.heard.append(message)
            if isinstance(message, InstanceDrain) and not self.busy:
                # Nothing is in flight here. A real router answers later, too.
                id = message.instance
                turn = next((up.turn for up in reversed(self.all(InstanceUp)) if up.instance == id), 0)
                asyncio.get_running_loop().call_soon(self.say, InstanceDrained(id, turn))

    def close(self) -> None:
        self._link.connection_lost(None)

    def say(self, message: ToControl) -> None:
        self._link.data_received(link.encode(message))

    def last(self, kind: type[Any]) -> Any:
        return next((m for m in reversed(self.heard) if isinstance(m, kind)), None)

    def all(self, kind: type[Any]) -> list[Any]:
        return [m for m in self.heard if isinstance(m, kind)]


class World:
    """What a test sees of it."""

    def __init__(self, control: Control, store: Store, engine: FakeEngine, clock: LoopClock) -> None:
        self.control, self.store, self.engine, self.clock = control, store, engine, clock
        self.router = FakeRouter(control)

    async def get(self, kind: str, name: str) -> Document:
        document = await self.store.get(kind, name)
        assert document is not None, f"there is no {kind} {name}"
        return document

    async def until(self, what: Callable[[], Any], seconds: float = 1000) -> None:
        """Virtual seconds pass until `what` is true (it may be a coroutine function)."""
        async with asyncio.timeout(seconds):
            while True:
                result = what()
                if asyncio.iscoroutine(result):
                    result = await result
                if result:
                    return
                await asyncio.sleep(0.05)

    async def settled(self, kind: str, name: str) -> Document:
        """The document once it is not reconciling any more."""

        async def done() -> bool:
            document = await self.store.get(kind, name)
            return document is not None and document.body.get("reconciling") is False

        await self.until(done)
        return await self.get(kind, name)


@asynccontextmanager
async def world(
    images: dict[str, Behaviour] | None = None,
    *,
    store: Store | None = None,
    engine: FakeEngine | None = None,
    stop_instances: bool = True,
    ahead: float = 0.0,
    **settings: Any,
) -> AsyncIterator[World]:
    """Pass the `store` and `engine` of an earlier world to see what a restart finds. `ahead`: of the clock."""
    clock = LoopClock()
    clock.ahead = ahead
    store = store or SlowStore()
    engine = engine or FakeEngine(clock, {IMAGE: Script(), **(images or {})})
    control = Control(Settings(**settings), store, engine, clock, keys())
    await control.open()
    made = World(control, store, engine, clock)
    try:
        yield made
    finally:
        if stop_instances:
            await control.close()
        else:
            await crash(control)


async def crash(control: Control) -> None:
    """What `kill -9` leaves: the store as it is, instances running, everything in memory gone."""
    for loop in control.loops:
        await loop.close()
    control.capacity.close()
    control.crews.close()
    control.executions.close()
    control.expiry.close()
    control.schedules.close()
    control.meter.stop()
    await control.supervisor.close()
    await control.engine.close()
