"""A pool of network namespaces, made ahead by one thread and used again.

Making one costs milliseconds and taking it apart costs the kernel more, so it is done before anybody waits, and a
namespace whose instance is gone goes to the next one. That is safe because an instance cannot change it (it has no
CAP_NET_ADMIN); a namespace in which sockets linger (TIME_WAIT would keep the next instance from its port) is thrown
away. A namespace is held by a file descriptor only: if control dies, the kernel removes it together with its devices,
unless an instance still runs in it.

Who an instance is, is known by its address (the metadata server goes by it). So nothing about addresses is learned
from what instances send: which port has which hardware address, and which of those has which address, is written down
when the namespace is made. What one sends in another's name is answered to the other. Nobody asks at a start, either.
"""

from __future__ import annotations

import hashlib
import os
import queue
import socket
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from homerun.engine.oci import kernel
from homerun.engine.oci.rtnetlink import Netlink
from homerun.engine.oci.subnet import Subnet, choosing
from homerun.lib.errors import ResourceExhausted

_LEAST, _MOST = 4, 64
_PATIENCE = 30
_IN_NAMESPACE = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv4/ip_unprivileged_port_start": "0",
}


@dataclass(slots=True)
class Network:
    """A namespace with its address. `fd` keeps it alive."""

    fd: int
    address: str

    def close(self) -> None:
        os.close(self.fd)


