"""Volumes in a mount namespace: every kind, where it may and may not be seen, and what hostile links do not reach."""

import ctypes
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from homerun.engine.base import DiskVolume, FilesVolume, FolderVolume, MemoryVolume, Mount, NfsVolume, Volume
from homerun.engine.oci import kernel, volumes
from homerun.engine.oci.sandbox import Sandboxes, mount_root
from homerun.engine.oci.volumes import bind_mounts, mount_volumes, place
from homerun.lib.errors import Invalid

pytestmark = pytest.mark.host
MIB = 1 << 20
T = TypeVar("T")
SCRATCH = MemoryVolume("v", MIB)


class Bench:
    """A root made of one layer, volumes, and mounts into it: looked at from inside."""

    def __init__(self, folder: Path, sandboxes: Sandboxes) -> None:
        self.sandboxes = sandboxes
        names = ("point", "volumes", "layer", "bucket", "disks")
        self.point, self.volumes, self.layer, self.bucket, self.disks = (folder / name for name in names)
        for each in (self.point, self.volumes, self.layer, self.bucket, self.disks):
            each.mkdir()

    async def see(self, given: Sequence[Volume], mounts: Sequence[Mount], look: Callable[[Path], T]) -> T:
        """What `look` finds in a container's root."""

        def work() -> T:
            root = self.prepare(given, mounts)[0]
            return look(root)

        return await self.sandboxes.run(work)

    async def places(self, given: Sequence[Volume], mounts: Sequence[Mount]) -> list[str]:
        return await self.sandboxes.run(lambda: self.prepare(given, mounts)[1])

    async def one(self, volume: Volume, look: Callable[[Path], T], **mount: str | bool) -> T:
        """`volume` mounted at /data, unless another path is given."""
        where = Mount(volume.name, **{"path": "/data", **mount})  # type: ignore[arg-type]
        return await self.see([volume], [where], lambda root: look(root / where.path.lstrip("/")))

    def prepare(self, given: Sequence[Volume], mounts: Sequence[Mount]) -> tuple[Path, list[str]]:
        root = mount_root(self.point, [self.layer], 4 * MIB)
        mount_volumes(self.volumes, given, self.disks)
        return root, self.bind(root, given, mounts)

    def bind(self, root: Path, given: Sequence[Volume], mounts: Sequence[Mount]) -> list[str]:
        fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
        try:
            return bind_mounts(fd, self.volumes, given, mounts)
        finally:
            os.close(fd)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    sandboxes = Sandboxes(threads=1)
    yield Bench(tmp_path, sandboxes)
    sandboxes.close()


def write_error(path: Path, size: int = 1) -> int | None:
    try:
        path.write_bytes(bytes(size))
    except OSError as error:
        return error.errno
    return None


def options(path: Path) -> set[str]:
    """Of the mount that lies over `path`."""
    lines = (line.split() for line in Path("/proc/thread-self/mountinfo").read_text().splitlines())
    return next(set(fields[5].split(",")) for fields in lines if fields[4] == str(path))


# The kinds


@pytest.mark.parametrize("kind", [MemoryVolume, DiskVolume])
async def test_an_empty_folder_is_everybodys_and_limited(bench: Bench, kind: type[MemoryVolume | DiskVolume]) -> None:
    def look(data: Path) -> tuple[list[str], int, int | None, int | None]:
        found = os.listdir(data)
        mode = data.stat().st_mode & 0o7777
        return found, mode, write_error(data / "fits", MIB), write_error(data / "big", 12 * MIB)

    assert await bench.one(kind("v", 8 * MIB), look) == ([], 0o777, None, errno.ENOSPC)
    assert await bench.one(kind("v", 8 * MIB), os.listdir) == [], "each instance has its own"


async def test_files_can_be_read_and_not_written(bench: Bench) -> None:
    volume = FilesVolume("v", {"key": (b"secret", 0o444), "deep/key": (b"2", 0o444)})

    def look(data: Path) -> tuple[set[str], bytes, bytes, list[int | None]]:
        errors = [write_error(data / name) for name in ("key", "new", "deep/new")]
        return set(os.listdir(data)), (data / "key").read_bytes(), (data / "deep/key").read_bytes(), errors

    assert await bench.one(volume, look) == ({"key", "deep"}, b"secret", b"2", [errno.EROFS] * 3)


async def test_a_folder_stays(bench: Bench) -> None:
    (bench.bucket / "old").write_text("there")

    def look(data: Path) -> str:
        (data / "new").write_text("written")
        return (data / "old").read_text()

    assert await bench.one(FolderVolume("v", str(bench.bucket)), look) == "there"
    assert (bench.bucket / "new").read_text() == "written"


async def test_a_folder_that_may_only_be_read(bench: Bench) -> None:
    look = lambda data: write_error(data / "new")  # noqa: E731
    assert await bench.one(FolderVolume("v", str(bench.bucket), read_only=True), look) == errno.EROFS
    assert await bench.one(FolderVolume("v", str(bench.bucket)), look, read_only=True) == errno.EROFS
    assert list(bench.bucket.iterdir()) == []


