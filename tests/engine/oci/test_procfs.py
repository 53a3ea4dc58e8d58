"""Processes that cannot be mistaken for others."""

import os
import signal
import subprocess

import pytest

from homerun.engine.oci.procfs import Process, boot_id, command_line, descendants, pids, usage


def test_our_own_process() -> None:
    me = Process.of(os.getpid())
    assert me is not None and me.alive
    assert me.pid in set(pids())
    assert "python" in command_line(me.pid)[0]
    assert len(boot_id()) == 36


def test_what_is_gone_has_no_process() -> None:
    assert Process.of(2**22 + 1) is None
    assert command_line(2**22 + 1) == []
    assert not Process(2**22 + 1, 0).alive


def test_another_process_with_the_same_pid_is_left_alone() -> None:
    impostor = Process(os.getpid(), 1)
    assert not impostor.alive
    assert impostor.open() is None
    impostor.send(signal.SIGKILL)  # or this test ends here


@pytest.mark.sockets
def test_a_zombie_does_not_live() -> None:
    child = subprocess.Popen(["sleep", "1000"])
    process = Process.of(child.pid)
    assert process is not None and process.alive
    assert process in descendants(os.getpid())
    watch = process.open()
    assert watch is not None
    process.send(signal.SIGKILL)
    os.waitid(os.P_PIDFD, watch, os.WEXITED | os.WNOWAIT)
    assert not process.alive and process.open() is None
    assert child.wait() == -9
    os.close(watch)


def test_what_a_process_uses_is_known_while_it_runs() -> None:
    used = usage(os.getpid())
    assert used is not None
    cpu, memory = used
    assert cpu > 0 and memory > 1 << 20
    assert usage(1 << 30) is None
