"""One instance in memory."""

from dataclasses import replace
from pathlib import Path

import pytest

from homerun.engine.base import ContainerSpec, Exit, InstanceSpec, InstanceState, Phase
from homerun.engine.oci.instance import Instance, owner
from homerun.engine.oci.records import Record

SPEC = InstanceSpec("i1", (ContainerSpec("x"),), {"a": "b"})


SEVERAL = InstanceSpec(
    "i1",
    (
        ContainerSpec("x", "web", depends_on=("cache", "proxy")),
        ContainerSpec("y", "cache"),
        ContainerSpec("z", "proxy", depends_on=("cache",)),
    ),
)


def made(spec: InstanceSpec = SEVERAL) -> Instance:
    return Instance(spec, Record(Path("/nowhere/i1")), 5.0)


def test_it_shows_itself() -> None:
    instance = made(SPEC)
    assert repr(instance) == "<Instance i1 starting>"
    assert instance.state() == InstanceState("i1", {"a": "b"}, Phase.STARTING, 5.0)
    ended = Instance(SPEC, Record(Path("/nowhere/i1")), 5.0, Phase.EXITED, exited=6.0, exit=Exit(code=1))
    assert ended.state().exit == Exit(code=1)


def test_a_single_container_goes_by_the_name_of_its_instance() -> None:
    [part] = made(SPEC).parts
    assert (part.key, part.group, owner(part.key)) == ("i1", "i1", "i1")


def test_several_have_names_of_their_own() -> None:
    assert [(part.key, part.group) for part in made().parts][:2] == [("i1+web", "i1/web"), ("i1+cache", "i1/cache")]
    assert {owner(part.key) for part in made().parts} == {"i1"}


def test_they_begin_in_the_order_in_which_they_need_each_other() -> None:
    instance = made()
    web, cache, proxy = instance.parts
    assert instance.may_begin() == instance.roots == [cache]
    cache.begun = 1.0
    assert instance.may_begin() == []
    cache.well = True
    assert instance.may_begin() == [proxy]
    proxy.begun, proxy.well = 2.0, True
    assert instance.may_begin() == [web]
    web.begun, web.well = 3.0, True
    assert instance.well and repr(web) == "<Part i1+web well>"


def test_what_ended_well_needs_no_waiting_for() -> None:
    instance = made()
    _, cache, proxy = instance.parts
    cache.begun, cache.ended, cache.status = 1.0, True, 0
    assert instance.may_begin() == [proxy]
    cache.status = 1
    assert instance.may_begin() == []


@pytest.mark.parametrize(
    ("main", "name", "status", "phase", "decides"),
    [
        ("", "cache", 0, Phase.READY, True),
        ("web", "web", 0, Phase.READY, True),
        ("web", "cache", 0, Phase.READY, False),
        ("web", "cache", 1, Phase.READY, True),
        ("web", "cache", None, Phase.READY, True),
        ("web", "cache", 143, Phase.STOPPING, False),
        ("web", "web", 143, Phase.STOPPING, True),
    ],
)
def test_whose_end_is_that_of_all(main: str, name: str, status: int | None, phase: Phase, decides: bool) -> None:
    instance = made(replace(SEVERAL, main=main))
    instance.phase = phase
    part = instance.named(name)
    part.ended, part.status = True, status
    assert instance.decides(part) is decides
