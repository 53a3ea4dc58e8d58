"""One request and its answer.

Whoever has it last must end it: `ClientConnection.finish` counts it and goes on to the next one. A slot that it holds
belongs to the connection to the instance, which may outlive the exchange (a client that left, a timeout).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homerun.router import errors

if TYPE_CHECKING:
    from homerun.router.activator import Activator
    from homerun.router.errors import Refusal
    from homerun.router.headers import RequestHead
    from homerun.router.instance import RemoteInstance
    from homerun.router.options import Options

CLIENT_LEFT = 499
"""The status in the request log when nobody was there to take an answer."""
LONG_HEAD = 1 << 11
"""Bytes of a head that are too few for too many headers."""
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"))


class Exchange:
    __slots__ = (
        "activator",
        "answered",
        "body_done",
        "client",
        "declined",
        "encoded",
        "head",
        "http2",
        "http10",
        "instance",
        "keep_alive",
        "method",
        "over",
        "pending",
        "plain",
        "received",
        "refusal",
        "retried",
        "sent",
        "session",
        "started",
        "status",
        "upstream",
        "waited",
    )

    def __init__(self, client: Any, method: bytes, head: RequestHead, http10: bool, keep: bool) -> None:
        self.client = client
        """`protocol.ClientConnection`, or `http2.client.ClientStream`, which does the same for one stream."""
        self.method = method
        self.head = head
        self.http10 = http10
        self.keep_alive = keep
        """Whether the client's connection can take another request afterwards."""
        self.http2 = False
        """The client speaks HTTP/2: it gets heads and bodies apart (`start_http1`, `write`, `finish`)."""
        self.plain = not http10 and method != b"HEAD"
        """Nothing has to be done to the answer, unless the client's connection ends with it."""
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
        self.upstream: Any = None
        """`upstream.InstanceConnection`, or `http2.instance.InstanceStream`, which does the same for one stream."""
        self.refusal: Refusal | None = None
        """Why it is not the instance that answers. The parser's objection comes before it is this request's turn."""
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
        return self.upstream is not None and bool(self.upstream.bounded)

    @property
    def idempotent(self) -> bool:
        return self.method in _IDEMPOTENT

    @property
    def repeatable(self) -> bool:
        """Sending it again cannot do harm, and is possible."""
        return self.idempotent and self.body_done and not self.received and not self.answered

    def weigh(self, options: Options) -> Refusal | None:
        """Of one with a long head: whether it is too long, or has too many headers."""
        if len(self.encoded) > options.head_limit:
            return errors.head_too_large(options.head_limit)
        if len(self.head.lines) > 4 * options.header_count:
            return errors.too_many_headers(options.header_count)
        return None

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
        return f"<Exchange {self.method.decode()} {self.head.target.decode()} {self.status or 'unanswered'} by {where}>"
