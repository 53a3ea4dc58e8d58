"""OciEngine on real containers, beyond the contract that all engines share."""

import asyncio
import os
import socket
import urllib.request
from pathlib import Path

import pytest

from homerun.engine.base import ContainerSpec, EngineUnavailable, Exit
from homerun.engine.oci.cgroup import CgroupLayout, Cgroups
from homerun.engine.oci.engine import OciEngine
from homerun.engine.oci.layout import Layout
from homerun.lib.errors import Invalid
from homerun.model.probe import Probe
from tests.engine.oci.conftest import PROBE, Rig

pytestmark = pytest.mark.host


def get(address: str, path: str = "/") -> str:
    with urllib.request.urlopen(f"http://{address}:8080{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


async def fetch(rig: Rig, id: str, path: str) -> str:
    address = (await rig.ready(id)).address
    assert address is not None
    return await asyncio.to_thread(get, address.host, path)


# Running


async def test_it_serves_requests_with_either_runtime(either: Rig) -> None:
    id = await either.start("serve", probe=PROBE, env={"K_SERVICE": "hello"})
    assert await fetch(either, id, "/") == "hello\n"
    assert "K_SERVICE=hello" in await fetch(either, id, "/env")
    await either.engine.stop(id)
    assert await either.exit(id) == Exit(code=0)
    assert await either.output(id) == ["SIGTERM: goodbye"]


@pytest.mark.parametrize("code", [1, 42, 127])
async def test_exit_codes_come_through(rig: Rig, code: int) -> None:
    assert await rig.exit(await rig.start("exit", str(code), "last words")) == Exit(code=code)


async def test_death_by_signal_is_told_from_an_exit_code(either: Rig) -> None:
    assert await either.exit(await either.start("segv")) == Exit(signal=11)


async def test_children_do_not_outlive_the_first_process(rig: Rig) -> None:
    assert await rig.exit(await rig.start("fork", "20")) == Exit(code=0)
    assert rig.footprint()["cgroups"] == set()


async def test_a_fork_bomb_is_contained(tmp_path: Path) -> None:
    rig = Rig(tmp_path, tasks=32)
    await rig.open()
    id = await rig.start("fork", "100", "linger")
    await asyncio.sleep(0.5)
    lines = await rig.output(id)
    assert any("Resource temporarily unavailable" in line for line in lines)
    assert "forked" in lines
    await rig.close()


# Limits


async def test_exceeding_the_memory_limit_is_told(either: Rig) -> None:
    assert await either.exit(await either.start("eat", memory=32 << 20)) == Exit(signal=9, oom=True)


LIMITS = {
    CgroupLayout.V2: {
        "cpu.max": "50000 100000",
        "memory.max": "100663296",
        "memory.oom.group": "1",
        "pids.max": "4096",
    },
    CgroupLayout.V1: {"cpu.cfs_quota_us": "50000", "memory.limit_in_bytes": "100663296", "pids.max": "4096"},
}


async def test_the_kernel_knows_its_limits(either: Rig) -> None:
    id = await either.start("sleep", cpu=0.5, memory=96 << 20)
    cgroups = Cgroups.of_host(Layout(either.state).cgroup)
    wanted = LIMITS[CgroupLayout.V2 if cgroups.layout is CgroupLayout.V2 else CgroupLayout.V1]
    files = [folder / name for folder in cgroups._folders(id) for name in wanted]
    assert {file.name: file.read_text().strip() for file in files if file.exists()} == wanted


async def test_what_is_in_the_background_gives_way_and_finds_itself_as_any_other(rig: Rig) -> None:
    shares, own = {}, os.getpriority(os.PRIO_PROCESS, 0)
    for background in (False, True):
        id = await rig.several(ContainerSpec("", args=("sleep",)), background=background)
        await rig.ready(id)
        [part] = rig.engine._instances[id].parts
        assert part.monitor and part.init
        assert os.getpriority(os.PRIO_PROCESS, part.monitor.pid) == min(own + 10 * background, 19)
        assert os.getpriority(os.PRIO_PROCESS, part.init.pid) == own
        session = Path(f"/proc/{part.monitor.pid}/autogroup")
        assert not session.exists() or session.read_text().endswith(f" nice {10 * background}\n")
        cgroups = rig.engine._host.cgroups
        own_weight = cgroups._file(id, "cpu", "cpu.shares", "cpu.weight")
        shares[background] = int((own_weight.parent.parent / own_weight.name).read_text())
    assert 5 * shares[True] < shares[False]


async def test_what_is_written_may_go_to_disk_instead(tmp_path: Path) -> None:
    rig = Rig(tmp_path, root_disk=64 << 20)
    await rig.open()
    try:
        assert await rig.run("write", "/big", "48", memory=32 << 20) == ["/big: written"]
        assert await rig.run("write", "/big", "100", memory=32 << 20) == ["/big: No space left on device"]
        assert "/big: No such file or directory" in await rig.run("cat", "/big")
    finally:
        await rig.close()


async def test_what_is_written_counts_as_memory(rig: Rig) -> None:
    exit = await rig.exit(await rig.start("write", "/big", "100", memory=32 << 20))
    assert exit.oom or exit == Exit(code=1)


async def test_what_is_written_is_seen_by_nobody_else(rig: Rig) -> None:
    assert await rig.run("write", "/tmp/mine", "1") == ["/tmp/mine: written"]
    assert await rig.run("cat", "/tmp/mine") == ["/tmp/mine: No such file or directory"]


async def test_the_limit_can_be_read_inside(rig: Rig) -> None:
    files = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    assert str(48 << 20) in await rig.run("cat", *files, memory=48 << 20)


# Who it is, and what it may


async def test_it_has_few_rights(either: Rig) -> None:
    lines = await either.run("id")
    assert "uid=0 gid=0 groups=" in lines
    assert "no_new_privs=1" in lines
    assert "Seccomp:\t2" in lines
    [bounding] = [int(line.split()[1], 16) for line in lines if line.startswith("CapBnd")]
    assert bounding == sum(1 << bit for bit in (0, 1, 3, 4, 5, 6, 7, 8, 10, 31))
    [files] = [int(line[6:]) for line in lines if line.startswith("files=")]
    assert files <= 25_000


async def test_user_and_working_directory_come_from_the_image(either: Rig) -> None:
    accounts = {
        "/etc/passwd": b"root:x:0:0::/root:/bin/sh\nann:x:1001:1002::/home/ann:/bin/sh\n",
        "/etc/group": b"root:x:0:\nann:x:1002:\nmusic:x:1003:bob,ann\n",
    }
    image = await either.pull(accounts, user="ann", working_dir="/srv/data/deep")
    lines = await either.run("id", image=image)
    assert lines[0] == "uid=1001 gid=1002 groups=1003"
    assert lines[1] == "cwd=/srv/data/deep"
    [effective] = [line.split()[1] for line in lines if line.startswith("CapEff")]
    assert int(effective, 16) == 0


async def test_an_unknown_user_is_root(rig: Rig) -> None:
    lines = await rig.run("id", image=await rig.pull(user="nobody-knows-me"))
    assert lines[0].startswith("uid=0 gid=0")


async def test_a_port_below_1024_needs_no_rights(rig: Rig) -> None:
    id = await rig.start("serve", "80", image=await rig.pull(user="1234"), probe=Probe(port=80))
    assert (await rig.ready(id)).address


async def test_kernel_files_are_out_of_reach(rig: Rig) -> None:
    assert await rig.run("cat", "/proc/keys", "/proc/timer_list") == []
    assert await rig.run("write", "/proc/sys/kernel/hostname", "1") == [
        "/proc/sys/kernel/hostname: Read-only file system"
    ]


async def test_stdin_is_at_its_end(rig: Rig) -> None:
    assert await rig.run("cat", "/dev/stdin") == []


# Isolation


async def test_neither_host_nor_neighbour_can_be_reached(rig: Rig) -> None:
    neighbour = await rig.ready(await rig.start("serve", probe=PROBE))
    assert neighbour.address is not None
    gateway = neighbour.address.host.rsplit(".", 2)[0] + ".0.1"
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = str(server.getsockname()[1])
        assert await asyncio.to_thread(lambda: socket.create_connection((gateway, int(port))).close()) is None
        assert (await rig.run("connect", gateway, port))[0] in ("Connection timed out", "No route to host")
    assert (await rig.run("connect", neighbour.address.host, "8080"))[0] in ("Connection timed out", "No route to host")
    assert (await rig.run("connect", "169.254.169.254", "80"))[0] in ("Connection timed out", "Network is unreachable")
    assert await rig.run("connect", "127.0.0.1", "22") == ["Connection refused"]


async def test_a_network_is_used_again_but_its_connections_are_not(rig: Rig) -> None:
    """A server that closes first leaves TIME_WAIT behind, which would keep the next one from its port."""
    for _ in range(12):
        id = await rig.start("serve", probe=PROBE)
        assert await fetch(rig, id, "/") == "hello\n"
        address = (await rig.ready(id)).address
        assert address is not None
        with socket.create_connection((address.host, 8080)) as kept:
            kept.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert kept.recv(100)
            await rig.engine.stop(id)
            assert await rig.exit(id) == Exit(code=0)


# Not becoming ready


async def test_the_wrong_port_is_named(rig: Rig) -> None:
    message = await rig.failure(await rig.start("serve", "3000", probe=Probe(port=8080, period=0.3)))
    assert "listens on 0.0.0.0:3000, not on port 8080" in message
    assert "--port 3000" in message


async def test_listening_on_localhost_only_is_named(rig: Rig) -> None:
    message = await rig.failure(await rig.start("serve", "8080", "127.0.0.1", probe=Probe(port=8080, period=0.3)))
    assert message.startswith("the container listens on 127.0.0.1:8080 only: listen on 0.0.0.0:8080")


async def test_listening_on_nothing_is_named(rig: Rig) -> None:
    id = await rig.start("sleep", probe=Probe(port=8080, period=0.3))
    assert "listens on no port" in await rig.failure(id)
    assert await rig.exit(id) == Exit(signal=9)


async def test_an_http_probe_waits_for_a_good_answer(rig: Rig) -> None:
    good = Probe(port=8080, http_path="/status?code=204", period=1, timeout=1)
    await rig.ready(await rig.start("serve", probe=good))
    bad = Probe(port=8080, http_path="/status?code=500", period=0.4, timeout=0.2)
    assert "GET /status?code=500 on port 8080" in await rig.failure(await rig.start("serve", probe=bad))


# Nothing leaks


async def test_starts_and_stops_leave_nothing_behind(rig: Rig) -> None:
    image = await rig.pull()
    broken = await rig.pull(cmd="/nothing")
    await rig.run("exit", "0", image=image)
    for _ in range(4):
        await asyncio.gather(*(rig.run("exit", "0", image=image) for _ in range(4)))  # all threads have come to life
    for state in rig.engine.instances():
        await rig.engine.remove(state.id)
    before, files = rig.footprint(), len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        ids = [await rig.start("sleep", image=image) for _ in range(4)]
        with pytest.raises(Invalid):
            await rig.start(image=broken)
        ids.append(await rig.start("exit", "3", image=image))
        for id in ids:
            await rig.engine.stop(id, 5)
        for id in ids:
            await rig.exit(id)
            await rig.engine.remove(id)
    assert rig.footprint() == before
    assert before["cgroups"] == before["monitors"] == before["records"] == before["mounts"] == set()
    assert len(os.listdir("/proc/self/fd")) - files <= 16, "the pool of networks may grow, nothing else"


async def test_close_gives_the_host_back_as_it_was(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.open()
    assert rig.footprint()["tables"] and rig.footprint()["links"]
    id = await rig.start("exit", "0")
    await rig.exit(id)
    await rig.engine.remove(id)
    await rig.close()
    left = rig.footprint()
    assert len(left.pop("mount namespaces")) == 1
    assert not any(left.values()), left
    assert Cgroups.of_host(Layout(rig.state).cgroup).roots() == []


# Opening


async def test_one_state_folder_has_one_engine(rig: Rig) -> None:
    with pytest.raises(EngineUnavailable, match="another homerun uses"):
        await rig.make().open(rig.listen)


async def test_a_runtime_that_is_not_there_is_named(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "youki")
    with pytest.raises(EngineUnavailable, match=r"youki is not installed.*apt-get install youki"):
        await rig.open()


async def test_without_root_the_remedy_is_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EngineUnavailable, match="sudo"):
        await Rig(tmp_path).open()


def test_the_engine_is_an_engine() -> None:
    from homerun.engine.base import Engine

    engine: type[Engine] = OciEngine
    assert engine
