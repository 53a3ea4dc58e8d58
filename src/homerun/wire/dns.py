"""As much of DNS (RFC 1035) as it takes to answer for a few names and to know which questions are about others."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_HEADER = struct.Struct(">HHHHHH")
_QUERY_BITS, _RECURSION_DESIRED = 0xF800, 0x0100
_ANSWER = 0x8480
"""A response, by who knows it first hand, who would ask others too (QR, AA, RA)."""
_POINTER_TO_NAME = 0xC00C
A, IN = 1, 1
SERVFAIL = 2
TTL = 60


@dataclass(frozen=True, slots=True)
class Question:
    """`name`: in lower case, without the dot at its end. `end`: where in the packet the question ends."""

    name: str
    kind: int
    end: int


def question(packet: bytes) -> Question | None:
    """The question of a plain query; None: it is something else."""
    if len(packet) < _HEADER.size:
        return None
    _, flags, count, *_ = _HEADER.unpack_from(packet)
    if flags & _QUERY_BITS or count != 1:
        return None
    labels, at = [], _HEADER.size
    while at < len(packet) and (length := packet[at]):
        # Two set bits would be a pointer, and there is nothing yet to point at.
        if length > 63:
            return None
        labels.append(packet[at + 1 : at + 1 + length].decode("latin-1").lower())
        at += 1 + length
    if len(packet) < at + 5:
        return None
    kind, group = struct.unpack_from(">HH", packet, at + 1)
    return Question(".".join(labels), kind, at + 5) if group == IN else None


def answer(query: bytes, asked: Question, addresses: Sequence[str], code: int = 0) -> bytes:
    """`addresses`: IPv4; of a question about anything else than those, that there is nothing of the kind."""
    found = addresses if asked.kind == A else ()
    id, flags = struct.unpack_from(">HH", query)
    head = _HEADER.pack(id, _ANSWER | flags & _RECURSION_DESIRED | code, 1, len(found), 0, 0)
    records = [struct.pack(">HHHIH", _POINTER_TO_NAME, A, IN, TTL, 4) + socket.inet_aton(each) for each in found]
    return head + query[_HEADER.size : asked.end] + b"".join(records)
