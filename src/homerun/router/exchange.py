"""One request and its answer.

Whoever has it last must end it: `ClientConnection.finish` counts it and goes on to the next one. A slot that it holds
belongs to the connection to the instance, which may outlive the exchange (a client that left, a timeout).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homerun.router.activator import Activator
    from homerun.router.errors import Refusal
    from homerun.router.headers import RequestHead
    from homerun.router.instance import RemoteInstance
    from homerun.router.protocol import ClientConnection
    from homerun.router.upstream import InstanceConnection

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"))


class Exchange:
    __slots__ = (
        "activator",
        "answered",
        "body_done",
        "client",
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
        "retried",
        "sent",
        "session",
        "started",
        "status",
        "upstream",
        "waited",
    )

    def __init__(self, client: ClientConnection, method: bytes, head: RequestHead, http10: bool, keep: bool) -> None:
        self.client = client
        self.method = method
        self.head = head
        self.http10 = http10
        self.keep_alive = keep
        """Whether the client's connection can take another request afterwards."""
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
        self.upstream: InstanceConnection | None = None
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

    def __repr__(self) -> str:
        where = self.instance.id if self.instance else "no instance"
        return f"<Exchange {self.method.decode()} {self.head.target.decode()} {self.status or 'unanswered'} by {where}>"
