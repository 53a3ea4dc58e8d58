"""Names out of hellos: of Python's own client, cut, split and spoilt."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.router.client_hello import MOST, server_name


def hello(name: str | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    said = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=name).do_handshake()
    return said.read()


HELLO = hello("www.example.com")


def split(data: bytes, size: int) -> bytes:
    """The same message in records of `size` bytes."""
    message = data[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(data[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def test_the_name_is_found() -> None:
    assert server_name(HELLO) == "www.example.com"
    assert server_name(HELLO + b"more") == "www.example.com"


def test_who_names_nobody_has_no_name() -> None:
    assert server_name(hello(None)) == ""


def test_a_part_of_it_wants_the_rest() -> None:
    assert {server_name(HELLO[:size]) for size in range(len(HELLO))} == {None}


@pytest.mark.parametrize("size", [1, 3, 4, 7, 100])
def test_it_may_be_in_many_records(size: int) -> None:
    data = split(HELLO, size)
    assert server_name(data) == "www.example.com"
    assert server_name(data[:-1]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x00" + HELLO,  # an empty record
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",  # a server's hello
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",  # with nothing in it
        b"\x15\x03\x01\x00\x02\x02\x00",  # an alert
        b"\x16\x03\x01\xff\xff\x01\x00\xff\xff" + b"\0" * MOST,  # longer than is looked at
        HELLO.replace(b"www.example.com", b"www.ex\xffmple.com"),
    ],
)
def test_what_makes_no_sense_has_no_name(data: bytes) -> None:
    assert server_name(data) == ""


@given(st.binary(max_size=400))
def test_garbage_is_survived(data: bytes) -> None:
    server_name(data)
    server_name(b"\x16\x03\x01" + data)


@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255))
def test_a_spoilt_hello_is_survived(at: int, value: int) -> None:
    server_name(HELLO[:at] + bytes([value]) + HELLO[at + 1 :])
