"""What conmon says, and what it leaves."""

import os
import time
from pathlib import Path

import pytest

from homerun.engine.oci import monitor
from homerun.engine.oci.monitor import CreateFailed, Creation
from homerun.engine.oci.procfs import Process
from homerun.lib.errors import Internal
from tests.engine.oci.conftest import Rig


def test_the_pid_of_the_container_is_told() -> None:
    assert monitor._container(b'{"pid": %d}\n' % os.getpid()) == Process.of(os.getpid())
    assert monitor._container(b'{"data": %d}\n' % os.getpid()) == Process.of(os.getpid())


def test_a_refusal_is_one_line_without_times() -> None:
    said = rb'{"pid": -1, "message": "time=\"x\" level=error\n2026-11-24T12:00:00.000000Z: open `x`:\nNo such file\n"}'
    with pytest.raises(CreateFailed) as caught:
        monitor._container(said)
    assert str(caught.value) == "open `x`: No such file" or "No such file" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("said", [b"", b"garbage", b"[]", b'{"pid": "x"}'])
def test_anything_else_is_our_fault(said: bytes) -> None:
    with pytest.raises(Internal, match="conmon said"):
        monitor._container(said)


def test_a_refusal_without_words() -> None:
    with pytest.raises(CreateFailed, match="no message"):
        monitor._container(b'{"pid": -1}')


CONMON = """#!/bin/sh
touch up
head -c 1 /proc/self/fd/$_OCI_STARTPIPE
touch begun
echo '{"pid": -1, "message": "no"}' > /proc/self/fd/$_OCI_SYNCPIPE
"""


@pytest.fixture
def under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Creation:
    """By one that touches `up` when it runs, and `begun` when it would call the runtime, which refuses."""
    conmon = tmp_path / "conmon"
    conmon.write_text(CONMON)
    conmon.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return monitor.create(str(conmon), "crun", [], id="i", bundle=tmp_path, record=tmp_path, log=tmp_path / "log")


def until_exists(file: Path, patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def leads_to(link: str, target: str) -> bool:
    try:
        return os.readlink(link) == target
    except FileNotFoundError:
        return False


@pytest.mark.sockets
def test_it_comes_up_while_the_bundle_is_made_and_waits_for_it(under_way: Creation, tmp_path: Path) -> None:
    until_exists(tmp_path / "up")
    assert not (tmp_path / "begun").exists()
    under_way.go()
    with pytest.raises(CreateFailed, match="no"):
        under_way.done()
    assert (tmp_path / "begun").exists()
    under_way.abandon()


@pytest.mark.sockets
def test_without_a_bundle_nothing_of_it_is_left(under_way: Creation, tmp_path: Path) -> None:
    until_exists(tmp_path / "up")
    files = [f"/proc/self/fd/{number}" for number in (under_way._reader, under_way._starter)]
    pipes = [os.readlink(file) for file in files]
    under_way.abandon()
    assert not [file for file, pipe in zip(files, pipes, strict=True) if leads_to(file, pipe)]
    assert not (tmp_path / "begun").exists()


@pytest.mark.host
async def test_odd_output_arrives_as_it_was_written(rig: Rig) -> None:
    id = await rig.start("print")
    await rig.exit(id)
    assert await rig.output(id, "stderr") == ["to stderr"]
    assert await rig.output(id, "stdout") == [
        "partial",
        "L" * 40_000,
        "",
        "\ufffd\ufffd bytes",
        "  spaces  ",
        "no newline",
    ]


@pytest.mark.host
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_whoever_the_program_has_become_may_open_its_output_by_path(rig: Rig, stream: str) -> None:
    id = await rig.start("become", "33", f"/dev/{stream}", "from another user")
    await rig.exit(id)
    assert await rig.output(id, stream) == ["from another user"]


@pytest.mark.host
async def test_not_a_line_of_many_is_lost(rig: Rig) -> None:
    id = await rig.start("lines", "5000", "100")
    await rig.exit(id)
    assert [line.split()[1] for line in await rig.output(id, "stdout")] == [str(number) for number in range(5000)]
    assert len(await rig.output(id, "stderr")) == 5000


@pytest.mark.host
async def test_monitors_are_found_by_their_state_folder(rig: Rig, tmp_path: Path) -> None:
    id = await rig.start("sleep")
    assert list(monitor.find(rig.state / "instances")) == [id]
    assert monitor.find(tmp_path) == {}
