"""The head of an instance's answer: checked strictly, and passed on untouched whenever that is possible.

Most answers need no change at all, so a head is not taken apart and put together again: one pattern says whether it
is well formed, another finds the few headers that matter to a proxy.
"""

from __future__ import annotations

import re

from homerun.router.memory import Memory

_TEXT = rb"[^\x00-\x08\x0a-\x1f\x7f]*+"
"""No control characters but the tab (contract §1.3)."""
_LINES = rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:" + _TEXT + rb"\r\n)*\r\n"
_FORM = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9](?: " + _TEXT + rb")?\r\n" + _LINES)
_PLAIN = re.compile(rb"HTTP/1\.1 [2-5][0-9][0-9](?: " + _TEXT + rb")?\r\n" + _LINES)
_SPECIAL = re.compile(
    rb"\r\n(connection|content-length|keep-alive|proxy-connection|set-cookie|te|trailer|transfer-encoding|upgrade)"
    rb":[ \t]*+([^\r\n]*)",
    re.IGNORECASE,
)
_ONE_CONNECTION = re.compile(
    rb"\r\n(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade):[^\r\n]*", re.IGNORECASE
)
_CACHE_CONTROL = re.compile(rb"\r\ncache-control:[^\r\n]*", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[^\r\n]*", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]{1,18}")
_BODILESS = frozenset((204, 304))
_STATUS = {b"%d" % status: status for status in range(200, 600) if status not in _BODILESS}

_well_formed = _FORM.fullmatch
_well_formed_and_plain = _PLAIN.fullmatch
_find_special = _SPECIAL.findall
_CONTENT_LENGTH_NAME = len(b"content-length")
"""No other special header's name has this length."""


def read_plain(raw: bytes) -> tuple[int, int] | None:
    """As `look_for_plain`; what was said of a head is remembered by its bytes, as most are the same as one before."""
    found = _plain.known.get(raw)
    if found is None and (found := look_for_plain(raw)) is not None:
        _plain.add(raw, found)
    return found


def look_for_plain(raw: bytes) -> tuple[int, int] | None:
    """Status and length of the body, if this head (with its empty line) may be passed on as it is, and is followed by
    so many bytes of body. None: look closer, with ResponseHead."""
    special = _find_special(raw)
    if len(special) != 1:
        return None
    name, length = special[0]
    if len(name) != _CONTENT_LENGTH_NAME or not length.isdigit() or len(length) > 18:
        return None
    status = _STATUS.get(raw[9:12])
    if status is None or _well_formed_and_plain(raw) is None:
        return None
    return status, int(length)


_plain: Memory[tuple[int, int]] = Memory()


class ResponseHead:
    """`length`: bytes of the body; None: up to the end of the connection, or chunked."""

    __slots__ = ("chunked", "close", "cookies", "length", "named", "status", "trailer", "upgrade", "version")

    def __init__(self, raw: bytes, head_only: bool) -> None:
        """`raw` with its empty line; `head_only`: it answers a HEAD request. Raises ValueError, saying why."""
        if _well_formed(raw) is None:
            raise ValueError("its answer is not HTTP/1.1")
        self.status = int(raw[9:12])
        self.version = raw[5:8]
        self.length: int | None = None
        self.chunked = False
        self.close = self.version == b"1.0"
        self.upgrade = b""
        self.trailer = b""
        """What its trailers will be."""
        self.cookies = False
        self.named: list[bytes] = []
        for name, value in _find_special(raw):
            self._note(name.lower(), value.rstrip(b" \t"))
        if self.chunked and self.length is not None:
            raise ValueError("its answer has both Content-Length and Transfer-Encoding")
        if head_only or self.status < 200 or self.status in _BODILESS:
            self.length, self.chunked = 0, False
        elif self.length is None:
            self.close = self.close or not self.chunked

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            if self.length is not None or _DIGITS.fullmatch(value) is None:
                raise ValueError(f"its answer has a wrong Content-Length: {value[:40]!r}")
            self.length = int(value)
        elif name == b"set-cookie":
            self.cookies = True
        elif name == b"transfer-encoding":
            if self.chunked or self.version == b"1.0" or value.lower() != b"chunked":
                raise ValueError(f"its answer has an unsupported Transfer-Encoding: {value[:40]!r}")
            self.chunked = True
        elif name == b"connection":
            options = [option.strip() for option in value.lower().split(b",")]
            self.close = (self.close and b"keep-alive" not in options) or b"close" in options
            # Content-Length says how the message is framed, whoever names it.
            known = (b"close", b"keep-alive", b"upgrade", b"content-length", b"")
            self.named += [option for option in options if option not in known]
        elif name == b"upgrade":
            self.upgrade = value
        elif name == b"trailer":
            self.trailer = b"%b, %b" % (self.trailer, value) if self.trailer else value

    def rewrite(self, raw: bytes, extra: bytes) -> bytes:
        """For the client: without what was meant for us, and with the lines `extra`, each ended by CRLF."""
        head = _ONE_CONNECTION.sub(b"", raw[:-4])
        for name in self.named:
            head = re.sub(rb"\r\n%b:[^\r\n]*" % re.escape(name), b"", head, flags=re.IGNORECASE)
        if self.status < 200 or self.status == 204:
            head = _CONTENT_LENGTH.sub(b"", head)
        if self.cookies:
            # Contract §1.3: an answer that sets a cookie is for one user only.
            head = _CACHE_CONTROL.sub(b"", head)
            extra = b"Cache-Control: private\r\n" + extra
        return b"HTTP/1.1%b\r\n%b\r\n" % (head[8:], extra)
