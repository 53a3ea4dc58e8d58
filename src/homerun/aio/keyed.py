"""Work on one key is serial, across keys parallel, and however often a key is asked for, it waits in line once.

This is what stands between a watch and a reconciler. A request says only "look at this key": requests that arrive
while the key waits in line are one; those that arrive while it is being worked on make one more run afterwards. A run
answers every request made before it started, so a pending `add_after` is dropped when its key runs earlier, and the
work must ask again for what it still wants. A key whose work fails is retried after `backoff(failures in a row)`;
asking for it by `add` means that there is news, and does not wait for that.

Nothing polls: an idle queue has no task and at most one timer per key that asked for one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from homerun.aio.tasks import Supervisor
from homerun.core import backoff as core_backoff

K = TypeVar("K", bound=Hashable)

_log = logging.getLogger("homerun.aio")


class KeyedQueue(Generic[K]):
    """`on_error(key, error, delay)` hears of each failed run; without it, failures are logged."""

    def __init__(
        self,
        work: Callable[[K], Awaitable[None]],
        *,
        workers: int = 16,
        backoff: Callable[[int], float] = core_backoff.delay,
        on_error: Callable[[K, BaseException, float], None] | None = None,
        name: str = "queue",
    ) -> None:
        if workers < 1:
            raise ValueError(f"{name}: workers is {workers}, and at least 1 is needed to get anything done")
        self._work = work
        self._workers = workers
        self._backoff = backoff
        self._on_error = on_error or self._log_failure
        self._name = name
        self._line: dict[K, None] = {}
        """Keys that wait for a worker, in order."""
        self._running: set[K] = set()
        self._again: set[K] = set()
        """Keys that are running and were asked for meanwhile."""
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._tasks = Supervisor()
        self._hired = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False

    def add(self, key: K) -> None:
        """Work on `key` as soon as there is a free worker. After `close`: ignored."""
        if self._closed:
            return
        self._drop_timer(key)
        if key in self._running:
            self._again.add(key)
            return
        self._line[key] = None
        self._quiet.clear()
        self._hire()

    def add_after(self, key: K, seconds: float) -> None:
        """Work on `key` in `seconds`, unless that happens earlier anyway: of several, the earliest wins."""
        if seconds <= 0:
            self.add(key)
            return
        if self._closed or key in self._line:
            return
        loop = asyncio.get_running_loop()
        pending = self._timers.get(key)
        if pending is not None and pending.when() <= loop.time() + seconds:
            return
        self._drop_timer(key)
        self._timers[key] = loop.call_later(seconds, self.add, key)

    def failures(self, key: K) -> int:
        """How many runs of `key` have failed in a row."""
        return self._failures.get(key, 0)

    async def idle(self) -> None:
        """Wait until no key is in line or being worked on. Timers do not count."""
        await self._quiet.wait()

    async def close(self) -> None:
        """Cancel the work in progress and forget the rest."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._line.clear()
        await self._tasks.close()
        self._quiet.set()

    def _hire(self) -> None:
        if self._hired < self._workers:
            # Counted here and in `_drain`, not by tasks: those that have ended stay tasks until the loop's next turn.
            self._hired += 1
            self._tasks.spawn(self._drain(), name=f"{self._name} worker")

    async def _drain(self) -> None:
        """One worker: it lives while there is a line."""
        try:
            while self._line:
                key = next(iter(self._line))
                del self._line[key]
                await self._run(key)
        finally:
            self._hired -= 1
            if self._line:  # `on_error` or `backoff` raised: its crash is reported, the line goes on
                self._hire()
            elif not self._running:
                self._quiet.set()

    async def _run(self, key: K) -> None:
        self._drop_timer(key)
        self._running.add(key)
        try:
            await self._work(key)
        except asyncio.CancelledError as error:
            if self._closed:
                raise
            self._failed(key, error)  # something that it awaited was cancelled, not this queue
        except Exception as error:
            self._failed(key, error)
        else:
            self._failures.pop(key, None)
        finally:
            self._running.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    def _failed(self, key: K, error: BaseException) -> None:
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        delay = self._backoff(failures)
        if key not in self._again:
            self.add_after(key, delay)
        self._on_error(key, error, delay)

    def _drop_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _log_failure(self, key: K, error: BaseException, delay: float) -> None:
        _log.error("%s: work on %s failed, next try in %.3g s", self._name, key, delay, exc_info=error)

    def __repr__(self) -> str:
        return (
            f"<KeyedQueue {self._name}: {len(self._line)} in line, {len(self._running)} running, "
            f"{len(self._timers)} timed, {len(self._failures)} failing>"
        )
