"""Why it is not ready, in words."""

import os
import socket

import pytest

from homerun.engine.oci.listening import Socket, explain, of_process, parse
from homerun.model.probe import Probe

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
"""
TABLE6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000
"""
PROBE = Probe(port=8080, period=240)


def test_only_listening_sockets_count() -> None:
    assert parse(TABLE) == [Socket(8080, "127.0.0.1"), Socket(3000, "0.0.0.0")]


def test_ipv6_is_read_in_the_kernels_order() -> None:
    assert parse(TABLE6) == [Socket(8080, "::1")]
    assert str(Socket(8080, "::1")) == "[::1]:8080"


def test_a_localhost_listener_is_told_to_open_up() -> None:
    message = explain(PROBE, [Socket(8080, "127.0.0.1")])
    assert message == "the container listens on 127.0.0.1:8080 only: listen on 0.0.0.0:8080 (within 240 s)"


def test_another_port_is_offered_as_the_remedy() -> None:
    message = explain(PROBE, [Socket(3000, "0.0.0.0"), Socket(9090, "127.0.0.1")])
    assert "listens on 0.0.0.0:3000, 127.0.0.1:9090, not on port 8080" in message
    assert "--port 3000" in message


def test_a_port_that_others_cannot_reach_is_not_offered() -> None:
    assert "--port 3000" in explain(PROBE, [Socket(900, "127.0.0.1"), Socket(3000, "0.0.0.0")])
    assert "--port" not in explain(PROBE, [Socket(900, "127.0.0.1")])


def test_nothing_at_all() -> None:
    assert explain(PROBE, []).startswith("the container listens on no port: listen on 0.0.0.0:8080")


def test_the_right_port_with_the_wrong_answer() -> None:
    http = Probe(port=8080, http_path="/health", period=3)
    assert explain(http, [Socket(8080, "::")]) == (
        "GET /health on port 8080 was not answered with 2xx or 3xx within 3 s"
    )
    assert explain(http, [Socket(8080, "::")], "The answer had status 503.").endswith(
        " 3 s: The answer had status 503."
    )
    grpc = Probe(port=8080, grpc_service="my.Service", period=3)
    assert explain(grpc, [Socket(8080, "::")]) == (
        "the gRPC health check of my.Service on port 8080 did not succeed within 3 s"
    )
    assert "accepted no connection" in explain(PROBE, [Socket(8080, "0.0.0.0")])


@pytest.mark.sockets
def test_a_real_listener_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert Socket(server.getsockname()[1], "127.0.0.1") in of_process(os.getpid())


def test_a_process_that_is_gone_listens_on_nothing() -> None:
    assert of_process(2**22 + 1) == []
