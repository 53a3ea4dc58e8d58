from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.wire import link
from homerun.wire.link import (
    Access,
    Demand,
    FrameDecoder,
    Hello,
    Inspect,
    Inspected,
    InstanceBusy,
    InstanceDrain,
    InstanceDrained,
    InstanceFailed,
    InstanceGone,
    InstanceIdle,
    InstanceUp,
    InstanceUse,
    KeySet,
    Message,
    RequestLog,
    RevisionGone,
    RevisionSet,
    RouteGone,
    RouteSet,
    Snapshot,
    Target,
    Usage,
)

ROUTE = RouteSet("s", ["a.example"], [Target("r", 90), Target("q", 10, "green")])
PRIVATE = RouteSet("t", ["b.example"], [], Access(["http://b.example"], ["1"], ["example.com"], True), "internal")
REVISION = RevisionSet("r", 80, 300, 10, 100, "it exited", True, True)
UP = InstanceUp("r", "i", "10.0.0.1", 8080)
TO_ROUTER: list[Message] = [
    ROUTE,
    PRIVATE,
    RouteGone("s"),
    REVISION,
    RevisionGone("r"),
    UP,
    InstanceDrain("i"),
    InstanceGone("i"),
    Inspect(),
    KeySet({"k": "-----BEGIN PUBLIC KEY-----"}),
    Snapshot([ROUTE, PRIVATE], [REVISION], [UP], ["i"], KeySet({"k": "PEM"})),
]
TO_CONTROL: list[Message] = [
    Hello(7, [Demand("r", 1, 2)]),
    Inspected(3, 1, 2, [Demand("r", 1, 2)]),
    Demand("r", 1, 2),
    Usage("r", 1.5, 0.25, 1, 2, 3, [InstanceUse("i", 1, 0.5, 3, 0.0)]),
    InstanceFailed("i", "refused"),
    InstanceDrained("i"),
    InstanceIdle("i"),
    InstanceBusy("i"),
    RequestLog(
        "r", "i", 1.5, 0.25, b"GET", b"http://a/", 200, 1, 2, b"agent", "192.0.2.1", b"0" * 32, "refused", 0.5, "HTTP/2"
    ),
]


def kind(message: Message) -> str:
    return type(message).__name__


@pytest.mark.parametrize("message", TO_ROUTER, ids=kind)
def test_each_message_to_the_router_arrives_as_it_was_sent(message: Message) -> None:
    (body,) = FrameDecoder().feed(link.encode(message))
    assert link.decode_to_router(body) == message


@pytest.mark.parametrize("message", TO_CONTROL, ids=kind)
def test_each_message_to_control_arrives_as_it_was_sent(message: Message) -> None:
    (body,) = FrameDecoder().feed(link.encode(message))
    assert link.decode_to_control(body) == message


def test_every_message_is_covered_here() -> None:
    assert {type(m) for m in TO_ROUTER} == set(link.ToRouter.__args__)
    assert {type(m) for m in TO_CONTROL} == set(link.ToControl.__args__)


def test_many_messages_in_one_piece_are_the_same_frames() -> None:
    assert link.encode_all(TO_CONTROL) == b"".join(map(link.encode, TO_CONTROL))
    assert link.encode_all([]) == b""


@given(st.lists(st.integers(0, 200), max_size=10))
def test_frames_may_be_cut_anywhere(cuts: list[int]) -> None:
    data = b"".join(map(link.encode, TO_CONTROL))
    decoder, got, before = FrameDecoder(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        got += [link.decode_to_control(body) for body in decoder.feed(data[before:cut])]
        before = max(before, cut)
    assert got == TO_CONTROL


def test_a_frame_that_is_too_large_is_an_error_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        list(FrameDecoder().feed(b"\xff\xff\xff\xff"))


def test_the_other_side_s_messages_are_not_understood() -> None:
    (body,) = FrameDecoder().feed(link.encode(Demand("r", 1, 2)))
    with pytest.raises(ValueError):
        link.decode_to_router(body)
