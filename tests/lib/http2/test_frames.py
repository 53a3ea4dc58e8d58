from __future__ import annotations

import pytest

from homerun.lib.http2 import frames
from homerun.lib.http2.codes import Code, ConnectionFault


def test_a_long_block_is_continued() -> None:
    made = frames.header_frames(3, b"x" * 25, True, 10)
    assert made == (
        frames.frame(frames.HEADERS, frames.END_STREAM, 3, b"x" * 10)
        + frames.frame(frames.CONTINUATION, 0, 3, b"x" * 10)
        + frames.frame(frames.CONTINUATION, frames.END_HEADERS, 3, b"x" * 5)
    )


def test_settings_are_read_as_they_were_written() -> None:
    values = {frames.HEADER_TABLE_SIZE: 0, frames.INITIAL_WINDOW_SIZE: 1 << 20, 0x99: 7}
    assert frames.read_settings(frames.settings(values)[9:]) == values


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({frames.ENABLE_PUSH: 2}, Code.PROTOCOL_ERROR),
        ({frames.INITIAL_WINDOW_SIZE: 1 << 31}, Code.FLOW_CONTROL_ERROR),
        ({frames.MAX_FRAME_SIZE: 16383}, Code.PROTOCOL_ERROR),
        ({frames.MAX_FRAME_SIZE: 1 << 24}, Code.PROTOCOL_ERROR),
    ],
)
def test_settings_out_of_range_are_faults(values: dict[int, int], code: Code) -> None:
    with pytest.raises(ConnectionFault) as caught:
        frames.read_settings(frames.settings(values)[9:])
    assert caught.value.code is code


@pytest.mark.parametrize(("payload", "left"), [(b"\0abc", b"abc"), (b"\2ab__", b"ab"), (b"\0", b"")])
def test_padding_is_taken_off(payload: bytes, left: bytes) -> None:
    assert frames.unpad(payload) == left


@pytest.mark.parametrize("payload", [b"", b"\1", b"\4abc"])
def test_padding_that_is_longer_than_the_frame_is_a_fault(payload: bytes) -> None:
    with pytest.raises(ConnectionFault):
        frames.unpad(payload)
