"""Containers that are made ahead: everything is there, and their programs wait to be let go.

A standby is an instance that no caller knows of yet. Its record says nothing of processes, so that after a crash it is
what a start is that was cut short: swept away (adopt.py). What takes long was done when nobody waited for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from homerun.aio.tasks import Supervisor
from homerun.engine.base import InstanceSpec
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.monitor import Monitor


@dataclass(eq=False)
class Standby:
    """`making` ends with the containers, as they wait."""

    instance: Instance
    making: asyncio.Task[Sequence[Monitor]]

    @property
    def spec(self) -> InstanceSpec:
        return self.instance.spec

    @property
    def created(self) -> Sequence[Monitor]:
        """Empty before it is made, and where that failed: then nothing is left of it."""
        if not self.making.done() or self.making.cancelled() or self.making.exception() is not None:
            return ()
        return self.making.result()

    @property
    def waits(self) -> bool:
        """All of it is there and alive."""
        return bool(self.created) and all(each.process.alive and each.init.alive for each in self.created)


class Standbys:
    """`take_back`: blocks until nothing is left of an instance and its created containers."""

    def __init__(self, tasks: Supervisor, take_back: Callable[[Instance, Sequence[Monitor]], None]) -> None:
        self._tasks = tasks
        self._take_back = take_back
        self._standbys: dict[str, Standby] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def __contains__(self, id: str) -> bool:
        return id in self._standbys

    def __len__(self) -> int:
        return len(self._standbys)

    async def add(self, instance: Instance, making: Coroutine[None, None, Sequence[Monitor]]) -> None:
        """Returns when it is made; raises what making it does. Whoever waits may be cancelled: it is made all the
        same."""
        task = self._tasks.spawn(making, name=f"prepare {instance.id}")
        self._standbys[instance.id] = Standby(instance, task)
        try:
            await asyncio.shield(task)
        except BaseException:
            if task.done():
                self._standbys.pop(instance.id, None)
            raise

    async def take(self, spec: InstanceSpec) -> Standby | None:
        """The one with the id of `spec`, from now on the caller's. One that was made for another spec, or that ended by
        itself, is gone when this returns."""
        standby = self._standbys.pop(spec.id, None)
        if standby is None:
            return None
        await asyncio.wait([standby.making])
        if standby.spec == spec and standby.waits:
            return standby
        await self._throw_away(standby)
        return None

    async def dismiss(self, id: str) -> None:
        """Returns when it is gone."""
        if (standby := self._standbys.pop(id, None)) is not None:
            await self._throw_away(standby)

    async def close(self) -> None:
        """All of them are gone when this returns."""
        for id in list(self._standbys):
            self._discard(self._standbys.pop(id))
        while self._ending:
            await asyncio.wait(self._ending)

    async def _throw_away(self, standby: Standby) -> None:
        await asyncio.shield(self._discard(standby))

    def _discard(self, standby: Standby) -> asyncio.Task[None]:
        """Also if nobody waits for it any more."""
        task = self._tasks.spawn(self._undo(standby), name=f"dismiss {standby.instance.id}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _undo(self, standby: Standby) -> None:
        await asyncio.wait([standby.making])
        if standby.created:
            await asyncio.to_thread(self._take_back, standby.instance, standby.created)
