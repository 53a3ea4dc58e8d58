"""Where log lines come from: the engine, by structure; more sources can be put in front of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from homerun.engine.base import LogLine


class LogSource(Protocol):
    async def logs(
        self,
        labels: Mapping[str, str],
        *,
        since: float = 0,
        until: float | None = None,
        limit: int | None = None,
    ) -> Sequence[LogLine]: ...
