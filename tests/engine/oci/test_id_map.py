"""Root in a container that is nobody on the host."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable, FilesVolume, FolderVolume, MemoryVolume, NfsVolume
from homerun.engine.oci.id_map import BASE, SIZE, IdMap
from homerun.engine.oci.layout import Layout
from homerun.lib.errors import Invalid
from tests.engine.oci.conftest import PROBE, Rig
from tests.engine.oci.test_mounted import fetch

pytestmark = pytest.mark.host
MIB = 1 << 20


@pytest.fixture(params=["crun", "runc"])
async def mapped(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, request.param, user_namespaces=True)
    await rig.open()
    yield rig
    await rig.close()


@pytest.mark.parametrize("user", [0, 1234])
async def test_users_are_others_here_and_files_keep_their_owners(mapped: Rig, tmp_path: Path, user: int) -> None:
    image = await mapped.pull(user=f"{user}:{user}")
    (tmp_path / "bucket").mkdir()
    os.chown(tmp_path / "bucket", user, user)
    volumes = [
        MemoryVolume("memory", 8 * MIB),
        FilesVolume("keys", {"a/key": (b"secret", 0o400), "open": (b"for all", 0o444)}),
        FolderVolume("bucket", str(tmp_path / "bucket")),
    ]
    id = await mapped.start("serve", image=image, volumes=volumes, probe=PROBE, working_dir="/memory/a/b")
    ready = await mapped.ready(id)

    async def said(path: str) -> str:
        return (await fetch(ready, path)).decode().strip()

    assert (await said("/cat?path=/proc/self/uid_map")).split() == ["0", str(BASE), str(SIZE)]
    assert await said("/cat?path=/keys/open") == "for all"
    assert await said("/cat?path=/keys/a/key") == ("secret" if user == 0 else "")
    for path in ("/memory/new", "/bucket/new", "/memory/a/b/new", "/dev/stdout"):
        assert await said(f"/write?path={path}&text=hello") == "written", path
    found = (tmp_path / "bucket/new").stat()
    assert (found.st_uid, found.st_gid) == (user, user), "as without user namespaces"
    await mapped.engine.refresh_files(id, "keys", {"a/key": (b"new", 0o400)})
    assert await said("/cat?path=/keys/a/key") == ("new" if user == 0 else "")

    await said("/syslog?text=heard")
    async with asyncio.timeout(30):
        while not [line for line in await mapped.output(id) if "heard" in line]:
            await asyncio.sleep(0.05)

    init = mapped.engine._instances[id].parts[0].init
    assert init is not None
    assert os.stat(f"/proc/{init.pid}").st_uid == BASE + user
    assert set(os.listdir(f"/proc/{init.pid}/root/sys/class/net")) == {"eth0", "lo"}


async def test_nothing_is_left_outside_of_the_state_folder(tmp_path: Path) -> None:
    rig = Rig(tmp_path, user_namespaces=True)
    folder = Layout(rig.state, mapped=True).sandbox
    await rig.open()
    try:
        assert folder.stat().st_mode & 0o777 == 0o711
        remote = NfsVolume("remote", "10.0.0.1", "/")
        with pytest.raises(Invalid, match=r"volume remote is on NFS.*--user-namespaces"):
            await rig.start("sleep", volumes=[remote])
        assert await rig.run("write", "/x", "1", volumes=[]) == ["/x: written"]
    finally:
        await rig.close()
    assert not folder.exists()


async def test_a_kernel_without_user_namespaces_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unshare").write_text("#!/bin/sh\necho unshare failed: No space left on device >&2; exit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(EngineUnavailable, match="No space left on device; leave out --user-namespaces"):
        await asyncio.to_thread(IdMap.open)
