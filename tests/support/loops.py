"""Run a coroutine from a plain function, as property tests must, on a loop of its own.

Not asyncio.run: that resets the thread's event loop, and pytest-asyncio then loses the one it keeps there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from looptime import LoopTimeEventLoop, patch_event_loop


def run(main: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


def run_virtual(main: Coroutine[Any, Any, None]) -> None:
    """In virtual time: sleeping takes none."""
    loop = patch_event_loop(asyncio.new_event_loop(), start=0)
    assert isinstance(loop, LoopTimeEventLoop)
    try:
        loop.setup_looptime()
        loop.run_until_complete(main)
    finally:
        loop.close()
