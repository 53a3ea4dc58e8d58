"""Folders made in somebody else's tree: links and races lead nowhere else."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from homerun.engine.oci.folders import make_file, make_folder


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root").mkdir()
    fd = os.open(tmp_path / "root", os.O_PATH)
    yield fd
    os.close(fd)


def test_what_is_missing_is_made_and_what_is_there_stays(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/a").mkdir(mode=0o700)
    for _ in range(2):
        os.close(make_folder(root, "/a/./b//c"))
    assert (tmp_path / "root/a/b/c").is_dir()
    assert (tmp_path / "root/a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "root/a/b").stat().st_mode & 0o777 == 0o755
    os.close(make_folder(root, "/"))


def test_new_folders_belong_to_their_owner(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/a").mkdir()
    (tmp_path / "root/a").chmod(0o701)
    owner = (12, 34) if os.getuid() == 0 else (os.getuid(), os.getgid())
    os.close(make_folder(root, "/a/b", owner))
    made = (tmp_path / "root/a/b").stat()
    assert (made.st_uid, made.st_gid) == owner
    assert (tmp_path / "root/a").stat().st_uid == os.getuid()


@pytest.mark.parametrize("link", ["../outside", "../../../../../../{outside}", "{outside}", "/proc/self/cwd"])
@pytest.mark.parametrize("path", ["/link/new", "/a/link/new", "/a/../link/new"])
def test_no_link_leads_out(root: int, tmp_path: Path, link: str, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "root/a").mkdir()
    for place in ("root/link", "root/a/link"):
        (tmp_path / place).symlink_to(link.format(outside=outside))
    with suppress(OSError):  # a link to what is not in the root
        os.close(make_folder(root, path))
    assert list(outside.iterdir()) == []


def test_links_inside_are_followed_as_a_process_in_the_root_would(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/real").mkdir()
    (tmp_path / "root/link").symlink_to("/real")
    os.close(make_folder(root, "/link/new"))
    assert (tmp_path / "root/real/new").is_dir()


def test_what_is_no_folder_is_an_error(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/file").write_text("x")
    (tmp_path / "root/dangling").symlink_to("nothing")
    for path in ("/file", "/file/below", "/dangling"):
        with pytest.raises(OSError):
            os.close(make_folder(root, path))


def test_files_are_made_and_kept(root: int, tmp_path: Path) -> None:
    for _ in range(2):
        os.close(make_file(root, "/etc/app/config"))
    assert (tmp_path / "root/etc/app/config").read_bytes() == b""
    (tmp_path / "root/etc/app/config").write_text("kept")
    os.close(make_file(root, "/etc/app/config"))
    assert (tmp_path / "root/etc/app/config").read_text() == "kept"


def test_a_folder_that_is_exchanged_for_a_link_all_the_time(root: int, tmp_path: Path) -> None:
    """Another container writes to the same volume while we make a folder in it."""
    outside, spot = tmp_path / "outside", tmp_path / "root/spot"
    outside.mkdir()
    (tmp_path / "link").symlink_to(outside)
    spot.mkdir()
    over = threading.Event()

    def exchange() -> None:
        libc, one, other = ctypes.CDLL(None), os.fsencode(spot), os.fsencode(tmp_path / "link")
        while not over.is_set():
            assert libc.renameat2(-100, one, -100, other, 2) == 0

    attacker = threading.Thread(target=exchange)
    attacker.start()
    try:
        for number in range(500):
            with suppress(OSError):
                os.close(make_folder(root, f"/spot/a/../{number}", (os.getuid(), os.getgid())))
    finally:
        over.set()
        attacker.join()
    assert list(outside.iterdir()) == []
