"""Ending without losing a request: stop accepting, let those in flight end, then close."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from homerun.router.server import Router


class Source(Protocol):
    """Where connections come from: a listening socket, or other routers."""

    def close(self) -> None: ...


async def stop(router: Router, sources: Sequence[Source]) -> None:
    """Connections that were not accepted wait in the kernel for the next router."""
    router.stopping = True
    for source in sources:
        source.close()
    for client in list(router.clients):
        client.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(router.options.grace):
            await router.no_clients()
    for client in list(router.clients):
        client.transport.abort()
    for stranger in list(router.shaking):
        stranger.abort()
    if router.peers is not None:
        router.peers.close()
    if router.remains is not None:
        router.remains.close()
    router.stats.flush()
    router.stats.stop()
    router.link.close()
    for instance in list(router.instances.values()):
        instance.close()
    await router.tasks.close()