async def test_a_folder_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(Invalid, match=r"the volume v cannot be mounted: /no/such: No such file"):
        await bench.one(FolderVolume("v", "/no/such"), os.listdir)


async def test_a_folder_that_is_not_there_and_what_to_do(bench: Bench) -> None:
    volume = FolderVolume("v", "/no/such", remedy="there is no bucket such: homerun buckets create such")
    with pytest.raises(Invalid, match="cannot be mounted: there is no bucket such: homerun buckets create such"):
        await bench.one(volume, os.listdir)


async def test_a_part_of_a_folder_is_the_whole_volume(bench: Bench, tmp_path: Path) -> None:
    (bench.bucket / "part").mkdir()
    (bench.bucket / "part/object").write_text("x")
    (bench.bucket / "part/up").symlink_to("..")
    (bench.bucket / "file").write_text("x")
    (bench.bucket / "away").symlink_to(tmp_path)
    part = FolderVolume("v", str(bench.bucket), inside="part")
    assert set(await bench.one(part, os.listdir)) == {"object", "up"}
    assert set(await bench.one(part, os.listdir, sub_path="up")) == {"object", "up"}, "the top is above the top"
    assert await bench.one(FolderVolume("v", str(bench.bucket), inside="new/one"), os.listdir) == []
    assert (bench.bucket / "new/one").is_dir()
    for inside, problem in (("file", "file is not a folder"), ("away", "away in the volume v cannot be mounted")):
        with pytest.raises(Invalid, match=problem):
            await bench.one(FolderVolume("v", str(bench.bucket), inside=inside), os.listdir)


