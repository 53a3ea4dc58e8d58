"""The platform's own answers for clients of HTTP/2, and those of gRPC, who want a status of theirs (contract §1.12).

A gRPC client gets it in the trailers-only form: status 200, and what went wrong in `grpc-status` and `grpc-message`.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from urllib.parse import quote

from homerun.router.errors import Refusal
from homerun.router.http2.hpack import encode

UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = (
    2,
    4,
    7,
    12,
    13,
    14,
    16,
)
_STATUS = {
    400: INTERNAL,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    429: UNAVAILABLE,
    431: INTERNAL,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: DEADLINE_EXCEEDED,
}
_DROPPED = re.compile("<head>.*</head>|</?code>")
_TAGS = re.compile("(?:<[^>]*>)+")
_PLAIN = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What a grpc-message says as it is, besides letters and digits."""


@lru_cache(256)
def as_http(refusal: Refusal) -> tuple[bytes, bytes]:
    """The block and the body."""
    fields = [(name.lower(), value) for name, value in refusal.fields()]
    block = encode(b":status", b"%d" % refusal.status)
    block += b"".join([encode(name.encode(), value.encode("latin-1")) for name, value in fields])
    return block, refusal.content


@lru_cache(256)
def as_grpc(refusal: Refusal) -> bytes:
    """The block that is all of the answer."""
    text = refusal.text or html.unescape(_TAGS.sub(" ", _DROPPED.sub("", refusal.body))).strip()
    return b"".join(
        (
            encode(b":status", b"200"),
            encode(b"content-type", b"application/grpc"),
            encode(b"grpc-status", b"%d" % _STATUS.get(refusal.status, UNKNOWN)),
            encode(b"grpc-message", quote(text, safe=_PLAIN).encode()),
        )
    )
