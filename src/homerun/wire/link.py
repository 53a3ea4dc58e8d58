"""What control and router say to each other, over one Unix socket.

Frames are a 4-byte big-endian length and a msgpack message. A router connects, says Hello, and gets a Snapshot, then
deltas. It keeps serving what it knows while control is away and says Hello again when it is back. Names of services
and revisions are full v2 resource names.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

_LENGTH = struct.Struct(">I")
MAX_FRAME = 64 << 20


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages; the tag on the wire is the class name."""


# control -> router


class Target(msgspec.Struct, frozen=True, array_like=True):
    """A share of a service's traffic. `tag` gives the revision a host name of its own."""

    revision: str
    percent: int
    tag: str = ""


class Access(msgspec.Struct, frozen=True, array_like=True):
    """Who may call a private service, with an ID token for one of `audiences`: those who are in `subjects` (the `sub`
    of their tokens), whose e-mail address is in one of `domains`, or, if `known`, whoever has a token at all."""

    audiences: list[str]
    subjects: list[str]
    domains: list[str]
    known: bool = False


class RouteSet(Message, frozen=True):
    """Create or replace a service's routes. `hosts`: lower case, without port; empty `targets`: not ready yet. `access`
    None: anybody may call it. `ingress`: from where; internal is from this machine and private networks."""

    service: str
    hosts: list[str]
    targets: list[Target]
    access: Access | None = None
    ingress: Literal["all", "internal", "none"] = "all"


class RouteGone(Message, frozen=True):
    service: str


class RevisionSet(Message, frozen=True):
    """What the data plane must know of a revision. Seconds. `queue_deadline` = max(3.5 x average startup, 10).
    `max_instances` 0: it is disabled, and requests that find no instance are refused at once."""

    revision: str
    concurrency: int
    timeout: float
    queue_deadline: float
    max_instances: int
    failure: str = ""
    """Why instances do not start, when the last ones failed: waiting requests are answered 503 with it."""
    affinity: bool = False
    """Clients are led back to the instance that they were with, by a cookie."""
    throttled: bool = False
    """Its instances have nearly no CPU without requests: say InstanceIdle and InstanceBusy of them."""
    h2c: bool = False
    """Its instances speak HTTP/2: their port is named h2c."""


class RevisionGone(Message, frozen=True):
    revision: str


class InstanceUp(Message, frozen=True):
    """Ready for requests, even if it was draining; or known, but `unready`: nothing new is for it until it is said to
    be up again. `turn`: how many times it was taken back from draining."""

    revision: str
    instance: str
    host: str
    port: int
    unready: bool = False
    turn: int = 0


class InstanceDrain(Message, frozen=True):
    """Send it nothing new; say InstanceDrained when its last request is answered."""

    instance: str


class InstanceGone(Message, frozen=True):
    """Its process ended: requests in flight fail with 503, or with 500 and `oom`, if that says that it had used up its
    memory."""

    instance: str
    oom: str = ""


class KeySet(Message, frozen=True):
    """With what to check ID tokens: public keys (PEM) by id."""

    keys: dict[str, str]


class Inspect(Message, frozen=True):
    """Somebody looks at the metrics: answer with Inspected."""


class Snapshot(Message, frozen=True):
    """Everything. What it does not mention is gone; what it does mention keeps its requests in flight."""

    routes: list[RouteSet]
    revisions: list[RevisionSet]
    instances: list[InstanceUp]
    draining: list[str]
    keys: KeySet = KeySet({})


# router -> control


class Hello(Message, frozen=True):
    """The router's pid, and every revision's load right now: control may have just been restarted. It is the router
    `index` of `count` (core.ownership)."""

    pid: int
    loads: list[Demand]
    index: int = 0
    count: int = 1


class Demand(Message, frozen=True):
    """Sent in the same turn of the event loop in which requests had to wait for want of a free slot, once per turn."""

    revision: str
    waiting: int
    in_flight: int


class InstanceUse(msgspec.Struct, frozen=True, array_like=True):
    """Seconds: `busy` with at least one request since the last usage, in steps of 100 ms as they are billed (contract
    §6); `idle` since its last request ended (0: busy)."""

    instance: str
    in_flight: int
    busy: float
    requests: int
    idle: float


class Usage(Message, frozen=True):
    """Once a second while there is any traffic, and once more when it ends (all zero): then silence.

    `concurrency`: average number of requests in flight or waiting since the last one. `billed` (milliseconds) and
    `answered` (requests) never fall: they are all that the router's `counter` of this revision has counted, so that
    what control had not written down when it was killed is told again.
    """

    revision: str
    at: float
    concurrency: float
    in_flight: int
    waiting: int
    requests: int
    instances: list[InstanceUse]
    counter: str = ""
    billed: int = 0
    answered: int = 0


class InstanceFailed(Message, frozen=True):
    """It could not be connected to. The router sends it nothing more, unless it is reported up again."""

    instance: str
    reason: str


class InstanceDrained(Message, frozen=True):
    """`turn`: that of its last InstanceUp, as it may be taken back before this is read; -1: it is not known here."""

    instance: str
    turn: int = 0


class InstanceIdle(Message, frozen=True):
    """Of a throttled revision: no request of this router for a while. Its next one is announced by InstanceBusy.

    Each counts as busy in each router from its InstanceUp on, and all do again after a Snapshot.
    """

    instance: str


class InstanceBusy(Message, frozen=True):
    """Of a throttled revision, idle until now: a request is on its way to it."""

    instance: str


class Inspected(Message, frozen=True):
    """What a router has right now: connections of users, and the load of every revision that has any. Since it started:
    connections handed over to other routers, and request logs dropped because control did not keep up."""

    connections: int
    handed_over: int
    dropped: int
    loads: list[Demand]


class RequestLog(Message, frozen=True, gc=False):
    """One answered request, for the request log (contract §1.13). Sent in batches with the usage.

    What came as bytes stays bytes (in Latin-1): few logs are ever read.
    """

    revision: str
    instance: str
    at: float
    latency: float
    method: bytes
    url: bytes
    status: int
    request_size: int
    response_size: int
    user_agent: bytes
    remote_ip: str
    trace: bytes
    """Its id; of one that a client began, `ID/SPAN;o=SAMPLED` with the span in 16 hexadecimal digits."""
    text: str = ""
    """What there is to say about it, if it was refused."""
    waited: float = 0.0
    """Seconds until there was a slot for it; 0 if there was one at once."""
    protocol: str = "HTTP/1.1"


ToRouter = (
    RouteSet
    | RouteGone
    | RevisionSet
    | RevisionGone
    | InstanceUp
    | InstanceDrain
    | InstanceGone
    | KeySet
    | Inspect
    | Snapshot
)
ToControl = (
    Hello | Demand | Usage | InstanceFailed | InstanceDrained | InstanceIdle | InstanceBusy | Inspected | RequestLog
)

_encoder = msgspec.msgpack.Encoder()


def encode(message: Message) -> bytes:
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def encode_all(messages: Sequence[Message]) -> bytes:
    """Many frames in one piece."""
    frames = bytearray()
    for message in messages:
        start = len(frames)
        frames += b"\0\0\0\0"
        _encoder.encode_into(message, frames, -1)
        _LENGTH.pack_into(frames, start, len(frames) - start - _LENGTH.size)
    return bytes(frames)


class FrameDecoder:
    """Bytes in, bodies of frames out. Raises ValueError on a frame over MAX_FRAME."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise ValueError(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield body


decode_to_router = msgspec.msgpack.Decoder(ToRouter).decode
decode_to_control = msgspec.msgpack.Decoder(ToControl).decode