async def test_nfs_is_what_mount_nfs_mounts(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mount.nfs").write_text('#!/bin/sh\nmount -t tmpfs "$1" "$2" && echo "$1" > "$2/from"\n')
    (tmp_path / "mount.nfs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def look(data: Path) -> tuple[str, int | None, set[str]]:
        return (data / "from").read_text(), write_error(data / "new"), options(data)

    text, error, flags = await bench.one(NfsVolume("v", "10.0.0.2", "/srv", read_only=True), look)
    assert (text, error) == ("10.0.0.2:/srv\n", errno.EROFS)
    assert flags >= {"ro", "nosuid", "nodev"}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("kind", ["memory", "disk", "files", "folder"])
async def test_no_volume_has_devices_or_setuid_programs(bench: Bench, kind: str, read_only: bool) -> None:
    made: Mapping[str, Volume] = {
        "memory": SCRATCH,
        "disk": DiskVolume("v", 8 * MIB),
        "files": FilesVolume("v", {}),
        "folder": FolderVolume("v", str(bench.bucket)),
    }
    flags = await bench.one(made[kind], options, read_only=read_only)
    assert flags >= {"nosuid", "nodev"}
    assert ("ro" in flags) is (read_only or kind == "files")


# Mounts


async def test_containers_of_an_instance_share_a_volume(bench: Bench) -> None:
    def work() -> tuple[str, int | None]:
        first, _ = bench.prepare([SCRATCH], [Mount("v", "/here")])
        second = bench.point / "second"
        second.mkdir()
        bench.bind(second, [SCRATCH], [Mount("v", "/there", read_only=True)])
        (first / "here/note").write_text("for you")
        return (second / "there/note").read_text(), write_error(second / "there/mine")

    assert await bench.sandboxes.run(work) == ("for you", errno.EROFS)


async def test_it_hides_what_the_image_has_there(bench: Bench) -> None:
    (bench.layer / "data").mkdir()
    (bench.layer / "data/hidden").write_text("x")
    assert await bench.one(SCRATCH, os.listdir) == []


async def test_a_part_of_it(bench: Bench) -> None:
    (bench.bucket / "a/b").mkdir(parents=True)
    (bench.bucket / "a/b/object").write_text("x")
    volume = FolderVolume("v", str(bench.bucket))
    assert await bench.one(volume, os.listdir, sub_path="a/b") == ["object"]
    assert await bench.one(volume, os.listdir, sub_path="new/one") == []
    assert (bench.bucket / "new/one").is_dir()


async def test_one_file_of_it(bench: Bench) -> None:
    (bench.bucket / "config").write_text("x=1")
    volume = FolderVolume("v", str(bench.bucket))
    assert await bench.one(volume, Path.read_text, sub_path="config", path="/etc/app/config") == "x=1"


async def test_a_part_that_cannot_be_made(bench: Bench) -> None:
    volume = FolderVolume("v", str(bench.bucket), read_only=True)
    with pytest.raises(Invalid, match="gone in the volume v cannot be mounted: No such file"):
        await bench.one(volume, os.listdir, sub_path="gone")
    os.mkfifo(bench.bucket / "pipe")
    with pytest.raises(Invalid, match="pipe in the volume v cannot be mounted: it is neither a folder nor a file"):
        await bench.one(volume, os.listdir, sub_path="pipe")


async def test_a_volume_that_there_is_not(bench: Bench) -> None:
    with pytest.raises(Invalid, match="there is no volume 'w' to mount at /data"):
        await bench.see([SCRATCH], [Mount("w", "/data")], os.listdir)


async def test_a_path_that_the_image_has_taken(bench: Bench) -> None:
    (bench.layer / "data").write_text("a file")
    with pytest.raises(Invalid, match=r"cannot be mounted at /data: Not a directory; see what the image has there"):
        await bench.one(SCRATCH, os.listdir)


async def test_what_the_host_mounts_in_a_folder_is_not_shown(bench: Bench) -> None:
    def work() -> list[str]:
        (bench.bucket / "below").mkdir()
        kernel.mount("tmpfs", str(bench.bucket / "below"), "tmpfs")
        (bench.bucket / "below/secret").write_text("x")
        root, _ = bench.prepare([FolderVolume("v", str(bench.bucket))], [Mount("v", "/data")])
        return os.listdir(root / "data/below")

    assert await bench.sandboxes.run(work) == []


async def test_only_nfs_waits_for_another_machine() -> None:
    assert not volumes.waits_for_others([SCRATCH, FilesVolume("f", {})])
    assert volumes.waits_for_others([SCRATCH, NfsVolume("n", "10.0.0.2", "/")])


# Hostile images


async def test_links_of_the_image_lead_to_places_in_the_image(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (bench.layer / "data").symlink_to("../../../../../../srv")
    (bench.layer / "srv").mkdir()
    (bench.layer / "escape").symlink_to(outside)
    assert await bench.places([SCRATCH], [Mount("v", "/data/x")]) == ["/srv/x"]
    with suppress(Invalid):
        await bench.places([SCRATCH], [Mount("v", "/escape/x")])
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("target", ["/", "/proc", "/proc/sys", "/sys", "/dev", "/dev/shm", "..", "."])
async def test_links_to_where_nothing_may_be_mounted(bench: Bench, target: str) -> None:
    for folder in ("proc/sys", "sys", "dev/shm"):
        (bench.layer / folder).mkdir(parents=True)
    (bench.layer / "data").symlink_to(target)
    with pytest.raises(Invalid, match="the volume v cannot be mounted at /data: in this image that is /"):
        await bench.places([SCRATCH], [Mount("v", "/data")])


async def test_a_link_into_another_volume(bench: Bench) -> None:
    (bench.layer / "a").mkdir()
    (bench.layer / "b").symlink_to("/a")
    bucket = FolderVolume("bucket", str(bench.bucket))
    with pytest.raises(Invalid, match="cannot be mounted at /b/below"):
        await bench.places([bucket, SCRATCH], [Mount("bucket", "/a"), Mount("v", "/b/below")])
    assert list(bench.bucket.iterdir()) == []


# Hostile volumes: what another container has written there before, or writes just now


@pytest.mark.parametrize("link", ["{outside}", "../../../../../../../{outside}", "/proc/self/root{outside}", "deep"])
async def test_links_in_a_volume_lead_to_places_in_the_volume(bench: Bench, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (bench.bucket / "link").symlink_to(link.format(outside=outside))
    (bench.bucket / "deep").symlink_to(outside)
    volume = FolderVolume("v", str(bench.bucket))
    for sub_path in ("link", "link/secret", "link/new", "../outside", "link/../secret"):
        with suppress(Invalid):
            found = await bench.one(volume, lambda data: os.listdir(data) if data.is_dir() else [data.read_text()],
                                    sub_path=sub_path)  # fmt: skip
            assert found == []
    assert os.listdir(outside) == ["secret"]


async def test_a_folder_that_is_exchanged_for_a_link_while_it_is_mounted(bench: Bench, tmp_path: Path) -> None:
    """One container turns folders of a shared volume into links and back, while others are started with them."""
    outside, spot, link = tmp_path / "outside", bench.bucket / "spot", bench.bucket / "link"
    outside.mkdir()
    (outside / "secret").write_text("s")
    spot.mkdir()
    link.symlink_to(outside)
    over = threading.Event()

    def exchange() -> None:
        rename = ctypes.CDLL(None).renameat2
        while not over.is_set():
            assert rename(-100, os.fsencode(spot), -100, os.fsencode(link), 2) == 0

    attacker = threading.Thread(target=exchange)
    attacker.start()
    volume = FolderVolume("v", str(bench.bucket))
    try:
        for number in range(100):
            for sub_path in ("spot", f"spot/{number}"):
                with suppress(Invalid):
                    assert "secret" not in await bench.one(volume, os.listdir, sub_path=sub_path)
    finally:
        over.set()
        attacker.join()
    assert os.listdir(outside) == ["secret"]


def test_each_volume_has_a_place_of_its_own(tmp_path: Path) -> None:
    assert place(tmp_path, "a") != place(tmp_path, "b")
