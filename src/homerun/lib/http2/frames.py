"""The layout of frames (RFC 9113 §4, §6): nine bytes of length, kind, flags and stream, then the payload."""

from __future__ import annotations

import struct

from homerun.lib.http2.codes import Code, ConnectionFault

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client says first."""
HEAD = struct.Struct(">IBI")
"""Length and kind in the first word, flags, stream."""
HEAD_SIZE = 9
MAX_SIZE = 16384
"""Of a payload, for those who have not agreed on more: we never do."""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = (
    range(1, 7)
)
ENABLE_CONNECT_PROTOCOL = 8
"""RFC 8441 §3."""
MAX_WINDOW = (1 << 31) - 1
DEFAULT_WINDOW = 65535

_WORD = struct.Struct(">I")
_SETTING = struct.Struct(">HI")
_TWO_WORDS = struct.Struct(">II")
_pack = HEAD.pack


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return _pack(len(payload) << 8 | kind, flags, stream) + payload


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, _WORD.pack(increment))


def rst_stream(stream: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream, _WORD.pack(code))


def goaway(last: int, code: int, text: str = "") -> bytes:
    return frame(GOAWAY, 0, 0, _TWO_WORDS.pack(last, code) + text.encode())


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*item) for item in values.items()))


SETTINGS_ACK = frame(SETTINGS, ACK, 0)


def header_frames(stream: int, block: bytes, end: bool, size: int = MAX_SIZE) -> bytes:
    """HEADERS, and CONTINUATION for what is beyond `size`."""
    flags = END_STREAM if end else 0
    length = len(block)
    if length <= size:
        return _pack(length << 8 | HEADERS, flags | END_HEADERS, stream) + block
    pieces = [block[at : at + size] for at in range(0, length, size)]
    made = [frame(HEADERS, flags, stream, pieces[0])]
    made += [frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:-1]]
    made.append(frame(CONTINUATION, END_HEADERS, stream, pieces[-1]))
    return b"".join(made)


def word(payload: bytes) -> int:
    """The one number that the payload is, without its reserved bit. Raises ConnectionFault for another length."""
    if len(payload) != 4:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"a payload of {len(payload)} bytes where 4 are due")
    return int.from_bytes(payload, "big") & MAX_WINDOW


def read_settings(payload: bytes) -> dict[int, int]:
    """Checked as §6.5.2 says; the last of several values counts. Raises ConnectionFault."""
    if len(payload) % 6:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS do not consist of entries of 6 bytes")
    values = dict(_SETTING.iter_unpack(payload))
    if values.get(ENABLE_PUSH, 0) > 1:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
    if values.get(INITIAL_WINDOW_SIZE, 0) > MAX_WINDOW:
        raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is above 2^31-1")
    if not MAX_SIZE <= values.get(MAX_FRAME_SIZE, MAX_SIZE) < 1 << 24:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "MAX_FRAME_SIZE is not from 2^14 to 2^24-1")
    return values


def unpad(payload: bytes) -> bytes:
    """Of a frame with PADDED. Raises ConnectionFault."""
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame has more padding than payload")
    return payload[1 : len(payload) - payload[0]]


def strip(flags: int, stream: int, payload: bytes) -> bytes:
    """The block in HEADERS: without padding and priority. Raises ConnectionFault."""
    if flags & PADDED:
        payload = unpad(payload)
    if flags & PRIORITISED:
        if len(payload) < 5:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "HEADERS are too short for their priority")
        payload = payload[5:]
    return payload


def depends_on(payload: bytes) -> int:
    """Of PRIORITY, or HEADERS with it: the stream that it names."""
    return int.from_bytes(payload[:4], "big") & MAX_WINDOW
