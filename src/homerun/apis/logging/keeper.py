"""What the logging API needs of whoever keeps the logs (meter.log_book.LogBook, by structure)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from homerun.store.log_base import Found, LogQuery, LogRow, Origin

T = TypeVar("T")


class LogKeeper(Protocol):
    async def current(self) -> None:
        """Returns when what had been said when it was called can be read."""
        ...

    async def select(self, query: LogQuery, keep: Callable[[Found], T | None], limit: int) -> list[T]:
        """What `keep` makes of what is found, in its order, without the Nones: the first so many. `keep` may be called
        in any thread."""
        ...

    async def append(self, project: str, rows: Sequence[LogRow]) -> None:
        """Durable when it returns. Raises HomerunError."""
        ...

    async def following(self, project: str, after: int, limit: int) -> list[Found]:
        """The next entries behind seq `after`, in the order in which they came."""
        ...

    async def last(self, project: str) -> int:
        """The seq of the last entry that came."""
        ...

    def news(self) -> asyncio.Event:
        """Set as soon as there is more to read than when it was asked for."""
        ...

    async def origins(self, project: str) -> set[Origin]: ...

    async def delete(self, project: str, log: str) -> int:
        """How many entries of this log there were."""
        ...
