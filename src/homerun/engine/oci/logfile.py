"""Reading conmon's k8s-file: `TIME STREAM F|P TEXT`, where P is a piece of a line and F its end.

Pieces are joined per stream, and a line has the time of its last piece: so the lines of a file are in time order, and
one that is still being written appears when it is complete, with a time after all that were read before. A line of more
than 256 KiB (the limit of a log entry, contract §1.13) is cut.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

_LONGEST = 256 << 10
_FIRST_SPAN = 256 << 10
PATIENCE = 1.0
"""Seconds after which a line without an end is taken as one, when others wait behind it."""


class Line(NamedTuple):
    """`end`: offset in what was parsed behind its last record; 0 if pieces of another line are before that."""

    time: float
    stream: str
    text: str
    end: int = 0


@functools.lru_cache(maxsize=4096)
def _second(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text + zone).timestamp())


def _time(text: str) -> float:
    """`2026-11-24T12:00:00.123456789+00:00`."""
    second, fraction, zone = text[:19], text[20:29], text[29:]
    return _second(second, "+00:00" if zone == "Z" else zone) + int(fraction) / 1e9


class Parsed:
    """Lines of whole records, one after the other; what is left of lines that have no end yet is `held`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pieces: dict[str, list[bytes]] = {}
        self._last: dict[str, float] = {}

    @property
    def held(self) -> float | None:
        """When the first of the unfinished lines was last written to."""
        return min((self._last[stream] for stream in self._pieces), default=None)

    def lines(self) -> Iterator[Line]:
        pieces, end = self._pieces, 0
        for record in self._data.split(b"\n"):
            end += len(record) + 1
            fields = record.split(b" ", 3)
            if len(fields) < 4:
                continue
            try:
                time, stream = _time(fields[0].decode()), fields[1].decode()
            except ValueError:
                continue
            if fields[2] == b"F":
                text = fields[3] if stream not in pieces else b"".join([*pieces.pop(stream), fields[3]])
            else:
                held = pieces.setdefault(stream, [])
                held.append(fields[3])
                self._last[stream] = time
                if sum(map(len, held)) < _LONGEST:
                    continue
                text = b"".join(pieces.pop(stream))
            yield Line(time, stream, text.decode(errors="replace"), 0 if pieces else end)

    def rest(self) -> Iterator[Line]:
        """Those without an end, as they are."""
        end = len(self._data)
        while self._pieces:
            stream, held = self._pieces.popitem()
            text = b"".join(held).decode(errors="replace")
            yield Line(self._last[stream], stream, text, 0 if self._pieces else end)


def parse(data: bytes, *, ended: bool) -> Iterator[Line]:
    """Lines of whole records. `ended`: nothing more will come, so a piece without an end is a line as well."""
    parsed = Parsed(data)
    for line in chain(parsed.lines(), parsed.rest() if ended else ()):
        yield Line(line.time, line.stream, line.text)


def read(file: Path, *, since: float, until: float | None, limit: int | None, ended: bool) -> list[Line]:
    """Lines with `since < time <= until`, or the last `limit` of them. Reads from the end, no further than it must."""
    try:
        handle = open(file, "rb")
    except FileNotFoundError:
        return []
    with handle:
        size, span = handle.seek(0, 2), _FIRST_SPAN
        while True:
            start = max(0, size - span)
            handle.seek(start)
            lines = list(parse(whole(handle.read(size - start), start), ended=ended))
            if start:
                lines = _without_torn(lines)
            wanted = [line for line in lines if since < line.time and (until is None or line.time <= until)]
            if not start or (lines and lines[0].time <= since) or (limit is not None and len(wanted) >= limit):
                return wanted if limit is None else wanted[max(0, len(wanted) - limit) :]
            span *= 4


def whole(data: bytes, start: int) -> bytes:
    """From the first record that begins in it to the last that ends in it."""
    begin = data.find(b"\n") + 1 if start else 0
    return data[begin : data.rfind(b"\n") + 1]


def _without_torn(lines: list[Line]) -> list[Line]:
    """Without each stream's first line: its beginning may be further up."""
    seen: set[str] = set()
    kept = []
    for line in lines:
        if line.stream in seen:
            kept.append(line)
        seen.add(line.stream)
    return kept
