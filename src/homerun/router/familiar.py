"""Requests that come in one piece, as nearly all do: a first line, headers, and no body or all of it.

A client sends the same headers again and again, only the first line differs. So what a block of headers says is
remembered by its bytes, and most requests need no parser at all. Remembered is only what the parser has accepted behind
a first line like these: it means the same behind each of them, and has nothing in it that changes how this or the next
request is read.
"""

from __future__ import annotations

import re

from homerun.router.headers import RequestHead

first_line = re.compile(rb"(GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS) (/[!\"$-~]*+) HTTP/1\.1\r\n").match
"""Method and target of one that is beyond doubt: a path of visible ASCII without a fragment."""
_UNCOMMON = frozenset((b"transfer-encoding", b"upgrade", b"expect"))


def memorable(head: RequestHead) -> bool:
    """Of a head that was accepted, and after which the connection stays open."""
    return head.others is None or _UNCOMMON.isdisjoint(head.others)
