"""When the machine is not up to starting anything: nothing is tried for a while, each time for longer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from homerun.core.backoff import delay
from homerun.lib.errors import HomerunError, Internal, ResourceExhausted

PATIENCE = 10
"""Times in a row that the machine may refuse to start anything, some five minutes in all: then it is the task that
failed."""
_PASSING = (ResourceExhausted, Internal)
"""What may be over in a moment: the disk is full, the OCI runtime was killed."""
_log = logging.getLogger("homerun.controllers")


class Refusals:
    """`again`: called when it is time to try once more."""

    def __init__(self, again: Callable[[], None]) -> None:
        self._again = again
        self._in_a_row = 0
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Refusals: {self._in_a_row} in a row{', waiting' if self.waiting else ''}>"

    @property
    def waiting(self) -> bool:
        """Nothing is to be started now."""
        return self._timer is not None

    def passing(self, error: HomerunError) -> bool:
        """Whether what could not be started is worth another try, for which everybody now waits."""
        if not isinstance(error, _PASSING):
            return False
        if self._timer is None:
            if self._in_a_row >= PATIENCE:
                return False
            self._in_a_row += 1
            wait = delay(self._in_a_row)
            _log.warning("no task can be started, tried again in %g s: %s", wait, error.message)
            self._timer = asyncio.get_running_loop().call_later(wait, self._go_on)
        return True

    def over(self) -> None:
        """Something was started."""
        self._in_a_row = 0

    def close(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()

    def _go_on(self) -> None:
        self._timer = None
        self._again()
