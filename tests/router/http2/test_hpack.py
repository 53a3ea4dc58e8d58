from __future__ import annotations

import pytest
from hpack.hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from homerun.lib.http2.codes import Code, ConnectionFault
from homerun.router.http2 import hpack
from homerun.router.http2.hpack import BlockReader, encode

NAMES = st.one_of(
    st.sampled_from([b":status", b"content-type", b"cookie", b"authorization", b"x-mine", b"accept-encoding"]),
    st.binary(min_size=1, max_size=200),
)
FIELDS = st.lists(st.tuples(NAMES, st.one_of(st.binary(max_size=300), st.just(b"gzip, deflate"))), max_size=12)


def stateless_pair() -> tuple[Encoder, BlockReader]:
    """An encoder that has been told of a table of size zero, and a reader that has heard that it knows."""
    encoder, reader = Encoder(), BlockReader()
    encoder.header_table_size = 0
    assert reader.read(encoder.encode([(b"a", b"b")])) == [(b"a", b"b")]
    assert reader.stateless
    return encoder, reader


@given(FIELDS)
def test_what_is_encoded_is_read_by_everybody_and_changes_no_table(fields: list[tuple[bytes, bytes]]) -> None:
    block = b"".join(encode(name, value) for name, value in fields)
    decoder = Decoder()
    assert [tuple(field) for field in decoder.decode(block, raw=True)] == fields
    assert not decoder.header_table.dynamic_entries
    assert stateless_pair()[1].read(block) == fields


@given(st.lists(FIELDS, max_size=4), st.booleans())
def test_blocks_are_read_whether_the_other_end_keeps_a_table_or_not(
    messages: list[list[tuple[bytes, bytes]]], stateless: bool
) -> None:
    encoder, reader = stateless_pair() if stateless else (Encoder(), BlockReader())
    for fields in messages:
        assert reader.read(encoder.encode(fields)) == fields
    assert reader.stateless is stateless


def test_a_table_that_comes_back_is_respected() -> None:
    encoder, reader = stateless_pair()
    encoder.header_table_size = 4096
    fields = [(b"x-one", b"1"), (b"x-two", b"2")]
    assert reader.read(encoder.encode(fields)) == fields
    assert not reader.stateless
    block = encoder.encode(fields)
    assert len(block) == 2, "it is in the table now"
    assert reader.read(block) == fields


@given(st.binary(max_size=60))
def test_rubbish_is_a_fault_or_says_what_the_library_says(block: bytes) -> None:
    _, reader = stateless_pair()
    try:
        fields = reader.read(block)
    except ConnectionFault as fault:
        assert fault.code is Code.COMPRESSION_ERROR
        return
    decoder = Decoder()
    decoder.header_table_size = 0
    decoder.max_allowed_table_size = 4096
    assert [tuple(field) for field in decoder.decode(block, raw=True)] == fields


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",
        b"\xbe",
        b"\xff\xff\xff\xff\xff\xff",
        b"\x00\x05ab",
        b"\x00\x01a",
        b"\x0f",
        b"\x00\x7f\xff\xff\xff\xff\xff\x00",
        b"\x00\x81\x00\x00",
    ],
)
def test_what_no_block_can_be_is_a_fault(block: bytes) -> None:
    with pytest.raises(ConnectionFault) as caught:
        stateless_pair()[1].read(block)
    assert caught.value.code is Code.COMPRESSION_ERROR


@pytest.mark.parametrize("stateless", [True, False])
def test_few_bytes_that_say_very_much_are_a_fault(stateless: bool) -> None:
    _, reader = stateless_pair() if stateless else (None, BlockReader())
    with pytest.raises(ConnectionFault) as caught:
        reader.read(b"\x90" * 20_000)
    assert caught.value.code is Code.ENHANCE_YOUR_CALM


def test_secrets_are_marked_so_that_nobody_keeps_them() -> None:
    assert encode(b"authorization", b"Bearer x")[0] & 0xF0 == 0x10
    assert encode(b"x-serverless-authorization", b"Bearer x")[0] == 0x10
    assert encode(b"accept", b"*/*")[0] & 0xF0 == 0


def test_long_strings_are_not_remembered() -> None:
    _, reader = stateless_pair()
    encoder = Encoder()
    encoder.header_table_size = 0
    before = hpack._remembered.cache_info().currsize
    value = b"0" * 20_000
    assert reader.read(encoder.encode([(b"x", value)])) == [(b"x", value)]
    assert hpack._remembered.cache_info().currsize <= before + 1
