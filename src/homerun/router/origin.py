"""Where the requests of one connection come from, in all the ways in which containers want to know."""

from __future__ import annotations

import ipaddress


class Origin:
    __slots__ = ("_element", "_ip", "_proto", "ip", "lines", "private", "scheme")

    def __init__(self, ip: str, proto: str) -> None:
        self.ip = ip
        self.scheme = b"%b://" % proto.encode()
        self.private = _is_private(ip)
        """It comes from this machine, or from a private network that it is in."""
        self._ip = ip.encode("ascii", "replace")
        # RFC 7239: an IPv6 address is in brackets.
        node = f'"[{ip}]"' if ":" in ip else f'"{ip}"'
        self._element = f"for={node};proto={proto}".encode("ascii", "replace")
        self._proto = b"X-Forwarded-Proto: %b\r\n" % proto.encode()
        self.lines = b"X-Forwarded-For: %b\r\n%bForwarded: %b\r\n" % (self._ip, self._proto, self._element)
        """The headers of a request that came straight from the user."""

    def appended_to(self, forwarded_for: bytes, forwarded: bytes) -> bytes:
        """The headers of one that says it came through other proxies before."""
        if not forwarded_for and not forwarded:
            return self.lines
        return b"X-Forwarded-For: %b\r\n%bForwarded: %b\r\n" % (
            b"%b, %b" % (forwarded_for, self._ip) if forwarded_for else self._ip,
            self._proto,
            b"%b, %b" % (forwarded, self._element) if forwarded else self._element,
        )


def _is_private(ip: str) -> bool:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_private)
