from __future__ import annotations

import pytest
from hpack.hpack import Decoder

from homerun.router import errors
from homerun.router.errors import Refusal
from homerun.router.http2 import refusal


def read(block: bytes) -> dict[bytes, bytes]:
    return dict(Decoder().decode(block, raw=True))


def test_a_refusal_says_in_http2_what_it_says_in_http1() -> None:
    block, body = refusal.as_http(errors.NO_INSTANCE)
    assert read(block) == {
        b":status": b"429",
        b"content-type": b"text/plain; charset=utf-8",
        b"content-length": b"15",
        b"retry-after": b"1",
    }
    assert body == b"Rate exceeded.\n"


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (errors.NO_INSTANCE, 14),
        (errors.TIMEOUT, 4),
        (errors.UNAUTHENTICATED, 7),
        (errors.bad_token("it has expired"), 16),
        (errors.unknown_host("x"), 12),
        (errors.not_started("x"), 14),
        (errors.bad_request("x"), 13),
        (Refusal(418, "x"), 2),
    ],
)
def test_grpc_clients_get_a_status_of_theirs(refused: Refusal, status: int) -> None:
    fields = read(refusal.as_grpc(refused))
    assert fields[b":status"] == b"200"
    assert fields[b"content-type"] == b"application/grpc"
    assert fields[b"grpc-status"] == b"%d" % status


def test_a_grpc_message_is_plain_text_in_percent_encoding() -> None:
    assert read(refusal.as_grpc(Refusal(503, "Zürich: 50 %")))[b"grpc-message"] == b"Z%C3%BCrich: 50 %25"
    html = read(refusal.as_grpc(errors.unknown_host("x")))[b"grpc-message"]
    assert b"<" not in html
    assert html.startswith(b"Error: Page not found No service answers to the host name x.")
