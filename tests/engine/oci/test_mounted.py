"""Volumes as programs in real containers find them, with both runtimes where it is the runtime that could spoil it."""

import asyncio
import os
from pathlib import Path
from urllib.request import urlopen

import pytest

from homerun.engine.base import (
    ContainerSpec,
    DiskVolume,
    FilesVolume,
    FolderVolume,
    MemoryVolume,
    Mount,
    NfsVolume,
    Ready,
    Volume,
)
from homerun.lib.errors import Invalid
from tests.engine.oci.conftest import PROBE, Rig

pytestmark = pytest.mark.host
MIB = 1 << 20


def every_kind(folder: Path) -> list[Volume]:
    (folder / "bucket").mkdir()
    (folder / "bucket/object").write_text("from the bucket\n")
    return [
        MemoryVolume("memory", 8 * MIB),
        DiskVolume("disk", 8 * MIB),
        FilesVolume("files", {"key": (b"from the secret\n", 0o444)}),
        FolderVolume("folder", str(folder / "bucket")),
    ]


async def fetch(ready: Ready, path: str) -> bytes:
    assert ready.address is not None
    with await asyncio.to_thread(urlopen, f"http://{ready.address.host}:{ready.address.port}{path}") as answer:
        return bytes(answer.read())


async def test_each_kind_is_there_and_safe(either: Rig, tmp_path: Path) -> None:
    volumes = every_kind(tmp_path)
    lines = await either.run("cat", "/files/key", "/folder/object", "/proc/self/mountinfo", volumes=volumes)
    assert lines[:2] == ["from the secret", "from the bucket"]
    mounts = {fields[4]: fields for fields in (line.split() for line in lines[2:])}
    for volume in volumes:
        flags = mounts[f"/{volume.name}"][5].split(",")
        assert {"nosuid", "nodev"} <= set(flags)
        assert ("ro" in flags) is (volume.name == "files")


async def test_a_user_of_the_image_reads_secrets_and_writes_elsewhere(either: Rig, tmp_path: Path) -> None:
    image = await either.pull(user="1234:1234")
    volumes = every_kind(tmp_path)
    (tmp_path / "bucket").chmod(0o777)
    assert await either.run("cat", "/files/key", image=image, volumes=volumes) == ["from the secret"]
    for name in ("memory", "disk", "folder"):
        found = await either.run("write", f"/{name}/new", "1", image=image, volumes=volumes)
        assert found == [f"/{name}/new: written"]
    [refused] = await either.run("write", "/files/new", "1", image=image, volumes=volumes)
    assert "Read-only file system" in refused


async def test_memory_counts_as_memory_and_a_disk_does_not(rig: Rig) -> None:
    id = await rig.start("write", "/memory/big", "200", volumes=[MemoryVolume("memory", 500 * MIB)])
    assert (await rig.exit(id)).oom
    assert await rig.run("write", "/disk/big", "200", volumes=[DiskVolume("disk", 300 * MIB)]) == ["/disk/big: written"]


async def test_a_size_is_the_end(rig: Rig) -> None:
    for volume in (MemoryVolume("v", 8 * MIB), DiskVolume("v", 8 * MIB)):
        assert await rig.run("write", "/v/big", "20", volumes=[volume]) == ["/v/big: No space left on device"]


async def test_nothing_is_left_of_an_instance_with_volumes(rig: Rig, tmp_path: Path) -> None:
    await rig.run("exit", "0")
    before = rig.footprint()
    id = await rig.start("sleep", volumes=every_kind(tmp_path))
    await rig.ready(id)
    await rig.engine.stop(id, 0)
    await rig.exit(id)
    await rig.engine.remove(id)
    assert rig.footprint() == before
    assert os.listdir(tmp_path / "bucket") == ["object"]


async def test_a_start_that_fails_leaves_no_volume(rig: Rig, tmp_path: Path) -> None:
    await rig.run("exit", "0")
    before = rig.footprint()
    volumes = [*every_kind(tmp_path), FolderVolume("gone", "/no/such")]
    with pytest.raises(Invalid, match="/no/such"):
        await rig.start("sleep", volumes=volumes)
    assert rig.footprint() == before


async def test_the_working_directory_may_be_in_a_volume(either: Rig, tmp_path: Path) -> None:
    volumes = every_kind(tmp_path)
    lines = await either.run("cat", "key", volumes=volumes, working_dir="/files")
    assert lines == ["from the secret"]
    assert "cwd=/folder/new/one" in await either.run("id", volumes=volumes, working_dir="/folder/new/one")
    with pytest.raises(Invalid, match="the working directory /files/new cannot be used: Read-only file system"):
        await either.run("id", volumes=volumes, working_dir="/files/new")


