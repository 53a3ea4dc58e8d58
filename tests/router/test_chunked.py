from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.router.chunked import LAST, ChunkedDecoder, encode, end

WHOLE = b"5\r\nhello\r\n6;a=b\r\n world\r\n000\r\nTrailer: t\r\n\r\n"


def test_payload_comes_out() -> None:
    decoder = ChunkedDecoder()
    assert decoder.feed(WHOLE) == b"hello world"
    assert decoder.done and decoder.rest == b""


def test_what_follows_is_left_over() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(WHOLE + b"HTTP/1.1")
    assert decoder.done and decoder.rest == b"HTTP/1.1"


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8))
def test_it_does_not_matter_how_it_is_cut(cuts: list[int]) -> None:
    decoder, got, before = ChunkedDecoder(), b"", 0
    for cut in [*sorted(cuts), len(WHOLE)]:
        got += decoder.feed(WHOLE[before:cut])
        before = cut
    assert got == b"hello world" and decoder.done


@given(st.lists(st.binary(max_size=50)), st.integers(1, 7))
def test_what_is_encoded_is_decoded(payloads: list[bytes], step: int) -> None:
    data = b"".join(map(encode, payloads)) + LAST
    decoder = ChunkedDecoder()
    got = b"".join(decoder.feed(data[at : at + step]) for at in range(0, len(data), step))
    assert got == b"".join(payloads) and decoder.done and not decoder.rest


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x5\r\n",
        b"\r\n",
        b"5\nhello\n0\n\n\r\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhelloX",
        b"5 5\r\n",
        b"1" * 16 + b"\r\n",
        b"5;" + b"x" * 9000,
        b"0\r\n" + b"x" * 9000,
        b"0\r\n" + (b"A: " + b"x" * 8000 + b"\r\n") * 9,
        b"0\r\nno field\r\n\r\n",
        b"0\r\nA : b\r\n\r\n",
        b"0\r\nA: b\0c\r\n\r\n",
    ],
)
def test_wrong_framing_is_an_error(data: bytes) -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(ValueError):
        decoder.feed(data)


def test_nothing_is_encoded_as_nothing_as_an_empty_chunk_would_be_the_end() -> None:
    assert encode(b"") == b""


def test_trailers_are_passed_on_but_for_those_that_come_too_late() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(b"0\r\nDigest:  abc\r\nContent-Length: 3\r\nset-cookie: a\r\nX-Forwarded-For: me\r\nEmpty:\r\n\r\n")
    assert end(decoder.trailers) == b"0\r\nDigest: abc\r\nEmpty: \r\n\r\n"
    assert end([]) == LAST
