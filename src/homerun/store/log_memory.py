"""The log store in memory, for tests and for nothing else that must last: everything is kept, nothing is indexed."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from homerun.store.log_base import Found, LogQuery, LogRow, Origin, haystack


class MemoryLogStore:
    def __init__(self) -> None:
        self._found: dict[str, list[Found]] = defaultdict(list)
        self._last: dict[str, int] = defaultdict(int)
        self._positions: dict[str, tuple[str, str]] = {}

    def positions(self) -> Mapping[str, tuple[str, str]]:
        return dict(self._positions)

    def append(self, project: str, rows: Sequence[LogRow], positions: Mapping[str, str | None], now: float) -> None:
        for row in rows:
            self._last[project] += 1
            insort(self._found[project], Found(row.time, self._last[project], *row[1:]), key=lambda found: found[:2])
        for id, position in positions.items():
            if position is None:
                self._positions.pop(id, None)
            else:
                self._positions[id] = (project, position)

    def search(self, query: LogQuery) -> Iterator[Found]:
        found = [each for each in self._found[query.project] if _matches(query, each)]
        return reversed(found) if query.descending else iter(found)

    def following(self, project: str, after: int, limit: int) -> list[Found]:
        return sorted((each for each in self._found[project] if each.seq > after), key=lambda each: each.seq)[:limit]

    def last(self, project: str) -> int:
        return self._last[project]

    def projects(self) -> Sequence[str]:
        return [project for project, found in self._found.items() if found]

    def origins(self, project: str) -> set[Origin]:
        return {each.origin for each in self._found[project]}

    def delete(self, project: str, log: str) -> int:
        kept = [each for each in self._found[project] if each.origin.log != log]
        gone = len(self._found[project]) - len(kept)
        self._found[project] = kept
        return gone

    def close(self) -> None: ...


def _matches(query: LogQuery, found: Found) -> bool:
    place = found[:2]
    beyond = query.after is None or (place < query.after if query.descending else place > query.after)
    return (
        beyond
        and query.since <= found.time
        and (query.until is None or found.time <= query.until)
        and (query.up_to is None or found.seq <= query.up_to)
        and found.severity >= query.severity
        and query.wanted(found.origin)
        and all(_says(found, text.lower(), query.project) for text in query.texts)
    )


def _says(found: Found, text: str, project: str) -> bool:
    places = (found.text or "", found.more or "", haystack(found.origin, project))
    return any(text in place.lower() for place in places)
