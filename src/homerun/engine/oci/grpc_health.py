"""One question over gRPC: is this server well? (grpc.health.v1, on HTTP/2 without TLS.)

The client that asks thousands of containers, each once in a while, sends a fixed request on a connection of its own and
reads one answer. grpc's own client would do it too, with threads that wake up all the time.
"""

from __future__ import annotations

from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code, ConnectionFault, name
from homerun.lib.http2.frames import ACK, END_HEADERS, END_STREAM, HEAD, HEAD_SIZE, MAX_SIZE, PADDED

_STREAM = 1
_SERVING = 1
_STATES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_UNIMPLEMENTED, _NOT_FOUND = "12", "5"
_LONGEST = 65536
"""Bytes of headers, or of an answer."""


class Call:
    """Bytes of the server in, bytes for it out. `wrong` is None until it has answered, then empty if it serves."""

    def __init__(self, authority: str, service: str, user_agent: str, timeout: float) -> None:
        self.wrong: str | None = None
        message = _request(service)
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-timeout", f"{max(int(timeout * 1000), 1)}m"),
            ("user-agent", user_agent),
        ]
        self.request = b"".join(
            [
                frames.PREFACE,
                frames.settings({frames.ENABLE_PUSH: 0}),
                frames.header_frames(_STREAM, Encoder().encode(headers), end=False),
                frames.frame(frames.DATA, END_STREAM, _STREAM, message),
            ]
        )
        self._service = service
        self._decoder = Decoder()
        self._received = bytearray()
        self._block = bytearray()
        self._ends = False
        """The block that is on its way is the last."""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    @property
    def said(self) -> str | None:
        """As `wrong`: before the last frame nothing is known."""
        return self.wrong

    def feed(self, data: bytes) -> bytes:
        """What the server said; answers what it must be told."""
        self._received += data
        said: list[bytes] = []
        try:
            while self.wrong is None and (frame := self._next()) is not None:
                said.append(self._take(*frame))
        except (ConnectionFault, HPACKError) as error:
            self.wrong = f"The server does not speak HTTP/2: {error}."
        if self.wrong is not None:
            said.append(frames.goaway(0, Code.NO_ERROR))
        return b"".join(said)

    def _next(self) -> tuple[int, int, int, bytes] | None:
        """Kind, flags, stream and payload of the next frame, if all of it is there."""
        if len(self._received) < HEAD_SIZE:
            return None
        word, flags, stream = HEAD.unpack_from(self._received)
        length, end = word >> 8, HEAD_SIZE + (word >> 8)
        if length > MAX_SIZE:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"it sent a frame of {length} bytes")
        if len(self._received) < end:
            return None
        payload = bytes(self._received[HEAD_SIZE:end])
        del self._received[:end]
        return word & 0xFF, flags, stream, payload

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        if kind == frames.SETTINGS and not flags & ACK:
            return frames.SETTINGS_ACK
        if kind == frames.PING and not flags & ACK:
            return frames.frame(frames.PING, ACK, 0, payload)
        if kind == frames.GOAWAY and frames.depends_on(payload) < _STREAM:
            self.wrong = f"The server ended the connection with {name(int.from_bytes(payload[4:8], 'big'))}."
        if stream == _STREAM:
            self._take_ours(kind, flags, payload)
        return b""

    def _take_ours(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == frames.RST_STREAM:
            self.wrong = f"The server refused the call with {name(frames.word(payload))}."
        elif kind == frames.DATA:
            self._body += frames.unpad(payload) if flags & PADDED else payload
            if flags & END_STREAM:
                self._finish()
        elif kind in (frames.HEADERS, frames.CONTINUATION):
            if kind == frames.HEADERS:
                self._ends, payload = bool(flags & END_STREAM), frames.strip(flags, _STREAM, payload)
            self._block += payload
            if flags & END_HEADERS:
                self._take_headers()
        if len(self._block) + len(self._body) > _LONGEST:
            self.wrong = "The answer is too long for a health check."

    def _take_headers(self) -> None:
        self._headers.update((str(key), str(value)) for key, value in self._decoder.decode(bytes(self._block)))
        self._block.clear()
        if self._ends:
            self._finish()

    def _finish(self) -> None:
        status, said = self._headers.get("grpc-status"), self._headers.get("grpc-message", "")
        if status is None:
            self.wrong = f"The answer is not one of gRPC (HTTP status {self._headers.get(':status', 'unknown')})."
        elif status == _UNIMPLEMENTED:
            self.wrong = "The server does not serve grpc.health.v1.Health."
        elif status == _NOT_FOUND:
            self.wrong = f'The server knows no service "{self._service}".'
        elif status != "0":
            self.wrong = f"The call ended with gRPC status {status}{': ' if said else ''}{said}."
        else:
            state = _state(bytes(self._body))
            self.wrong = "" if state == _SERVING else f"The answer was {_STATES[state]}."


def _request(service: str) -> bytes:
    """The message HealthCheckRequest {string service = 1}, with its prefix: not compressed, so many bytes."""
    text = service.encode()
    message = b"\x0a" + _varint(len(text)) + text if text else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def _state(body: bytes) -> int:
    """Of HealthCheckResponse {ServingStatus status = 1}, after its prefix; UNKNOWN if it is not there."""
    message = body[5:]
    known = message[:1] == b"\x08" and len(message) > 1 and message[1] < len(_STATES)
    return message[1] if known else 0
