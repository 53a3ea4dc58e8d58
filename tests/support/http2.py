"""The other ends of the router's HTTP/2 connections, played by the `h2` library, over connections without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import h2.config
import h2.connection
import h2.events

from tests.support.router import HOST, World
from tests.support.transport import MockTransport

Fields = list[tuple[str, str]]
E = TypeVar("E", bound=h2.events.Event)
GRPC = (("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "5S"))


class Peer:
    """One end. `events` are all that it was told."""

    def __init__(self, transport: MockTransport, *, client: bool, strict: bool = True) -> None:
        self.transport = transport
        config = h2.config.H2Configuration(
            client_side=client,
            header_encoding="utf-8",
            validate_outbound_headers=strict,
            normalize_outbound_headers=strict,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.events: list[h2.events.Event] = []
        self.h2.initiate_connection()

    def send(self) -> None:
        """What was done with `h2`."""
        if data := self.h2.data_to_send():
            self.transport.feed(data)

    def hear(self) -> None:
        """What the router has sent, and acknowledge it."""
        if data := self.transport.take():
            self.events += self.h2.receive_data(data)
        self.send()

    def of(self, kind: type[E], stream: int | None = None) -> list[E]:
        return [
            event
            for event in self.events
            if isinstance(event, kind) and (stream is None or getattr(event, "stream_id", None) == stream)
        ]

    def body(self, stream: int) -> bytes:
        return b"".join(event.data for event in self.of(h2.events.DataReceived, stream) if event.data)

    def ended(self, stream: int) -> bool:
        return bool(self.of(h2.events.StreamEnded, stream))

    def reset(self, stream: int) -> int | None:
        """The code with which the router has reset it."""
        found = self.of(h2.events.StreamReset, stream)
        return int(found[0].error_code) if found and found[0].error_code is not None else None


class Client(Peer):
    def __init__(self, world: World, *, strict: bool = True) -> None:
        super().__init__(world.client(), client=True, strict=strict)
        self.send()

    def ask(
        self,
        path: str = "/",
        method: str = "GET",
        host: str = HOST,
        more: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        end: bool = True,
    ) -> int:
        """A request; its stream. `body` None: it has none."""
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "http"), (":authority", host), (":path", path), *more]
        self.h2.send_headers(stream, fields, end_stream=body is None and end)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        self.send()
        return stream

    def headers(self, stream: int) -> dict[str, str]:
        return fields(self.of(h2.events.ResponseReceived, stream)[0])

    def status(self, stream: int) -> int:
        return int(self.headers(stream)[":status"])

    def trailers(self, stream: int) -> dict[str, str]:
        return fields(self.of(h2.events.TrailersReceived, stream)[0])

    @property
    def goaway(self) -> int | None:
        """The code with which the router has ended the connection."""
        found = self.of(h2.events.ConnectionTerminated)
        return int(found[0].error_code) if found and found[0].error_code is not None else None


class Server(Peer):
    """An instance: one of the router's connections to it."""

    def __init__(self, transport: MockTransport) -> None:
        super().__init__(transport, client=False)
        self.hear()

    def requests(self) -> list[int]:
        """Streams, in the order in which they came."""
        self.hear()
        return [event.stream_id for event in self.of(h2.events.RequestReceived) if event.stream_id is not None]

    def headers(self, stream: int) -> dict[str, str]:
        return fields(self.of(h2.events.RequestReceived, stream)[0])

    def answer(
        self,
        stream: int,
        body: bytes | None = b"hello",
        status: int = 200,
        more: Sequence[tuple[str, str]] = (),
        trailers: Sequence[tuple[str, str]] | None = None,
        end: bool = True,
    ) -> None:
        last = end and trailers is None
        self.h2.send_headers(stream, [(":status", str(status)), *more], end_stream=last and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=last)
        if trailers is not None:
            self.h2.send_headers(stream, list(trailers), end_stream=True)
        self.send()


def fields(event: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in event.headers}
