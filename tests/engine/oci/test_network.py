"""A pool of network namespaces, on the kernel."""

import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from homerun.engine.oci import kernel
from homerun.engine.oci.network import Network, NetworkPool, _no_sockets
from homerun.engine.oci.subnet import Subnet, choose, choosing, host_routes
from homerun.lib.errors import ResourceExhausted

SOCKSTAT = "sockets: used 9\nTCP: inuse {} orphan 5 tw {} alloc 1 mem 0\nUDP: inuse 3 mem 0\n"


def test_a_namespace_is_clean_without_open_or_lingering_connections() -> None:
    assert _no_sockets(SOCKSTAT.format(0, 0))
    assert not _no_sockets(SOCKSTAT.format(1, 0))
    assert not _no_sockets(SOCKSTAT.format(0, 1))
    assert _no_sockets("TCP6: inuse 0\nUDP6: inuse 1\n")
    assert not _no_sockets("TCP6: inuse 2\n")


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[NetworkPool]:
    pool = NetworkPool.claim(uuid.uuid4().hex[:6], tmp_path / "network.json")
    yield pool
    pool.close(remove=True)
    assert pool.bridge not in os.listdir("/sys/class/net")


def inside(network: Network, *command: str) -> str:
    """Run a command in the namespace."""
    words = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{network.fd}", *command]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.host
def test_a_network_is_complete(pool: NetworkPool) -> None:
    network = pool.take()
    addresses = inside(network, "ip", "-brief", "address")
    assert f"{network.address}/16" in addresses and "127.0.0.1" in addresses
    assert "inet6" not in inside(network, "ip", "address"), "no IPv6, which the firewall would have to know"
    gateway = network.address.rsplit(".", 2)[0] + ".0.1"
    assert f"default via {gateway} dev eth0" in inside(network, "ip", "route")
    inside(network, "ping", "-c1", "-W1", "127.0.0.1") if os.path.exists("/bin/ping") else None
    pool.give_back(network)


@pytest.mark.host
def test_the_bridge_keeps_its_hardware_address_however_many_ports_come(pool: NetworkPool) -> None:
    """Or the answers of instances that know the old one are lost until they ask again, for some 13 seconds."""
    address = Path("/sys/class/net", pool.bridge, "address")
    before = address.read_text()
    networks = [pool.take() for _ in range(40)]
    assert address.read_text() == before
    for network in networks:
        pool.give_back(network)


@pytest.mark.host
def test_the_host_reaches_an_instance_but_instances_do_not_reach_each_other(pool: NetworkPool) -> None:
    first, second = pool.take(), pool.take()
    listeners = []

    def listen() -> None:
        kernel.setns(first.fd, kernel.CLONE_NEWNET)
        listeners.append(socket.create_server(("0.0.0.0", 8080)))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    socket.create_connection((first.address, 8080), timeout=2).close()
    with pytest.raises(subprocess.CalledProcessError):
        inside(second, "timeout", "1", "bash", "-c", f"echo > /dev/tcp/{first.address}/8080")
    listeners[0].close()
    pool.give_back(first)
    pool.give_back(second)


CONNECT = """
import socket, sys
s = socket.socket()
s.settimeout(1)
s.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
s.bind((sys.argv[1], 0))
s.connect((sys.argv[2], int(sys.argv[3])))
s.sendall(b"it is me")
"""


@pytest.mark.host
def test_nobody_poses_as_another_not_even_with_all_rights_in_the_namespace(pool: NetworkPool) -> None:
    """Far more than a container can: it has neither CAP_NET_ADMIN nor CAP_NET_RAW."""
    victim, thief = pool.take(), pool.take()
    gateway = victim.address.rsplit(".", 2)[0] + ".0.1"
    with socket.create_server((gateway, 0)) as server:
        server.settimeout(5)

        def connects(network: Network, source: str) -> bool:
            words = (sys.executable, "-c", CONNECT, source, gateway, str(server.getsockname()[1]))
            try:
                inside(network, *words)
            except subprocess.CalledProcessError:
                return False
            connection, peer = server.accept()
            connection.close()
            assert peer[0] == source
            return True

        assert connects(victim, victim.address) and connects(thief, thief.address)
        assert not connects(thief, victim.address), "not with a source that is not its own"
        inside(thief, "ip", "address", "add", f"{victim.address}/16", "dev", "eth0")
        assert not connects(thief, victim.address), "nor with an address that it gave itself"
        link = inside(victim, "ip", "-brief", "link", "show", "eth0").split()[2]
        inside(thief, "ip", "link", "set", "eth0", "address", link)
        assert not connects(thief, victim.address), "nor with the other's hardware address"
        assert connects(victim, victim.address), "who is not disturbed by all that"
    known = subprocess.run(["ip", "neighbour", "show", "dev", pool.bridge], capture_output=True, text=True, check=True)
    assert f"{victim.address} lladdr {link} PERMANENT" in known.stdout
    pool.give_back(victim)
    thief.close()


@pytest.mark.host
def test_networks_are_used_again_and_the_pool_grows_with_demand(pool: NetworkPool) -> None:
    taken = [pool.take() for _ in range(30)]
    assert len({network.address for network in taken}) == 30
    for network in taken:
        pool.give_back(network)
    again = [pool.take() for _ in range(30)]
    assert {network.address for network in taken} & {network.address for network in again}
    for network in again:
        pool.give_back(network)


@pytest.mark.host
def test_addresses_of_running_instances_are_reserved() -> None:
    tag = uuid.uuid4().hex[:6]
    with choosing():
        free = choose(tag, host_routes(Path("/proc/net/route").read_text()))
        small = Subnet(IPv4Network((free.network_address, 29)))
        pool = NetworkPool(tag, small, frozenset(list(small.addresses())[:2]))
        pool.open()
    taken = [pool.take() for _ in range(3)]
    assert [network.address for network in taken] == list(small.addresses())[2:]
    with pytest.raises(ResourceExhausted, match="all addresses are in use"):
        pool.take()
    for network in taken:
        network.close()
    pool.close(remove=True)


@pytest.mark.host
def test_a_bridge_that_is_there_is_taken_over(tmp_path: Path) -> None:
    tag, file = uuid.uuid4().hex[:6], tmp_path / "network.json"
    first = NetworkPool.claim(tag, file)
    first.take().close()
    first.close(remove=False)
    second = NetworkPool.claim(tag, file)
    assert second.subnet == first.subnet
    second.take().close()
    second.close(remove=True)


@pytest.mark.host
def test_those_that_start_at_the_same_moment_do_not_meet(tmp_path: Path) -> None:
    """Each would find free what the other takes, and of neither's packets would any arrive."""
    tags = [f"{90 * (1000 + number):06x}" for number in range(4)]  # whose first choice is the same
    assert len({choose(tag, []) for tag in tags}) == 1
    start = threading.Barrier(len(tags))

    def claim(tag: str, file: Path) -> NetworkPool:
        start.wait()
        return NetworkPool.claim(tag, file)

    with ThreadPoolExecutor(len(tags)) as threads:
        for attempt in range(5):
            pools = list(threads.map(claim, tags, [tmp_path / f"{tag}-{attempt}.json" for tag in tags]))
            for pool in pools:
                pool.close(remove=True)
            assert len({pool.subnet.network for pool in pools}) == len(tags)
