"""The chunked transfer coding (RFC 9112 §7.1): of responses bytes in, payload out, strict, CRLF ends every line.

Trailers are passed on apart from those that would change what was said in the head (RFC 9110 §6.5.1).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_MAX_LINE = 8192
_MAX_TRAILERS = 64 << 10
LAST = b"0\r\n\r\n"
_TOO_LATE = re.compile(
    # How the message is framed and routed; who sends it; what is to be done with it; what the body is.
    rb"connection|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|http2-settings|expect|max-forwards"
    rb"|authorization|x-serverless-authorization|cookie|set-cookie|www-authenticate|forwarded|x-forwarded-.*"
    rb"|if-.*|range|cache-control|pragma|age|date|expires|location|retry-after|vary|warning"
    rb"|content-(?:encoding|length|location|range|type)",
    re.IGNORECASE,
)


class _At(enum.Enum):
    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILER = 3
    END = 4


class ChunkedDecoder:
    """`feed` returns the payload in `data`; once `done`, `rest` is what came after the end, and `trailers` are as
    `end` takes them."""

    __slots__ = ("_at", "_left", "_line", "_trailing", "rest", "trailers")

    def __init__(self) -> None:
        self._at = _At.SIZE
        self._left = 0
        self._line = b""
        """The beginning of a line whose end has not come yet."""
        self._trailing = 0
        self.rest = b""
        self.trailers: list[bytes] = []

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
        else:
            self._take_trailer(line)

    def _take_trailer(self, line: bytes) -> None:
        match = _FIELD.fullmatch(line)
        self._trailing += len(line)
        if match is None or self._trailing > _MAX_TRAILERS:
            raise ValueError(f"{line[:40]!r} is no trailer" if match is None else "its trailers are too long")
        self.trailers += (match[1], b": ", match[2], b"\r\n")


def encode(payload: bytes) -> bytes:
    """One chunk; nothing for no payload, which would be the end."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


def end(trailers: Sequence[bytes]) -> bytes:
    """The last chunk, and the trailers: name, ": ", value, CRLF, name, ..."""
    return b"".join((b"0\r\n", *timely(trailers), b"\r\n")) if trailers else LAST


def timely(trailers: Sequence[bytes]) -> list[bytes]:
    """Those that do not come too late."""
    kept: list[bytes] = []
    for at in range(0, len(trailers), 4):
        if _TOO_LATE.fullmatch(trailers[at]) is None:
            kept += trailers[at : at + 4]
    return kept
