"""One instance in memory."""

from pathlib import Path

from homerun.engine.base import ContainerSpec, Exit, InstanceSpec, InstanceState, Phase
from homerun.engine.oci.instance import Instance
from homerun.engine.oci.procfs import Process
from homerun.engine.oci.records import Record

SPEC = InstanceSpec("i1", (ContainerSpec("x"),), {"a": "b"})


def test_it_shows_itself_once_its_program_runs() -> None:
    instance = Instance(SPEC, Record(Path("/nowhere/i1")), 5.0)
    assert repr(instance) == "<Instance i1 starting>"
    assert not instance.launched
    instance.monitor = Process(1, 2)
    assert instance.launched
    assert instance.state() == InstanceState("i1", {"a": "b"}, Phase.STARTING, 5.0)


def test_an_adopted_end_is_shown_as_well() -> None:
    instance = Instance(SPEC, Record(Path("/nowhere/i1")), 5.0, Phase.EXITED, exited=6.0, exit=Exit(code=1))
    assert instance.launched
    assert instance.state().exit == Exit(code=1)
