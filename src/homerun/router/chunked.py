"""The chunked transfer coding of responses (RFC 9112 §7.1), bytes in, payload out. Strict: CRLF ends every line."""

from __future__ import annotations

import enum
import re

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_MAX_LINE = 8192
LAST = b"0\r\n\r\n"


class _At(enum.Enum):
    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILER = 3
    END = 4


class ChunkedDecoder:
    """`feed` returns the payload in `data`; once `done`, `rest` is what came after the end."""

    __slots__ = ("_at", "_left", "_line", "rest")

    def __init__(self) -> None:
        self._at = _At.SIZE
        self._left = 0
        self._line = b""
        """The beginning of a line whose end has not come yet."""
        self.rest = b""

    @property
    def done(self) -> bool:
        return self._at is _At.END

    def feed(self, data: bytes) -> bytes:
        """Raises ValueError when the framing is wrong."""
        pieces: list[bytes] = []
        if self._line:
            data, self._line = self._line + data, b""
        at, size = 0, len(data)
        while at < size and self._at is not _At.END:
            if self._at is _At.DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._at = _At.DATA_END
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._keep(data[at:])
                break
            self._take_line(data[at:end])
            at = end + 2
        if self._at is _At.END:
            self.rest = data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _keep(self, line: bytes) -> None:
        if len(line) > _MAX_LINE or (self._at is _At.DATA_END and not b"\r".startswith(line)):
            raise ValueError("a chunk does not end where it should")
        self._line = line

    def _take_line(self, line: bytes) -> None:
        if self._at is _At.SIZE:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise ValueError(f"{line[:40]!r} is no chunk size")
            self._left = int(match[1], 16)
            self._at = _At.DATA if self._left else _At.TRAILER
        elif self._at is _At.DATA_END:
            if line:
                raise ValueError("a chunk does not end where it should")
            self._at = _At.SIZE
        elif not line:
            self._at = _At.END


def encode(payload: bytes) -> bytes:
    """One chunk; nothing for no payload, which would be the end."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""
