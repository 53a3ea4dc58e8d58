from __future__ import annotations

from homerun.lib.http2 import frames
from homerun.router.http2.connection import Connection
from homerun.router.http2.stream import Stream


def stream(window: int = 1000) -> Stream:
    connection = Connection(stream_window=window, connection_window=1 << 20, block_limit=1000, now=lambda: 0.0)
    return Stream(connection, 1)


def test_room_is_given_back_when_half_the_window_is_used() -> None:
    one = stream()
    one.taken, one.room = 499, 501
    one.give_room()
    assert one.connection.take_out() == b""
    one.taken, one.room = 500, 500
    one.give_room()
    assert one.connection.take_out() == frames.window_update(1, 500)
    assert (one.taken, one.room) == (0, 1000)


def test_no_room_is_given_while_it_is_held() -> None:
    one = stream()
    one.taken, one.room = 900, 100
    one.hold(True)
    assert one.connection.take_out() == b""
    one.hold(False)
    assert one.connection.take_out() == frames.window_update(1, 900)


def test_who_has_sent_everything_needs_no_room() -> None:
    one = stream()
    one.taken, one.ended = 900, True
    one.give_room()
    assert one.connection.take_out() == b""
