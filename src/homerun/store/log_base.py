"""The port of the log store: entries of each project in the order of their time, bounded, found by what they have in
common and by what they say; and beside them how far the output was read that they were made of.

Everything here blocks: whoever has an event loop calls it from a thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from homerun.lib.timestamps import to_rfc3339
from homerun.model.severity import severity_name

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """What all entries of a stream have in common. `log`: `run.googleapis.com/stdout`; `type` and `resource`: of the
    monitored resource; `labels`: of each entry."""

    log: str
    type: str
    resource: Pairs
    labels: Pairs = ()


class LogRow(NamedTuple):
    """One entry to keep. `time`: microseconds. `more`: further fields of the LogEntry, as JSON."""

    time: int
    origin: Origin
    severity: int
    text: str | None = None
    more: str | None = None


class Found(NamedTuple):
    """One that was kept. `seq` counts the entries of a project in the order in which they came."""

    time: int
    seq: int
    origin: Origin
    severity: int
    text: str | None
    more: str | None

    def entry(self, project: str) -> dict[str, Any]:
        """As a google.logging.v2.LogEntry in JSON."""
        time, origin = to_rfc3339(self.time / 1e6), self.origin
        made: dict[str, Any] = {
            "logName": log_name(project, origin.log),
            "resource": {"type": origin.type, "labels": dict(origin.resource)},
            "timestamp": time,
            "receiveTimestamp": time,
            "severity": severity_name(self.severity),
            "insertId": f"{self.seq:016x}",
        }
        if self.text is not None:
            made["textPayload"] = self.text
        more = msgspec.json.decode(self.more) if self.more is not None else {}
        made["labels"] = {**more.pop("labels", {}), **dict(origin.labels)}
        return made | more


def log_name(project: str, log: str) -> str:
    return f"projects/{project}/logs/{quote(log, safe='')}"


Cursor = tuple[int, int]
"""Time and seq of an entry."""


def everything(origin: Origin) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What every entry that is looked for has; there may be more to ask of those that are found.

    `since`, `until`: microseconds, both inclusive. `texts`: each is somewhere in the entry's text, its further fields
    or its origin, whatever the case of ASCII letters. `after`: the entry behind which to go on. `up_to`: the last seq.
    """

    project: str
    since: int = 0
    until: int | None = None
    severity: int = 0
    wanted: Callable[[Origin], bool] = everything
    texts: tuple[str, ...] = ()
    descending: bool = False
    after: Cursor | None = None
    up_to: int | None = None


class LogStore(Protocol):
    def positions(self) -> Mapping[str, tuple[str, str]]:
        """How far each output was read: its project, and the position that `append` was told."""
        ...

    def append(self, project: str, rows: Sequence[LogRow], positions: Mapping[str, str | None], now: float) -> None:
        """All or nothing; the oldest entries make room. A position of None is forgotten. `now`: seconds.

        Raises ResourceExhausted when the disk is full even so, and whatever else a disk does.
        """
        ...

    def search(self, query: LogQuery) -> Iterator[Found]:
        """In order of time, and of seq within one microsecond; as it was when it began, or with later ones."""
        ...

    def following(self, project: str, after: int, limit: int) -> list[Found]:
        """The next entries behind seq `after`, in the order in which they came."""
        ...

    def last(self, project: str) -> int:
        """The seq of the last entry that came; 0 if there was none."""
        ...

    def projects(self) -> Sequence[str]:
        """Those with entries."""
        ...

    def origins(self, project: str) -> set[Origin]: ...

    def delete(self, project: str, log: str) -> int:
        """All entries of a log; returns how many."""
        ...

    def close(self) -> None: ...


def haystack(origin: Origin, project: str) -> str:
    """All texts of an origin, in lower case."""
    parts = [log_name(project, origin.log), origin.type]
    parts += [value for _, value in (*origin.resource, *origin.labels)]
    return "\n".join(parts).lower()


def encode_pairs(pairs: Pairs) -> str:
    return json.dumps(pairs, ensure_ascii=False)


def decode_pairs(text: str) -> Pairs:
    return tuple((key, value) for key, value in json.loads(text))
