"""How an instance ended, from what conmon wrote and the kernel counted."""

from pathlib import Path

import pytest

from homerun.engine.base import ContainerSpec, Exit, InstanceSpec
from homerun.engine.oci.cgroup import Cgroups
from homerun.engine.oci.finish import finish
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.launch import Host
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.records import Ended, Record
from homerun.engine.oci.runtime import Runtime

SPEC = InstanceSpec("i1", (ContainerSpec("x"),))


class World:
    def __init__(self, folder: Path) -> None:
        layout = Layout(folder / "state")
        layout.make()
        (folder / "cgroup" / layout.cgroup / "i1").mkdir(parents=True)
        self.cgroup = folder / "cgroup" / layout.cgroup / "i1"
        cgroups = Cgroups(layout.cgroup, f"1 1 0:1 / {folder}/cgroup rw - cgroup2 cgroup2 rw\n")
        self.host = Host(layout, cgroups, Runtime("/usr/bin/crun", layout.run / "crun"), "conmon", 100)
        (layout.run / "crun/i1").mkdir(parents=True)
        self.record = Record.create(layout.instances, SPEC)

    def end(self, status: int | None, oom_kills: int = 0) -> Exit:
        if status is not None:
            (self.record.folder / "i1").write_text(str(status))
        events = self.cgroup / "memory.events"
        events.write_text(f"oom_kill {oom_kills}\n")
        oom = self.host.cgroups.oom_kills
        kills = oom("i1")
        events.unlink()  # a real cgroup can be removed with its files in it
        self.host.cgroups.oom_kills = lambda id: kills  # type: ignore[method-assign]
        return finish(self.host, Instance(SPEC, self.record, 0), 5e9).exit


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("status", "oom_kills", "exit"),
    [
        (0, 0, Exit(code=0)),
        (7, 0, Exit(code=7)),
        (128, 0, Exit(code=128)),
        (137, 0, Exit(signal=9)),
        (139, 0, Exit(signal=11)),
        (255, 0, Exit(code=255)),
        (137, 1, Exit(signal=9, oom=True)),
        (1, 1, Exit(code=1, oom=True)),
        (0, 1, Exit(code=0)),
        (143, 1, Exit(signal=15)),
        (None, 0, Exit()),
    ],
)
def test_exit_code_signal_and_want_of_memory(world: World, status: int | None, oom_kills: int, exit: Exit) -> None:
    assert world.end(status, oom_kills) == exit
    assert world.record.ended() is not None


def test_nothing_is_left_but_the_record(world: World) -> None:
    world.end(0)
    assert not world.cgroup.exists()
    assert world.host.runtime.known() == set()
    ended = world.record.ended()
    assert isinstance(ended, Ended) and ended.at < 4e9, "conmon's time, not ours"
