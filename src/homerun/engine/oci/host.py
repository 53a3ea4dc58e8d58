"""Make this host ready to run instances, or say in one line what it lacks and how to get it."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from homerun.engine.base import ContainerSpec, EngineUnavailable, Image
from homerun.engine.oci import launch, runtime
from homerun.engine.oci.cgroup import CgroupLayout, Cgroups
from homerun.engine.oci.id_map import IdMap
from homerun.engine.oci.launch import Host, Item, Order
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.monitor import Monitor
from homerun.engine.oci.records import Record
from homerun.engine.oci.runtime import Runtime
from homerun.engine.oci.sandbox import Sandboxes
from homerun.lib.errors import HomerunError
from homerun.lib.lock import take

_PATIENCE = 10


def require(layout: Layout) -> tuple[int, str, Cgroups]:
    """The lock on the state folder, the path of conmon, the control groups. Raises EngineUnavailable."""
    if os.geteuid() != 0:
        raise EngineUnavailable("containers need root: run homerun with sudo")
    conmon = shutil.which("conmon")
    if conmon is None:
        raise EngineUnavailable("conmon is not installed: apt-get install conmon")
    if shutil.which("nft") is None:
        raise EngineUnavailable("nft is not installed: apt-get install nftables")
    cgroups = Cgroups.of_host(layout.cgroup)
    if missing := cgroups.missing:
        raise EngineUnavailable(
            f"the kernel offers no cgroup controller for {', '.join(missing)}: boot with cgroup_enable=memory"
        )
    layout.make()
    return lock(layout.lock), conmon, cgroups


def lock(file: Path) -> int:
    """Held until the descriptor is closed, also by the end of the process."""
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not take(fd):
        os.close(fd)
        raise EngineUnavailable(f"another homerun uses {file.parent}: stop it, or choose another --state")
    return fd


def detached(cgroups: Cgroups) -> Path | None:
    """crun refuses to run where it sees a cgroup2 mount beside v1 controllers, so instances do not get to see it."""
    return cgroups.unified if cgroups.layout is CgroupLayout.HYBRID else None


async def choose_runtime(
    wanted: str, layout: Layout, cgroups: Cgroups, conmon: str, sandboxes: Sandboxes, ids: IdMap | None = None
) -> Runtime:
    """The first runtime that really runs a container here; remembered until the next boot."""
    return await sandboxes.run(
        lambda: runtime.choose(wanted, layout.run, layout.runtime, trial(layout, cgroups, conmon, ids))
    )


def trial(layout: Layout, cgroups: Cgroups, conmon: str, ids: IdMap | None = None) -> Callable[[Runtime], str | None]:
    """Runs a program that does nothing but exit with 0; the answer is what went wrong."""

    def attempt(candidate: Runtime) -> str | None:
        host = Host(layout, cgroups, candidate, conmon, tasks=16, ids=ids)
        id = f"trial-{uuid.uuid4().hex}"
        folder = layout.state / id
        (folder / "root").mkdir(parents=True)
        (folder / "root/exit-zero").write_bytes(runtime.exit_zero())
        (folder / "root/exit-zero").chmod(0o755)
        network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        container = ContainerSpec("", memory=64 << 20)
        image = Image("", "", entrypoint=("/exit-zero",))
        item = Item(container, id, id, image, [folder / "root"], folder / "log")
        try:
            [created] = launch.create(host, Order(id, [item], folder, network), {})
            candidate.start(id, created.init)
            return _outcome(created, Record(folder))
        except (HomerunError, OSError) as error:
            return str(error)
        finally:
            os.close(network)
            launch.discard(host, id, [id])
            shutil.rmtree(folder)

    return attempt


def _outcome(created: Monitor, record: Record) -> str | None:
    for _ in range(_PATIENCE * 1000):
        if os.waitpid(created.process.pid, os.WNOHANG)[0]:
            break
        time.sleep(0.001)
    else:
        return f"a container that should exit at once still ran after {_PATIENCE} s"
    status = record.status(record.id)
    return None if status and status[0] == 0 else f"a container that should exit with 0 ended with {status}"
