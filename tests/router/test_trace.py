from __future__ import annotations

import re

import pytest

from homerun.router.trace import Trace

ID = b"105445aa7843bc8bf206b12000100000"


class Head:
    trace = b""


def start(trace: Trace) -> tuple[bytes, bytes]:
    head = Head()
    return head.trace or b"".join(trace.start(head)), head.trace


def test_both_headers_of_a_new_trace_say_the_same() -> None:
    lines, id = start(Trace())
    match = re.fullmatch(
        rb"X-Cloud-Trace-Context: ([0-9a-f]{32})/(\d+);o=0\r\ntraceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-00\r\n",
        lines,
    )
    assert match is not None, lines
    assert match[1] == match[3] == id
    assert int(match[2]) == int(match[4], 16) > 0


def test_ids_do_not_repeat_and_their_low_bits_are_spread() -> None:
    trace = Trace(7)
    ids = [start(trace)[1] for _ in range(4096)]
    assert len(set(ids)) == 4096
    sampled = sum(int(id[-14:], 16) < 1 << 52 for id in ids)
    assert 4096 / 16 * 0.8 < sampled < 4096 / 16 * 1.2


@pytest.mark.parametrize("seed", [0, 1, (1 << 192) - 1])
def test_any_seed_gives_ids_of_the_right_length(seed: int) -> None:
    lines, id = start(Trace(seed))
    assert len(id) == 32 and b"-0000000000000000-" not in lines


def test_two_routers_do_not_make_the_same_ids() -> None:
    assert start(Trace())[1] != start(Trace())[1]


@pytest.mark.parametrize(
    ("context", "parent", "expected"),
    [
        (b"", b"00-%b-00f067aa0ba902b7-01" % ID, (b"%b/67667974448284343;o=1" % ID, b"00-%b-00f067aa0ba902b7-01" % ID)),
        (b"", b"00-%b-00f067aa0ba902b7-00" % ID, (b"%b/67667974448284343;o=0" % ID, b"00-%b-00f067aa0ba902b7-00" % ID)),
        (b"%b/1;o=1" % ID, b"", (b"%b/1;o=1" % ID, b"00-%b-0000000000000001-01" % ID)),
        (b"%b/255" % ID, b"", (b"%b/255" % ID, b"00-%b-00000000000000ff-00" % ID)),
        (b"%b" % ID.upper(), b"", (b"%b" % ID.upper(), b"00-%b-0000000000000001-00" % ID)),
        (b"%b/5" % ID, b"garbage", (b"%b/5" % ID, b"00-%b-0000000000000005-00" % ID)),
        (b"x/1;o=1", b"00-%b-00f067aa0ba902b7-01" % ID, (b"x/1;o=1", b"00-%b-00f067aa0ba902b7-01" % ID)),
    ],
)
def test_a_trace_is_continued_in_both_notations(context: bytes, parent: bytes, expected: tuple[bytes, bytes]) -> None:
    head = Head()
    lines = b"".join(Trace(0).resume(head, context, parent))
    assert lines == b"X-Cloud-Trace-Context: %b\r\ntraceparent: %b\r\n" % expected
    _, id, span, flags = expected[1].split(b"-")
    assert head.trace == b"%b/%b;o=%d" % (id, span, int(flags))


@pytest.mark.parametrize("context", [b"", b"1234/1;o=1", ID + b"/x", ID + b"0"])
@pytest.mark.parametrize("parent", [b"", b"00-1-2-3", b"00-%b-00f067aa0ba902b7" % ID])
def test_what_cannot_be_understood_is_no_trace(context: bytes, parent: bytes) -> None:
    head, new = Head(), Head()
    assert Trace(0).resume(head, context, parent) == Trace(0).start(new)
    assert head.trace == new.trace
