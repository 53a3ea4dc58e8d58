"""Unpacking what somebody sent as sources."""

import io
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from homerun.daemon.insight import _unpack
from homerun.lib.errors import Invalid

pytestmark = pytest.mark.sockets


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> BinaryIO:
    made = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=1 << 20))
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    made.seek(0)
    return made


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info, b""


def test_sources_are_unpacked(tmp_path: Path) -> None:
    with archive((tarfile.TarInfo("app/main.py"), b"print(1)")) as sent:
        _unpack(sent, tmp_path)
    assert (tmp_path / "app/main.py").read_bytes() == b"print(1)"


@pytest.mark.parametrize("name", ["../escaped", "/tmp/homerun-test-escaped", "a/../../escaped"])
def test_nothing_leaves_the_folder_by_its_name(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with archive((tarfile.TarInfo(name), b"x")) as sent:
        try:
            _unpack(sent, inside)
        except Invalid:
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert not Path("/tmp/homerun-test-escaped").exists()


def test_nothing_leaves_the_folder_through_a_link(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    with archive(link("door", str(outside)), (tarfile.TarInfo("door/x"), b"x")) as sent:
        try:
            _unpack(sent, inside)
        except Invalid:
            pass
    assert list(outside.iterdir()) == []


def test_what_is_no_archive_is_explained(tmp_path: Path) -> None:
    with tempfile.SpooledTemporaryFile() as sent:
        sent.write(b"not a tar")
        sent.seek(0)
        with pytest.raises(Invalid, match="is no gzipped tar archive"):
            _unpack(cast(BinaryIO, sent), tmp_path)
