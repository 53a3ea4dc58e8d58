"""A program as a copy in memory, run in place of what is installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from homerun.engine.oci import sealed
from homerun.engine.oci.sealed import SealedProgram

pytestmark = pytest.mark.sockets


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    shutil.copy("/bin/echo", path)
    return path


@pytest.fixture
def program(installed: Path) -> Iterator[SealedProgram]:
    program = SealedProgram(str(installed))
    yield program
    program.close()


def test_it_does_what_the_original_does(program: SealedProgram) -> None:
    done = subprocess.run([program.path, "hello"], capture_output=True, text=True)
    assert done.stdout == "hello\n"


def test_it_is_made_once(program: SealedProgram, installed: Path) -> None:
    assert program.path == program.path != str(installed)


def test_nobody_can_write_to_it(program: SealedProgram) -> None:
    for flags in (os.O_WRONLY, os.O_RDWR):
        file = os.open(program.path, flags)
        try:
            with pytest.raises(PermissionError):
                os.write(file, b"\0")
            with pytest.raises(PermissionError):
                os.ftruncate(file, 0)
        finally:
            os.close(file)


def test_another_version_that_is_installed_is_what_runs(program: SealedProgram, installed: Path) -> None:
    before = program.path
    shutil.copy("/bin/true", installed.with_name("new"))
    installed.with_name("new").rename(installed)
    assert subprocess.run([program.path, "hello"], capture_output=True).stdout == b""
    assert subprocess.run([before, "hello"], capture_output=True).stdout == b"hello\n", "it may be about to run"


def test_where_no_copy_can_run_it_is_the_original(
    program: SealedProgram, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_runs", lambda program: False)
    assert program.path == str(installed)


def test_where_no_copy_can_be_made_it_is_the_original(
    program: SealedProgram, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert program.path == str(installed)


def test_what_it_takes_is_given_back(installed: Path) -> None:
    program = SealedProgram(str(installed))
    copy = program.path
    assert "memfd:program" in os.readlink(copy)
    program.close()
    assert not os.path.lexists(copy) or "memfd:program" not in os.readlink(copy)
