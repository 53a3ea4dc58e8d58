"""Which addresses homerun's own requests may go to, when somebody else has said where (docs/security.md).

A schedule's author is the owner of the machine, and may have it call a server on it, or in their own network. Never
allowed are addresses whose only use is to give secrets of the machine to whoever asks from it: a cloud's metadata
servers. And whoever answers with a redirect is not the owner: it leads no deeper than they are themselves.
"""

from __future__ import annotations

import enum
import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = tuple(
    map(
        ipaddress.ip_network,
        (
            "169.254.0.0/16",  # link-local: Google, AWS, Azure and others have theirs at 169.254.169.254
            "fe80::/10",
            "fd00:ec2::/32",  # AWS
            "fd20:ce::/32",  # Google
            "100.100.100.200/32",  # Alibaba
            "168.63.129.16/32",  # Azure
            "192.0.0.192/32",  # Oracle
        ),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Reach(enum.IntEnum):
    """How deep an address is: what is allowed at one depth is allowed above it."""

    PUBLIC = 0
    NETWORK = 1
    """Private networks."""
    MACHINE = 2
    """This machine itself."""


def refusal(address: str, reach: Reach = Reach.MACHINE) -> str | None:
    """Why nothing is sent to `address`, an IP address; None: it may be. `reach`: how deep it may be."""
    ip = _meant(address)
    if any(ip in network for network in _METADATA):
        return f"{ip} is a link-local address or that of a cloud's metadata server, which schedules never reach"
    if ip.is_multicast or ip.is_unspecified:
        return f"{ip} is no address of one machine"
    if reach_of(address) > reach:
        return (
            f"a redirect leads to {ip}, which is no public address: redirects lead no deeper than where they come from"
        )
    return None


def reach_of(address: str) -> Reach:
    ip = _meant(address)
    if ip.is_global:
        return Reach.PUBLIC
    return Reach.MACHINE if ip.is_loopback else Reach.NETWORK


def _meant(address: str) -> Address:
    """Of an IPv6 address, the IPv4 address inside it, where there is one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if (inner := ip.ipv4_mapped or ip.sixtofour) is not None:
            return inner
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
