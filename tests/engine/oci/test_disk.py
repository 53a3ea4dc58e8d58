"""Disks of a size: enforced, private to their mount namespace, and without any trace afterwards."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable
from homerun.engine.oci import disk
from homerun.engine.oci.sandbox import Sandboxes

pytestmark = pytest.mark.host
MIB = 1 << 20


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    sandboxes = Sandboxes(threads=2)
    yield sandboxes
    sandboxes.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "disks").mkdir()
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def backed_by(folder: Path) -> list[Path]:
    """Loop devices over files of a folder."""
    files = Path("/sys/block").glob("loop*/loop/backing_file")
    found = []
    for file in files:
        try:
            if file.read_text().startswith(str(folder)):
                found.append(file)
        except OSError:
            continue  # it is just being let go
    return found


async def test_it_is_empty_and_holds_its_size_and_no_more(sandboxes: Sandboxes, target: Path) -> None:
    def work() -> tuple[list[str], int, int | None, int]:
        disk.mount_disk(target.parent / "disks", 20 * MIB, target)
        found, error = os.listdir(target), None
        with open(target / "big", "wb") as file:
            try:
                for _ in range(40):
                    file.write(bytes(MIB))
                    file.flush()
            except OSError as full:
                error = full.errno
        size = os.stat(target / "big").st_size
        return found, len(backed_by(target.parent)), error, size

    found, devices, error, size = await sandboxes.run(work)
    assert (found, devices, error) == ([], 1, errno.ENOSPC)
    assert 15 * MIB < size <= 20 * MIB


async def test_nothing_is_left_of_it(sandboxes: Sandboxes, target: Path) -> None:
    def work() -> None:
        disk.mount_disk(target.parent / "disks", 20 * MIB, target)
        (target / "file").write_text("x")

    await sandboxes.run(work)
    async with asyncio.timeout(30):
        while backed_by(target.parent):
            await asyncio.sleep(0.05)
    assert list(target.iterdir()) == [] == list((target.parent / "disks").iterdir())


async def test_what_is_deleted_can_be_written_again(sandboxes: Sandboxes, target: Path) -> None:
    def work() -> int:
        disk.mount_disk(target.parent / "disks", 20 * MIB, target)
        for _ in range(4):
            (target / "big").write_bytes(bytes(12 * MIB))
            (target / "big").unlink()
        return len(os.listdir(target))

    assert await sandboxes.run(work) == 0


async def test_many_at_once_get_devices_of_their_own(sandboxes: Sandboxes, tmp_path: Path) -> None:
    (tmp_path / "disks").mkdir()
    for number in range(12):
        (tmp_path / f"t{number}").mkdir()

    def work(target: Path) -> list[str]:
        disk.mount_disk(tmp_path / "disks", 8 * MIB, target)
        (target / target.name).write_text("x")
        return os.listdir(target)

    works = [sandboxes.run(lambda target=tmp_path / f"t{n}": work(target)) for n in range(12)]  # type: ignore[misc]
    assert await asyncio.gather(*works) == [[f"t{number}"] for number in range(12)]


async def test_sizes_that_make_no_file_system_are_rounded_up(sandboxes: Sandboxes, target: Path) -> None:
    def work() -> int:
        disk.mount_disk(target.parent / "disks", 1, target)
        found = os.statvfs(target)
        return found.f_blocks * found.f_frsize

    assert 0 < await sandboxes.run(work) <= 4 * MIB


async def test_a_host_without_mke2fs_says_so(
    sandboxes: Sandboxes, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(target))
    with pytest.raises(EngineUnavailable, match="apt-get install e2fsprogs"):
        await sandboxes.run(lambda: disk.mount_disk(target.parent / "disks", 123 * MIB, target))


async def test_a_host_without_loop_devices_says_so(
    sandboxes: Sandboxes, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_CONTROL", str(target / "nothing"))
    with pytest.raises(EngineUnavailable, match="modprobe loop"):
        await sandboxes.run(lambda: disk.mount_disk(target.parent / "disks", 20 * MIB, target))


async def test_a_file_system_without_nameless_files_will_do(
    sandboxes: Sandboxes, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object, flags: int, *more: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not here")
        return real(path, flags, *more)  # type: ignore[arg-type]

    real = os.open
    monkeypatch.setattr(os, "open", refuse)

    def work() -> list[Path]:
        disk.mount_disk(target.parent / "disks", 20 * MIB, target)
        (target / "file").write_text("x")
        return list((target.parent / "disks").iterdir())

    assert await sandboxes.run(work) == []
