"""Traces: X-Cloud-Trace-Context and traceparent, the same ids in two notations.

A client's trace is continued: the header that it sent is passed on, the other one made from it. Otherwise a new one
begins, not sampled. Its id is made without a call to the system: a random start, then a Weyl sequence, since ids must
not repeat and their low bits must look random (samplers decide by them), but need not be secret. The span of the
router is the same in each trace, as spans need to differ within a trace only, and follows from the trace's id.
"""

from __future__ import annotations

import re
import secrets
from typing import Protocol

from homerun.model.trace_context import own_span

_CONTEXT = re.compile(rb"([0-9a-fA-F]{32})(?:/(\d{1,20}))?(?:;o=(\d+))?")
_PARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_STEP = 0x9E3779B97F4A7C15
_MASK = (1 << 63) - 1
_TOP = 1 << 63
"""Always set, so that the number always has 16 hexadecimal digits."""


class Traced(Protocol):
    trace: bytes


class Trace:
    def __init__(self, seed: int | None = None) -> None:
        seed = secrets.randbits(128) if seed is None else seed
        self._prefix = b"%016x" % (seed >> 64 & _MASK | _TOP)
        self._state = seed & _MASK
        self._span = span = int(own_span(self._prefix.decode()), 16)
        self._before = b"X-Cloud-Trace-Context: " + self._prefix
        self._between = b"/%d;o=0\r\ntraceparent: 00-%b" % (span, self._prefix)
        self._after = b"-%016x-00\r\n" % span
        # As literals of HPACK (RFC 7541 §6.2.2): their lengths are always the same.
        end = b"/%d;o=0" % span
        self._block_before = b"\0\x15x-cloud-trace-context" + bytes((32 + len(end),)) + self._prefix
        self._block_between = end + b"\0\x0btraceparent\x37" + b"00-" + self._prefix
        self._block_after = b"-%016x-00" % span

    def start(self, request: Traced) -> tuple[bytes, ...]:
        """A new trace: its headers in pieces, its id in `request.trace`."""
        state = self._state = (self._state + _STEP) & _MASK
        id = b"%x" % (state | _TOP)
        request.trace = self._prefix + id
        return self._before, id, self._between, id, self._after

    def start_block(self, request: Traced) -> bytes:
        """As `start`, for HTTP/2."""
        state = self._state = (self._state + _STEP) & _MASK
        id = b"%x" % (state | _TOP)
        request.trace = self._prefix + id
        return b"".join((self._block_before, id, self._block_between, id, self._block_after))

    def resume(self, request: Traced, context: bytes, parent: bytes) -> tuple[bytes, ...]:
        """A client's trace: its headers, and `ID/SPAN;o=SAMPLED` in `request.trace`. If no header can be understood
        it is nobody's, and a new one begins."""
        if match := _PARENT.fullmatch(parent):
            trace, span, flags = match.groups()
            sampled = int(flags, 16) & 1
            context = context or b"%b/%d;o=%d" % (trace, int(span, 16), sampled)
        elif match := _CONTEXT.fullmatch(context):
            trace = match[1].lower()
            span = b"%016x" % (int(match[2] or 0) & (1 << 64) - 1 or self._span)
            sampled = (match[3] or b"0").strip(b"0") != b""
            parent = b"00-%b-%b-%02x" % (trace, span, sampled)
        else:
            return self.start(request)
        request.trace = b"%b/%b;o=%d" % (trace, span, sampled)
        return (b"X-Cloud-Trace-Context: %b\r\ntraceparent: %b\r\n" % (context, parent),)
