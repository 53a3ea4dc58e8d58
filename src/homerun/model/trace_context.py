"""Which trace a request belongs to, in short: the id of a trace that the router began, and `ID/SPAN;o=SAMPLED` of one
that its client did, with the span in 16 hexadecimal digits. The router's own span follows from the id.
"""

from __future__ import annotations

from typing import NamedTuple

_MASK = (1 << 63) - 1


class TraceContext(NamedTuple):
    """`span`: 16 hexadecimal digits."""

    trace: str
    span: str
    sampled: bool

    @classmethod
    def parse(cls, text: str) -> TraceContext:
        trace, _, rest = text.partition("/")
        span, _, sampled = rest.partition(";o=")
        return cls(trace, span or own_span(trace), sampled == "1")


def own_span(trace: str) -> str:
    """The router's span in the traces that it begins: the upper half of their ids, which is the same in all of them."""
    return f"{int(trace[:16], 16) & _MASK | 1:016x}"
