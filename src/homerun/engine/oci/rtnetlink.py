"""The few rtnetlink messages that instances need, written out: links, addresses, one route.

pyroute2 would do, but takes 260 ms to import and half a millisecond per call; this is a page. Layout of messages:
linux/netlink.h, linux/rtnetlink.h, linux/if_link.h. A socket speaks for the network namespace in which it was made.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

_RTM_NEWLINK, _RTM_DELLINK, _RTM_SETLINK, _RTM_NEWADDR, _RTM_NEWROUTE, _RTM_NEWNEIGH = 16, 17, 19, 20, 24, 28
_REQUEST, _ACK, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_NLMSG_ERROR = 2
_NESTED = 0x8000
_IFF_UP = 1

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_PROTINFO, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 12, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_BRPORT_LEARNING, _BRPORT_UNICAST_FLOOD, _BRPORT_ISOLATED, _BRPORT_LOCKED = 8, 9, 33, 39
_NDA_DST, _NDA_LLADDR, _NTF_MASTER, _NUD_NOARP, _NUD_PERMANENT = 1, 2, 4, 0x40, 0x80
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_GATEWAY = 5
_MAIN_TABLE, _PROTO_BOOT, _UNICAST = 254, 3, 1

_HEADER = struct.Struct("=IHHII")


def _attribute(kind: int, value: bytes | str | int) -> bytes:
    if isinstance(value, str):
        value = value.encode() + b"\0"
    elif isinstance(value, int):
        value = struct.pack("=I", value)
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _link(index: int = 0, up: bool = False, family: int = socket.AF_UNSPEC) -> bytes:
    flags = _IFF_UP if up else 0
    return struct.pack("=BxHiII", family, 0, index, flags, flags)


def _neighbour(family: int, index: int, state: int, flags: int = 0) -> bytes:
    return struct.pack("=BxxxiHBB", family, index, state, flags, 0)


class Netlink:
    """A connection to the kernel for the calling thread's network namespace."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def _ask(self, kind: int, flags: int, body: bytes, what: str) -> None:
        self._sequence += 1
        size = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(size, kind, flags | _REQUEST | _ACK, self._sequence, 0) + body)
        while True:
            answer = self._socket.recv(65536)
            _, kind, _, sequence, _ = _HEADER.unpack_from(answer)
            if kind == _NLMSG_ERROR and sequence == self._sequence:
                break
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        if code:
            raise OSError(-code, os.strerror(-code), what)

    def add_bridge(self, name: str, address: bytes) -> None:
        """No error if it is there. `address`: its hardware address, 6 bytes.

        A bridge that is given none takes the lowest of its ports', a new one with each lower port. Whoever knows the
        old one sends into the void then, until it asks again: some 13 seconds.
        """
        info = _attribute(_IFLA_LINKINFO | _NESTED, _attribute(_INFO_KIND, "bridge"))
        named = _attribute(_IFLA_ADDRESS, address) + _attribute(_IFLA_IFNAME, name)
        try:
            self._ask(_RTM_NEWLINK, _CREATE | _EXCL, _link() + named + info, name)
        except FileExistsError:
            pass

    def add_veth(self, name: str, master: int, peer: str, peer_namespace: int, address: bytes) -> None:
        """`name` becomes a port of the bridge `master`; its other end appears in `peer_namespace` (a descriptor), with
        the hardware address `address`."""
        other = _link() + _attribute(_IFLA_IFNAME, peer) + _attribute(_IFLA_NET_NS_FD, peer_namespace)
        other += _attribute(_IFLA_ADDRESS, address)
        data = _attribute(_INFO_DATA | _NESTED, _attribute(_VETH_INFO_PEER | _NESTED, other))
        info = _attribute(_IFLA_LINKINFO | _NESTED, _attribute(_INFO_KIND, "veth") + data)
        port = _attribute(_IFLA_IFNAME, name) + _attribute(_IFLA_MASTER, master)
        self._ask(_RTM_NEWLINK, _CREATE | _EXCL, _link(up=True) + port + info, name)

    def isolate_port(self, index: int, address: bytes) -> None:
        """A bridge port that talks to the bridge itself, but not to other isolated ports, and behind which nobody is
        but who has the hardware address `address`: the bridge learns nothing from what comes, and takes it from no
        other (the latter since Linux 5.18; older ones do not know the attribute and pass over it)."""
        switches = ((_BRPORT_ISOLATED, b"\1"), (_BRPORT_LEARNING, b"\0"), (_BRPORT_UNICAST_FLOOD, b"\0"))
        flags = b"".join(_attribute(kind, value) for kind, value in (*switches, (_BRPORT_LOCKED, b"\1")))
        port = _link(index, family=socket.AF_BRIDGE) + _attribute(_IFLA_PROTINFO | _NESTED, flags)
        self._ask(_RTM_SETLINK, 0, port, "isolated port")
        head = _neighbour(socket.AF_BRIDGE, index, _NUD_NOARP, _NTF_MASTER)
        self._ask(_RTM_NEWNEIGH, _CREATE | _REPLACE, head + _attribute(_NDA_LLADDR, address), "bridge port's address")

    def add_neighbour(self, index: int, address: str, hardware: bytes) -> None:
        """Who has `address` is known for good, asked by nobody and told by nobody."""
        known = _attribute(_NDA_DST, socket.inet_aton(address)) + _attribute(_NDA_LLADDR, hardware)
        head = _neighbour(socket.AF_INET, index, _NUD_PERMANENT)
        self._ask(_RTM_NEWNEIGH, _CREATE | _REPLACE, head + known, "neighbour")

    def set_up(self, index: int) -> None:
        self._ask(_RTM_NEWLINK, 0, _link(index, up=True), "link up")

    def delete_link(self, name: str) -> None:
        """No error if there is none."""
        try:
            self._ask(_RTM_DELLINK, 0, _link() + _attribute(_IFLA_IFNAME, name), name)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def add_address(self, index: int, address: str, prefix: int) -> None:
        """No error if it is there."""
        packed = socket.inet_aton(address)
        head = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, index)
        attributes = _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
        try:
            self._ask(_RTM_NEWADDR, _CREATE | _EXCL, head + attributes, address)
        except FileExistsError:
            pass

    def add_default_route(self, gateway: str) -> None:
        head = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _MAIN_TABLE, _PROTO_BOOT, 0, _UNICAST, 0)
        body = head + _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
        self._ask(_RTM_NEWROUTE, _CREATE | _EXCL, body, "default route")
