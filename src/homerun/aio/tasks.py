"""The only place that makes asyncio tasks: each one has a name, is kept, and cannot fail unnoticed.

A Supervisor lives as long as whoever owns it. Unlike asyncio.TaskGroup, one crash does not take the siblings down: it
is reported, and its owner decides. `close` cancels everything and waits until it has really ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
OnError = Callable[[str, BaseException], None]

_log = logging.getLogger("homerun.aio")


def log_crash(name: str, error: BaseException) -> None:
    _log.error("task %s crashed", name, exc_info=error)


class Supervisor:
    def __init__(self, on_error: OnError = log_crash) -> None:
        self._on_error = on_error
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def spawn(self, coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run `coro` until it ends or `close`. The task is returned for awaiting or cancelling; it need not be kept."""
        if self._closed:
            coro.close()
            raise RuntimeError(f"cannot start task {name}: its supervisor is closed")
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait for them, except for the one that calls this."""
        self._closed = True
        caller = asyncio.current_task()
        while tasks := self._tasks - {caller}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._on_error(task.get_name(), error)

    async def __aenter__(self) -> Supervisor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __len__(self) -> int:
        return len(self._tasks)

    def __repr__(self) -> str:
        names = ", ".join(sorted(task.get_name() for task in self._tasks))
        return f"<Supervisor {'closed' if self._closed else 'open'}: {names or 'no tasks'}>"
