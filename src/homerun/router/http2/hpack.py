"""The compression of headers (RFC 7541), as far as possible without its state.

Both directions do without the dynamic table. We announce a table of size zero; once the other end's encoder has
switched to it, what a block means depends on nothing but its bytes. So blocks that were seen before, on whatever
connection, need not be read again: `message` remembers what they said. The `hpack` library reads what the other end
sends until then, or when it never switches, and says what is wrong with a block that is not as it should be.
"""

from __future__ import annotations

from functools import lru_cache

from hpack.exceptions import HPACKError, OversizedHeaderListError
from hpack.hpack import Decoder
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from homerun.lib.http2.codes import Code, ConnectionFault

Fields = list[tuple[bytes, bytes]]
MAX_LIST = 256 << 10
"""Bytes of headers after decompression beyond which a connection is given up: what is merely too large for us is
answered with 431 in good order."""

_STATIC: list[tuple[bytes, bytes]] = [(b"", b""), *HeaderTable.STATIC_TABLE]
_NAMES: dict[bytes, int] = {}
for _index, (_name, _) in reversed(list(enumerate(_STATIC))[1:]):
    _NAMES[_name] = _index
_WHOLE = {field: index for index, field in enumerate(_STATIC) if field[1]}
_SECRET = frozenset((b"authorization", b"cookie", b"set-cookie", b"proxy-authorization", b"x-serverless-authorization"))

_remembered = lru_cache(1024)(decode_huffman)
_MEMORABLE = 2048
"""Bytes of a string up to which it is worth remembering."""
MEMORABLE_FIELD = 256
"""Bytes of a field up to which it is worth remembering."""
_SMALL = 4096
"""Bytes of a block which cannot say too much, whatever it says."""


class BlockReader:
    """One connection's decoder."""

    __slots__ = ("_decoder", "stateless")

    def __init__(self) -> None:
        self._decoder = Decoder(MAX_LIST)
        self.stateless = False
        """The other end's table is empty and stays so, unless a block says otherwise in its first byte."""

    def read(self, block: bytes) -> Fields:
        """Raises ConnectionFault: later blocks could not be understood."""
        if self.stateless:
            try:
                fields = _read_stateless(block)
                if len(block) > _SMALL:
                    _check_size(fields)
                return fields
            except (IndexError, HPACKError):
                # Wrong, or a change of the table's size: in both cases the library knows.
                pass
        try:
            fields = [(name, value) for name, value in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError as error:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, str(error)) from None
        except HPACKError as error:
            raise ConnectionFault(Code.COMPRESSION_ERROR, str(error)) from None
        self.stateless = self._decoder.header_table_size == 0
        return fields


def _check_size(fields: Fields) -> None:
    if sum(len(name) + len(value) + 32 for name, value in fields) > MAX_LIST:
        raise ConnectionFault(Code.ENHANCE_YOUR_CALM, f"a header list of more than {MAX_LIST} bytes")


def _read_stateless(block: bytes) -> Fields:
    """Raises IndexError for anything unexpected."""
    fields: Fields = []
    at, end = 0, len(block)
    while at < end:
        first = block[at]
        at += 1
        if first & 0x80:
            # 61 entries: a larger number is a mistake, and 0 too.
            fields.append(_STATIC[first & 0x7F if first != 0x80 else 127])
            continue
        if first & 0x60 == 0x20:
            raise IndexError("a change of the table's size")
        mask = 0x3F if first & 0x40 else 0x0F
        index = first & mask
        if index == mask:
            more, at = _number(block, at)
            index += more
        if index:
            name = _STATIC[index][0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        fields.append((name, value))
    return fields


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    first = block[at]
    at += 1
    length = first & 0x7F
    if length == 0x7F:
        more, at = _number(block, at)
        length += more
    stop = at + length
    if stop > len(block):
        raise IndexError("cut off")
    piece = block[at:stop]
    if not first & 0x80:
        return piece, stop
    return (_remembered(piece) if length <= _MEMORABLE else decode_huffman(piece)), stop


def _number(block: bytes, at: int) -> tuple[int, int]:
    """The rest of a number that did not fit its prefix."""
    number = shift = 0
    while True:
        octet = block[at]
        at += 1
        number += (octet & 0x7F) << shift
        if not octet & 0x80:
            return number, at
        shift += 7
        if shift > 28:
            raise IndexError("too large")


def encode(name: bytes, value: bytes) -> bytes:
    """One field, so that it changes nobody's table."""
    return _known(name, value) if len(name) + len(value) <= MEMORABLE_FIELD else _encode(name, value)


def _encode(name: bytes, value: bytes) -> bytes:
    whole = _WHOLE.get((name, value))
    if whole is not None:
        return bytes((0x80 | whole,))
    first = 0x10 if name in _SECRET else 0
    index = _NAMES.get(name, 0)
    if index:
        return _prefixed(first, 15, index) + _prefixed(0, 127, len(value)) + value
    return bytes((first,)) + _prefixed(0, 127, len(name)) + name + _prefixed(0, 127, len(value)) + value


_known = lru_cache(4096)(_encode)


def _prefixed(first: int, mask: int, number: int) -> bytes:
    if number < mask:
        return bytes((first | number,))
    made = [first | mask]
    number -= mask
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


NO_TABLE = b"\x20"
"""Begins our first block when the other end offers a table: we do not use it (§4.2)."""