async def test_a_volume_over_etc_has_nothing_of_ours_in_it(either: Rig, tmp_path: Path) -> None:
    volumes = every_kind(tmp_path)
    found = await either.run("cat", "/etc/object", "/etc/hosts", volumes=volumes, mounts=[Mount("folder", "/etc")])
    assert found == ["from the bucket", "/etc/hosts: No such file or directory"]
    assert os.listdir(tmp_path / "bucket") == ["object"]


async def test_a_linked_mount_target_stays_in_the_container(either: Rig, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    image = await either.pull({"/data": "../../../../../real", "/real": None, "/away": str(outside)})
    volumes = every_kind(tmp_path)
    mounts = [Mount("folder", "/data")]
    assert await either.run("cat", "/real/object", image=image, volumes=volumes, mounts=mounts) == ["from the bucket"]
    for target in ("/away", "/away/below"):
        with pytest.raises(Invalid, match=f"cannot be mounted at {target}"):
            await either.run("id", image=image, volumes=volumes, mounts=[Mount("folder", target)])
    assert list(outside.iterdir()) == []


async def test_files_that_change_during_the_start_are_the_new_ones(rig: Rig) -> None:
    await rig.run("exit", "0")
    volumes = [FilesVolume("files", {"key": (b"old", 0o444)})]
    id = "i1"
    starting = asyncio.create_task(rig.start("serve", volumes=volumes, probe=PROBE))
    while not any(state.id == id for state in rig.engine.instances()):
        await asyncio.sleep(0)
    await rig.engine.refresh_files(id, "files", {"key": (b"new", 0o444)})
    assert await starting == id
    assert await fetch(await rig.ready(id), "/cat?path=/files/key") == b"new"


async def test_an_nfs_server_that_does_not_answer_keeps_nobody_else_waiting(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = tmp_path / "answers"
    program = tmp_path / "mount.nfs"
    program.write_text(f'#!/bin/sh\nwhile [ ! -e {answers} ]; do sleep 0.05; done\nexec mount -t tmpfs "$1" "$2"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    volumes = [NfsVolume("nfs", "10.0.0.2", "/export")]
    await rig.pull()
    slow = [asyncio.create_task(rig.start("exit", "0", volumes=volumes)) for _ in range(6)]
    assert await rig.run("exit", "0", "hello") == ["hello"]
    assert not any(start.done() for start in slow)
    answers.touch()
    for id in await asyncio.gather(*slow):
        assert (await rig.exit(id)).ok


async def test_containers_of_an_instance_share_a_volume_and_others_do_not(either: Rig) -> None:
    """One writes, and the other may only read."""
    for volume in (MemoryVolume("shared", 8 * MIB), DiskVolume("shared", 8 * MIB)):
        writer = ContainerSpec("", name="writer", args=("write", "/out/file", "1"), mounts=(Mount("shared", "/out"),))
        only_read = (Mount("shared", "/in", read_only=True),)
        reader = ContainerSpec("", name="reader", args=("serve",), startup=PROBE, mounts=only_read)
        ready = await either.ready(await either.several(writer, reader, volumes=(volume,), port=8080, main="reader"))
        async with asyncio.timeout(30):
            while not await fetch(ready, "/cat?path=/in/file"):
                await asyncio.sleep(0.02)
        assert await fetch(ready, "/write?path=/in/file&text=mine") == b"Read-only file system\n"
        assert (await either.run("cat", "/shared/file", volumes=[volume]))[0].endswith("No such file or directory")


async def test_files_are_exchanged_for_all_containers_even_if_one_has_ended(rig: Rig) -> None:
    volume = FilesVolume("files", {"key": (b"old", 0o444)})
    mounts = (Mount("files", "/files"),)
    ends = ContainerSpec("", name="ends", args=("exit", "0"), mounts=mounts)
    serves = ContainerSpec("", name="serves", args=("serve",), startup=PROBE, depends_on=("ends",), mounts=mounts)
    id = await rig.several(ends, serves, volumes=(volume,), port=8080, main="serves")
    ready = await rig.ready(id)
    await rig.engine.refresh_files(id, "files", {"key": (b"new", 0o444)})
    assert await fetch(ready, "/cat?path=/files/key") == b"new"
