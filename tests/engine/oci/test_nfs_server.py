"""Folders of a real NFS server in real containers. Where this machine cannot have one, all of it is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homerun.engine.base import Mount, NfsVolume
from homerun.lib.errors import Invalid
from tests.engine.oci.conftest import Rig
from tests.support.nfs import ADDRESS, NfsServer, unavailable

pytestmark = pytest.mark.host
DATA = NfsVolume("data", ADDRESS, "/data")
READ_ONLY = replace(DATA, read_only=True)


@pytest.fixture
def server(rig: Rig, tmp_path: Path) -> Iterator[NfsServer]:
    """Behind the engine, whose bridge has an address: where there is none but loopback, ganesha.nfsd finds no name."""
    if why := unavailable():
        pytest.skip(why)
    (tmp_path / "nfs").mkdir()
    with NfsServer(tmp_path / "nfs") as server:
        yield server


async def test_what_one_instance_writes_the_server_has_and_another_instance_reads(server: NfsServer, rig: Rig) -> None:
    (server.exported / "there").write_text("from the server\n")
    assert await rig.run("write", "/data/new", "1", volumes=[DATA]) == ["/data/new: written"]
    assert (server.exported / "new").stat().st_size == 1 << 20
    lines = await rig.run("cat", "/data/there", "/proc/self/mountinfo", volumes=[DATA])
    assert lines[0] == "from the server"
    [mount] = [line.split() for line in lines if " - nfs4 " in line]
    assert mount[4] == "/data" and {"nosuid", "nodev"} <= set(mount[5].split(","))


async def test_one_that_may_only_be_read(server: NfsServer, rig: Rig) -> None:
    (server.exported / "there").write_text("from the server\n")
    assert await rig.run("cat", "/data/there", volumes=[READ_ONLY]) == ["from the server"]
    assert await rig.run("write", "/data/new", "1", volumes=[READ_ONLY]) == ["/data/new: Read-only file system"]
    assert not (server.exported / "new").exists()


async def test_a_folder_of_it_alone(server: NfsServer, rig: Rig) -> None:
    (server.exported / "part").mkdir()
    (server.exported / "part/there").write_text("inside\n")
    mounts = [Mount("data", "/srv", "part")]
    assert await rig.run("cat", "/srv/there", volumes=[DATA], mounts=mounts) == ["inside"]


async def test_what_the_server_does_not_have_is_told_in_its_words(server: NfsServer, rig: Rig) -> None:
    with pytest.raises(Invalid, match=r"127\.0\.0\.1:/other\) cannot be mounted: .*No such file"):
        await rig.start("exit", "0", volumes=[replace(DATA, export="/other")])


async def test_a_server_that_is_gone_costs_the_start_and_leaves_nothing(server: NfsServer, rig: Rig) -> None:
    server.kill()
    with pytest.raises(Invalid, match=r"volume data .* cannot be mounted"):
        await rig.start("exit", "0", volumes=[DATA])
    assert rig.footprint()["mounts"] == rig.footprint()["cgroups"] == set()


async def test_an_instance_whose_server_is_gone_can_be_stopped(server: NfsServer, rig: Rig) -> None:
    id = await rig.start("sleep", volumes=[DATA])
    server.kill()
    await rig.engine.stop(id, 0)
    assert (await rig.exit(id)).signal == 9
    other = await rig.start("exit", "0")
    assert (await rig.exit(other)).ok, "nobody else is held up by it"
