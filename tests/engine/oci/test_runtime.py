"""Choosing an OCI runtime by trying it, and letting a created container go."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable
from homerun.engine.oci.procfs import Process
from homerun.engine.oci.runtime import Runtime, choose, exit_zero
from homerun.lib.errors import Internal


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PATH holds crun and runc, which do nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "run").mkdir()
    for name in ("crun", "runc"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return tmp_path


def chosen(folder: Path, faults: dict[str, str], wanted: str = "") -> tuple[str, list[str]]:
    tried: list[str] = []

    def attempt(runtime: Runtime) -> str | None:
        tried.append(runtime.name)
        return faults.get(runtime.name)

    return choose(wanted, folder / "run", folder / "memory", attempt).name, tried


def test_crun_is_tried_first(installed: Path) -> None:
    assert chosen(installed, {}) == ("crun", ["crun"])


def test_runc_where_crun_does_not_work(installed: Path) -> None:
    assert chosen(installed, {"crun": "cgroups"}) == ("runc", ["crun", "runc"])


def test_the_answer_is_remembered_until_the_program_changes(installed: Path) -> None:
    chosen(installed, {"crun": "cgroups"})
    assert chosen(installed, {}) == ("runc", [])
    os.utime(installed / "bin/runc", (1, 1))
    assert chosen(installed, {}) == ("crun", ["crun"])
    assert chosen(installed, {}, wanted="runc") == ("runc", ["runc"])


def test_a_forgotten_answer_or_a_torn_one_is_asked_for_again(installed: Path) -> None:
    (installed / "memory").write_text('{"boot": ')
    assert chosen(installed, {})[1] == ["crun"]


def test_the_faults_of_all_are_told(installed: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"crun: no cgroups; runc: no overlay.*homerun doctor"):
        chosen(installed, {"crun": "no cgroups", "runc": "no overlay"})


def test_none_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="apt-get install crun"):
        chosen(tmp_path, {})


@pytest.mark.sockets
def test_the_smallest_program_exits_with_zero(tmp_path: Path) -> None:
    program = tmp_path / "exit-zero"
    program.write_bytes(exit_zero())
    program.chmod(0o755)
    assert program.stat().st_size < 200
    assert subprocess.run([program]).returncode == 0


@pytest.fixture
def waiting(tmp_path: Path) -> Runtime:
    """A container `c` that was created."""
    (tmp_path / "crun/c").mkdir(parents=True)
    (tmp_path / "crun/c/config.json").write_text('{"process": {"env": ["PASSWORD=hunter2"]}}')
    os.mkfifo(tmp_path / "crun/c/exec.fifo")
    return Runtime("/usr/bin/crun", tmp_path / "crun")


def test_a_created_container_is_let_go_through_its_pipe(waiting: Runtime) -> None:
    me = Process.of(os.getpid())
    assert me
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((waiting.root / "c/exec.fifo").read_bytes()))
    reader.start()
    waiting.start("c", me)
    reader.join()
    assert got == [b"x"]
    assert not (waiting.root / "c/exec.fifo").exists()


def test_what_was_copied_of_the_config_is_written_over_and_gone(waiting: Runtime) -> None:
    with (waiting.root / "c/config.json").open("rb") as copy:
        waiting.erase_copy("c")
        assert set(copy.read()) == {0}, "variables may be secret"
    assert not (waiting.root / "c/config.json").exists()
    waiting.erase_copy("c")


WAITS = """
import os, select, sys
pipe = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
print("waits", flush=True)
got = b""
while not got:
    select.select([pipe], [], [])
    got = os.read(pipe, 1)  # an error if somebody has opened it and has not written yet: crun does not expect that
sys.exit(got != b"x")
"""


@pytest.mark.parametrize("killed", [False, True])
def test_a_start_is_finished_whichever_runtime_made_the_container(waiting: Runtime, killed: bool) -> None:
    """Also that of somebody who was killed between opening the pipe and writing to it."""
    pipe = waiting.root / "c/exec.fifo"
    with subprocess.Popen([sys.executable, "-c", WAITS, pipe], stdout=subprocess.PIPE, text=True) as init:
        assert init.stdout and init.stdout.readline() == "waits\n"
        if killed:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        found = Process.of(init.pid)
        assert found
        Runtime("/usr/sbin/runc", waiting.root.parent / "runc").resume("c", found)
        assert init.wait(60) == 0
    assert list((waiting.root / "c").iterdir()) == []


def test_one_that_was_let_go_is_not_let_go_again(waiting: Runtime) -> None:
    waiting.resume("c", Process(2**22 + 1, 0))
    assert not (waiting.root / "c/exec.fifo").exists()
    waiting.resume("c", Process(2**22 + 1, 0))


def test_a_container_that_died_before_its_start_is_told(waiting: Runtime) -> None:
    with pytest.raises(Internal, match="does not wait"):
        waiting.start("c", Process(2**22 + 1, 0))


def test_state_is_forgotten_whichever_runtime_made_it(waiting: Runtime) -> None:
    other = Runtime("/usr/sbin/runc", waiting.root.parent / "runc")
    assert other.known() == {"c"}
    other.forget("c")
    assert other.known() == set()


def test_on_a_full_disk_a_runtime_that_works_is_only_not_remembered(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert chosen(installed, {}) == ("crun", ["crun"])
    assert chosen(installed, {}) == ("crun", ["crun"]), "tried once more"
