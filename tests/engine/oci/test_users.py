"""USER of an image, looked up in the image."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from homerun.engine.oci.users import User, look_up

PASSWD = "root:x:0:0:root:/root:/bin/sh\nann:x:1001:1002::/home/ann:/bin/sh\nbroken line\nbad:x:one:two::/:\n"
GROUP = "root:x:0:\nann:x:1002:\nmusic:x:1003:bob,ann\nvideo:x:44:ann\n"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("wanted", "user"),
    [
        ("", User(0, 0, (), "/root")),
        ("root", User(0, 0, (), "/root")),
        ("ann", User(1001, 1002, (44, 1003), "/home/ann")),
        ("1001", User(1001, 1002, (44, 1003), "/home/ann")),
        ("ann:music", User(1001, 1003, (), "/home/ann")),
        ("ann:7", User(1001, 7, (), "/home/ann")),
        ("5000", User(5000, 0, (), "/")),
        ("5000:6000", User(5000, 6000, (), "/")),
        ("nobody-knows", User(0, 0, (), "/root")),
        ("bad", User(0, 0, (), "/root")),
        ("ann:nobody-knows", User(1001, 0, (), "/home/ann")),
    ],
)
def test_user_and_group(root: int, wanted: str, user: User) -> None:
    assert look_up(root, wanted) == user


def test_an_image_without_accounts_runs_as_root_or_by_number(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    assert look_up(fd, "ann") == User(0, 0, (), "/root")
    assert look_up(fd, "") == User(0, 0, (), "/root")
    assert look_up(fd, "12:34") == User(12, 34, (), "/")
    os.close(fd)


def test_a_link_out_of_the_root_is_followed_inside_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("evil:x:0:0::/:\nann:x:7:7::/evil:\n")
    inside = tmp_path / "root"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc/passwd").symlink_to(outside)
    fd = os.open(inside, os.O_PATH)
    assert look_up(fd, "ann").uid == 0
    os.close(fd)


def test_a_pipe_in_place_of_the_file_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    fd = os.open(tmp_path, os.O_PATH)
    assert look_up(fd, "ann").uid == 0
    os.close(fd)
