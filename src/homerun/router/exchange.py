"""One request and its answer.

Whoever has it last must end it: `ClientConnection.finish` counts it and goes on to the next one. A slot that it holds
belongs to the connection to the instance, which may outlive the exchange (a client that left, a timeout).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from homerun.router.activator import Activator
    from homerun.router.errors import Refusal
    from homerun.router.headers import RequestHead
    from homerun.router.http2.client import ClientStream
    from homerun.router.http2.instance import InstanceStream
    from homerun.router.instance import RemoteInstance
    from homerun.router.origin import Origin
    from homerun.router.upstream import InstanceConnection

CLIENT_LEFT = 499
"""The status in the request log when nobody was there to take an answer."""
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"))


class Client(Protocol):
    """Who asks: `protocol.ClientConnection`, or `http2.client.ClientStream`, which does the same for one stream."""

    @property
    def protocol(self) -> str: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def choked(self) -> bool:
        """It does not take what is written to it."""
        ...

    def write(self, data: bytes, /) -> None:
        """A part of the answer."""
        ...

    def connected(self, exchange: Exchange) -> None:
        """Its instance has the head; called when the body is still to come or the client to be waited for."""
        ...

    def hold_body(self, held: bool) -> None:
        """The instance takes the body more slowly than it comes."""
        ...

    def allow(self, exchange: Exchange, seconds: float) -> None:
        """So much time it has, from its start to the end of the answer."""
        ...

    def persistence(self, exchange: Exchange) -> bytes:
        """What the answer has to say about the connection."""
        ...

    def open_tunnel(self, tunnel: InstanceConnection) -> None:
        """The instance has switched protocols."""
        ...

    def refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        """Answer in the instance's place."""
        ...

    def fail(self, exchange: Exchange, refusal: Refusal) -> None:
        """The instance has let it down."""
        ...

    def finish(self, exchange: Exchange, *, keep: bool, now: float | None = None) -> None:
        """The answer has been written to the end. `keep`: another request may follow, unless the client objects."""
        ...


class Exchange:
    __slots__ = (
        "activator",
        "answered",
        "body_done",
        "client",
        "declined",
        "encoded",
        "head",
        "http10",
        "instance",
        "keep_alive",
        "method",
        "over",
        "pending",
        "plain",
        "received",
        "refusal",
        "refused_by",
        "retried",
        "sent",
        "session",
        "started",
        "status",
        "stream",
        "target",
        "trace",
        "upstream",
        "waited",
    )

    def __init__(
        self, client: Client, method: bytes, target: bytes, head: RequestHead, http10: bool, keep: bool
    ) -> None:
        self.client = client
        self.method = method
        self.target = target
        self.head = head
        """Other requests may have the same one."""
        self.http10 = http10
        self.keep_alive = keep
        """Whether the client's connection can take another request afterwards."""
        self.stream: ClientStream | None = None
        """The client, if it speaks HTTP/2: it gets heads and bodies apart (`start_http1`, `write`, `finish`)."""
        self.plain = not http10 and method != b"HEAD"
        """Nothing has to be done to the answer, unless the client's connection ends with it."""
        self.trace = b""
        """The trace's id; of one that the client began, `ID/SPAN;o=SAMPLED`."""
        self.encoded = b""
        """The head as the instance gets it."""
        self.pending: list[bytes] = []
        """The part of the body that came before there was an instance to send it to."""
        self.received = 0
        """Bytes of the body so far."""
        self.body_done = False
        self.started = 0.0
        self.activator: Activator | None = None
        self.instance: RemoteInstance | None = None
        self.upstream: InstanceConnection | InstanceStream | None = None
        self.refusal: Refusal | None = None
        """Why it is not the instance that answers. The parser's objection comes before it is this request's turn."""
        self.refused_by = ""
        """The revision that knows nothing of it, but logs that it was not let in."""
        self.waited = 0.0
        """Seconds until there was a slot for it, if there was none at once."""
        self.answered = False
        """The client has been sent something of the answer."""
        self.status = 0
        self.sent = 0
        self.over = False
        self.retried = False
        """It has been sent a second time already."""
        self.declined = 0
        """So many times an instance has said that it does not begin it."""
        self.session: bytes | None = None
        """What the client's cookie says of the instance that it was with; None: its revision has no affinity."""

    @property
    def bounded(self) -> bool:
        """The answer has a known length, and is coming."""
        return self.upstream is not None and self.upstream.bounded

    @property
    def idempotent(self) -> bool:
        return self.method in _IDEMPOTENT

    @property
    def repeatable(self) -> bool:
        """Sending it again cannot do harm, and is possible."""
        return self.idempotent and self.body_done and not self.received and not self.answered

    def abandon(self) -> None:
        """Nobody waits for the answer of the instance any more."""
        upstream, self.upstream = self.upstream, None
        self.over = True
        if upstream is not None:
            upstream.abandon()
        elif self.instance is not None:
            self.instance.abandon(self)
        elif self.activator is not None:
            self.activator.cancel(self)

    def __repr__(self) -> str:
        where = self.instance.id if self.instance else "no instance"
        return f"<Exchange {self.method.decode()} {self.target.decode()} {self.status or 'unanswered'} by {where}>"
