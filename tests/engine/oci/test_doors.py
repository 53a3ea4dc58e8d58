"""Doors to what listens already, and to what is bound when the network is opened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from homerun.engine.oci.doors import METADATA, Door, Passage, open_doors

pytestmark = pytest.mark.sockets
BRIDGE, LATER = "127.10.0.1", "127.11.0.1"


def test_what_listens_already_keeps_its_port() -> None:
    doors = [Door(8080, "127.0.0.1"), Door(443, "0.0.0.0"), Door(80, "192.168.1.5")]
    assert open_doors(doors, "10.150.0.1") == [
        Passage("tcp", "10.150.0.1", 8080, "127.0.0.1", 8080),
        Passage("tcp", "10.150.0.1", 443, "10.150.0.1", 443),
        Passage("tcp", "10.150.0.1", 80, "192.168.1.5", 80),
    ]


@pytest.mark.parametrize(("kind", "protocol"), [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_a_socket_is_bound_once_and_found_bound_by_those_who_come_later(kind: socket.SocketKind, protocol: str) -> None:
    with socket.socket(socket.AF_INET, kind) as inner:
        [first] = open_doors([Door(80, inner, METADATA)], BRIDGE)
        assert first == Passage(protocol, METADATA, 80, BRIDGE, inner.getsockname()[1])
        assert open_doors([Door(80, inner, METADATA)], BRIDGE) == [first]
        with socket.socket(socket.AF_INET, kind) as client:
            client.connect((BRIDGE, first.inner))


def test_who_connects_while_nobody_accepts_is_answered_by_the_next_process() -> None:
    """As `homerun up` and two lives of control: the socket is of all three."""
    opens = (
        "import socket, sys; from homerun.engine.oci.doors import Door, open_doors\n"
        f"s = socket.socket(fileno=int(sys.argv[1])); open_doors([Door(80, s, '{METADATA}')], '{BRIDGE}')\n"
    )
    answers = opens + "s.setblocking(True); c, _ = s.accept(); c.sendall(b'here I am')\n"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as kept:
        fd = kept.fileno()
        subprocess.run([sys.executable, "-c", opens, str(fd)], pass_fds=[fd], check=True, timeout=60)
        with socket.create_connection((BRIDGE, kept.getsockname()[1])) as client:
            subprocess.run([sys.executable, "-c", answers, str(fd)], pass_fds=[fd], check=True, timeout=60)
            assert client.recv(100) == b"here I am"


def test_when_the_bridge_has_another_address_there_is_another_socket_under_the_same_number() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as inner:
        number = inner.fileno()
        open_doors([Door(80, inner, METADATA)], BRIDGE)
        [moved] = open_doors([Door(80, inner, METADATA)], LATER)
        assert (moved.host, inner.fileno()) == (LATER, number)
        assert not os.get_inheritable(number)
        with socket.create_connection((LATER, moved.inner)):
            pass
