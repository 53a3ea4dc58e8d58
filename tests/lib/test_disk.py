"""What a failing disk is called, and what can be done about it."""

import errno
import os
from pathlib import Path

import pytest

from homerun.lib.disk import explain, has_no_room, is_full
from homerun.lib.errors import ResourceExhausted, Unavailable


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_the_remedy(number: int) -> None:
    error = OSError(number, "whatever", "/state/x")
    assert is_full(error)
    explained = explain(error, Path("/state"))
    assert isinstance(explained, ResourceExhausted)
    assert explained.message == "no space left on the disk of /state: free some, then try again"


def test_a_broken_one_is_named_with_the_file() -> None:
    error = OSError(errno.EIO, "whatever", "/state/x")
    assert not is_full(error)
    explained = explain(error, Path("/state"))
    assert isinstance(explained, Unavailable)
    assert explained.message == "cannot use /state/x (Input/output error): check its disk, then try again"


def test_an_error_without_a_number_keeps_its_words() -> None:
    assert "/state (odd)" in explain(OSError("odd"), Path("/state")).message


def test_whether_there_is_room_can_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_no_room(tmp_path / "nowhere")
    room = os.statvfs_result((4096, 4096, 1000, 255, 255, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda folder: room)
    assert has_no_room(tmp_path)
