"""Questions and answers, byte by byte."""

import struct

import pytest

from homerun.wire import dns


def query(name: str, kind: int = dns.A, id: int = 7, flags: int = 0x0100, group: int = 1, extra: bytes = b"") -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return struct.pack(">HHHHHH", id, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, group) + extra


def test_a_question_is_its_name_in_lower_case_and_its_kind() -> None:
    packet = query("Hello.Run.LOCALHOST", kind=28, extra=b"additional")
    asked = dns.question(packet)
    assert asked == dns.Question("hello.run.localhost", 28, len(packet) - len(b"additional"))
    root = dns.question(query(""))
    assert root is not None and root.name == ""


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0" * 11,
        query("a", flags=0x8180),
        query("a", group=3),
        query("a")[:-1],
        struct.pack(">HHHHHH", 1, 0, 2, 0, 0, 0) + query("a")[12:],
        struct.pack(">HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",
        struct.pack(">HHHHHH", 1, 0, 1, 0, 0, 0) + b"\x3fshort",
    ],
)
def test_what_is_no_plain_question(packet: bytes) -> None:
    assert dns.question(packet) is None


def test_an_answer_repeats_the_question_and_says_where() -> None:
    packet = query("x.localhost", extra=b"additional")
    asked = dns.question(packet)
    assert asked is not None
    made = dns.answer(packet, asked, ["10.1.0.1", "10.1.0.2"])
    id, flags, questions, answers, authorities, more = struct.unpack_from(">HHHHHH", made)
    assert (id, questions, answers, authorities, more) == (7, 1, 2, 0, 0)
    assert flags == 0x8580, "an answer, wanted with recursion, without an error"
    assert made[12 : asked.end] == packet[12 : asked.end]
    record = struct.Struct(">HHHIH4s")
    assert record.unpack_from(made, asked.end) == (0xC00C, 1, 1, dns.TTL, 4, bytes([10, 1, 0, 1]))
    assert len(made) == asked.end + 2 * record.size


def test_there_is_no_other_kind_of_address() -> None:
    packet = query("x.localhost", kind=28, flags=0)
    asked = dns.question(packet)
    assert asked is not None
    made = dns.answer(packet, asked, ["10.1.0.1"])
    assert struct.unpack_from(">HHHHHH", made) == (7, 0x8480, 1, 0, 0, 0)
    failed = dns.answer(packet, asked, (), dns.SERVFAIL)
    assert struct.unpack_from(">HH", failed)[1] == 0x8482