class NetworkPool:
    """`take` and `give_back` may be called from any thread. `reserved`: addresses of instances that already run."""

    def __init__(self, tag: str, subnet: Subnet, reserved: frozenset[str] = frozenset()) -> None:
        self.bridge = f"hr-{tag}"
        self._bridge_address = _hardware_address(self.bridge)
        self._tag = tag
        self.subnet = subnet
        self._free = deque(address for address in subnet.addresses() if address not in reserved)
        self._ready: queue.SimpleQueue[Network | ResourceExhausted] = queue.SimpleQueue()
        self._work: queue.SimpleQueue[Network | None] = queue.SimpleQueue()
        self._target = _LEAST
        self._waiting = 0
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="homerun-network", daemon=True)

    @classmethod
    def claim(cls, tag: str, file: Path, reserved: frozenset[str] = frozenset()) -> NetworkPool:
        """An open one, on the subnet kept in `file`. Raises EngineUnavailable: none is free."""
        with choosing():
            pool = cls(tag, Subnet.kept(file, tag, f"hr-{tag}"), reserved)
            pool.open()
        return pool

    def open(self) -> None:
        """Make the bridge (or take over the one that is there) and begin to fill the pool."""
        link = Netlink()
        try:
            link.add_bridge(self.bridge, self._bridge_address)
            index = socket.if_nametoindex(self.bridge)
            link.add_address(index, self.subnet.gateway, self.subnet.prefix)
            link.set_up(index)
        finally:
            link.close()
        self._thread.start()
        self._work.put(None)

    def take(self) -> Network:
        """Blocks until there is one. A pool that ran dry was too small: it doubles."""
        if self._ready.empty():
            self._target = min(_MOST, self._target * 2)
        with self._lock:
            self._waiting += 1
        self._work.put(None)
        try:
            found = self._ready.get(timeout=_PATIENCE)
        except queue.Empty:
            raise ResourceExhausted(f"no network for the instance within {_PATIENCE} s") from None
        finally:
            with self._lock:
                self._waiting -= 1
        if isinstance(found, ResourceExhausted):
            raise found
        return found

    def give_back(self, network: Network) -> None:
        """Its instance is gone, with all its processes."""
        self._work.put(network)

    def close(self, *, remove: bool) -> None:
        """Let go of unused namespaces; with `remove`, of the bridge too (no instance is left)."""
        self._closing = True
        self._work.put(None)
        self._thread.join()
        while not self._ready.empty():
            found = self._ready.get()
            if isinstance(found, Network):
                found.close()
        while not self._work.empty():
            if returned := self._work.get():
                returned.close()
        if remove:
            link = Netlink()
            link.delete_link(self.bridge)
            link.close()

    def _run(self) -> None:
        """The one thread that makes namespaces. It never shares its namespace with the rest of the process."""
        link = Netlink()
        home = kernel.thread_namespace("net")
        bridge = socket.if_nametoindex(self.bridge)
        try:
            while not self._closing:
                returned = self._work.get()
                if returned is not None:
                    self._recycle(returned, home)
                self._fill(link, home, bridge)
        finally:
            link.close()
            os.close(home)

    def _fill(self, link: Netlink, home: int, bridge: int) -> None:
        """Until there are enough, or somebody gives one back. A failure goes to whoever waits, and ends the attempt."""
        while self._ready.qsize() < self._target and not self._closing and self._work.empty():
            try:
                self._ready.put(self._make_any(link, home, bridge))
            except (OSError, ResourceExhausted) as error:
                for _ in range(self._waiting):
                    self._ready.put(ResourceExhausted(f"cannot make a network for the instance: {error}"))
                return

    def _make_any(self, link: Netlink, home: int, bridge: int) -> Network:
        """With the next address whose port is gone: the kernel takes a while to remove those of an earlier life."""
        for _ in range(len(self._free)):
            address = self._free.popleft()
            try:
                return self._make(link, home, bridge, address)
            except FileExistsError:
                self._free.append(address)
            except OSError:
                self._free.append(address)
                raise
        raise ResourceExhausted("all addresses are in use")

    def _make(self, link: Netlink, home: int, bridge: int, address: str) -> Network:
        kernel.unshare(kernel.CLONE_NEWNET)
        fd = kernel.thread_namespace("net")
        inside = Netlink()
        try:
            for name, value in _IN_NAMESPACE.items():
                _set(name, value)
            port, hardware = self._port(address), b"\x02\x48" + socket.inet_aton(address)
            link.add_veth(port, bridge, "eth0", fd, hardware)
            inside.set_up(1)
            index = socket.if_nametoindex("eth0")
            inside.add_address(index, address, self.subnet.prefix)
            inside.set_up(index)
            inside.add_neighbour(index, self.subnet.gateway, self._bridge_address)
            inside.add_default_route(self.subnet.gateway)
            kernel.setns(home, kernel.CLONE_NEWNET)
            link.isolate_port(socket.if_nametoindex(port), hardware)
            link.add_neighbour(bridge, address, hardware)
        except BaseException:
            kernel.setns(home, kernel.CLONE_NEWNET)
            os.close(fd)
            raise
        finally:
            inside.close()
        return Network(fd, address)

    def _port(self, address: str) -> str:
        third, fourth = address.split(".")[2:]
        return f"hr{self._tag}-{int(third):02x}{int(fourth):02x}"

    def _recycle(self, network: Network, home: int) -> None:
        kernel.setns(network.fd, kernel.CLONE_NEWNET)
        try:
            clean = all(_no_sockets(_about_sockets(name)) for name in ("sockstat", "sockstat6"))
        finally:
            kernel.setns(home, kernel.CLONE_NEWNET)
        if clean and self._ready.qsize() < _MOST and not self._closing:
            self._ready.put(network)
            return
        network.close()
        self._free.append(network.address)


def _hardware_address(name: str) -> bytes:
    """Always the same for the same name; of those that are free for anybody to use (locally administered, unicast)."""
    return b"\x02" + hashlib.sha256(name.encode()).digest()[:5]


def _about_sockets(name: str) -> str:
    """A file of this thread's network namespace; a kernel without IPv6 has none about it."""
    try:
        with open(f"/proc/thread-self/net/{name}") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _no_sockets(sockstat: str) -> bool:
    """No TCP socket is open or waits for the end of its connection: `TCP: inuse 0 orphan 0 tw 0 alloc 1 mem 0`."""
    for line in sockstat.splitlines():
        name, *fields = line.split()
        if name in ("TCP:", "TCP6:"):
            numbers = dict(zip(fields[::2], map(int, fields[1::2]), strict=True))
            if numbers["inuse"] or numbers.get("tw"):
                return False
    return True


def _set(name: str, value: str) -> None:
    """A sysctl of this thread's network namespace; a kernel without it has nothing to switch off."""
    try:
        (Path("/proc/sys") / name).write_text(value)
    except FileNotFoundError:
        pass
