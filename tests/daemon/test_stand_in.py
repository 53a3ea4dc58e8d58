import http.client
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from homerun.daemon.stand_in import StandIn

pytestmark = pytest.mark.sockets


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


def ask(listener: socket.socket, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*listener.getsockname(), timeout=60)
    try:
        connection.request(method, "/v2/whatever", body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_every_request_hears_why_until_somebody_is_there(listener: socket.socket) -> None:
    up = threading.Event()
    stand_in = StandIn(listener, up.is_set)
    try:
        assert stand_in.step_in("the disk is full")
        # Who says nothing keeps nobody waiting.
        with socket.create_connection(listener.getsockname()):
            status, body = ask(listener, "PATCH", b"{}" * 1000)
        error = json.loads(body)["error"]
        assert (status, error["code"], error["status"]) == (503, 503, "UNAVAILABLE")
        assert error["message"] == "homerun's control process does not start: the disk is full"
        assert not stand_in.step_in("the database is broken")
        assert b"the database is broken" in ask(listener)[1]
        assert ask(listener, "HEAD") == (503, b"")
    finally:
        up.set()
        assert stand_in._thread is not None
        stand_in._thread.join(60)
    # The socket is still open, and whoever connects now waits for whoever it is.
    with socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        listener.accept()[0].close()
