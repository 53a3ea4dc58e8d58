from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from homerun.router.half_closed import is_reset


class Transport(asyncio.BaseTransport):
    def __init__(self, sock: socket.socket | None) -> None:
        super().__init__()
        self._sock = sock

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._sock if name == "socket" else default


@pytest.mark.sockets
def test_who_has_left_is_told_from_who_only_sends_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for leaves in (False, True):
            client = socket.create_connection(server.getsockname())
            ours, _ = server.accept()
            if leaves:
                client.close()
            else:
                client.shutdown(socket.SHUT_WR)
            assert ours.recv(1) == b""
            assert not is_reset(Transport(ours))
            ours.send(b"still there?")
            deadline = time.monotonic() + (30 if leaves else 0.05)
            while not is_reset(Transport(ours)) and time.monotonic() < deadline:
                time.sleep(0.001)
            assert is_reset(Transport(ours)) is leaves
            ours.close()
            client.close()


def test_what_is_no_tcp_connection_is_not_reset() -> None:
    assert not is_reset(Transport(None))
    left, right = socket.socketpair()
    with left, right:
        assert not is_reset(Transport(left))


@pytest.mark.sockets
def test_what_is_closed_is_as_good_as_reset() -> None:
    sock = socket.socket()
    sock.close()
    assert is_reset(Transport(sock))
