"""System calls: a path that cannot leave its folder, and errors with names."""

import os
from pathlib import Path

import pytest

from homerun.engine.oci import kernel


@pytest.mark.parametrize("path", ["/secret", "../../secret", "link", "deep/link", "/proc/self/root/etc/passwd"])
def test_no_path_leads_out_of_the_root(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("s")
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "deep/link").symlink_to("../../../../../../../etc/passwd")
    fd = os.open(root, os.O_PATH)
    with pytest.raises(FileNotFoundError):
        kernel.open_in_root(fd, path)
    os.close(fd)


def test_absolute_links_are_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("inside")
    (tmp_path / "link").symlink_to("/target")
    fd = os.open(tmp_path, os.O_PATH)
    with open(kernel.open_in_root(fd, "/link")) as file:
        assert file.read() == "inside"
    os.close(fd)


def test_errors_carry_what_was_tried() -> None:
    with pytest.raises(OSError, match="/nowhere"):
        kernel.mount("none", "/nowhere", "tmpfs")
    with pytest.raises(OSError, match="setns"):
        kernel.setns(-1, kernel.CLONE_NEWNS)


def test_a_thread_knows_its_namespaces() -> None:
    fd = kernel.thread_namespace("mnt")
    assert os.fstat(fd).st_ino == os.stat("/proc/self/ns/mnt").st_ino
    os.close(fd)
