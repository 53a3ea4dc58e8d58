"""NFS by way of mount.nfs: what it is asked, and what its refusals become. The program is a stand-in."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from homerun.engine.base import NfsVolume
from homerun.engine.oci.nfs import mount_nfs
from homerun.lib.errors import Invalid

VOLUME = NfsVolume("data", "10.0.0.2", "/srv/data")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a shell script as mount.nfs, before everything else in PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def install(script: str) -> None:
        program = tmp_path / "mount.nfs"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return install


@pytest.mark.parametrize(
    ("volume", "source", "options"),
    [
        (VOLUME, "10.0.0.2:/srv/data", "nolock,nosuid,nodev,retry=0"),
        (NfsVolume("d", "nfs.lan", "/", read_only=True), "nfs.lan:/", "nolock,nosuid,nodev,retry=0,ro"),
        (NfsVolume("d", "fd00::2", "/x y"), "[fd00::2]:/x y", "nolock,nosuid,nodev,retry=0"),
    ],
)
def test_what_is_asked(
    stand_in: Callable[[str], None], tmp_path: Path, volume: NfsVolume, source: str, options: str
) -> None:
    stand_in(f"printf '%s\\n' \"$@\" > {tmp_path}/asked")
    mount_nfs(volume, tmp_path / "target")
    assert (tmp_path / "asked").read_text().splitlines() == [source, str(tmp_path / "target"), "-o", options]


def test_a_refusal_is_told_in_its_own_words(stand_in: Callable[[str], None], tmp_path: Path) -> None:
    stand_in("echo 'mount.nfs: access denied by server while mounting 10.0.0.2:/srv/data' >&2; exit 32")
    with pytest.raises(Invalid, match=r"volume data \(10.0.0.2:/srv/data\) cannot be mounted: access denied by server"):
        mount_nfs(VOLUME, tmp_path)


def test_a_kernel_without_nfs_is_named(stand_in: Callable[[str], None], tmp_path: Path) -> None:
    stand_in("echo 'mount.nfs: No such device' >&2; exit 32")
    with pytest.raises(Invalid, match="cannot be mounted: this kernel has no NFS"):
        mount_nfs(VOLUME, tmp_path)


def test_without_words_there_is_the_exit_code(stand_in: Callable[[str], None], tmp_path: Path) -> None:
    stand_in("exit 32")
    with pytest.raises(Invalid, match="cannot be mounted: exit code 32"):
        mount_nfs(VOLUME, tmp_path)


def test_a_server_that_says_nothing_is_not_waited_for_long(stand_in: Callable[[str], None], tmp_path: Path) -> None:
    stand_in("exec sleep 600")
    began = time.monotonic()
    with pytest.raises(Invalid, match=r"10\.0\.0\.2 did not answer within 0\.2 s"):
        mount_nfs(VOLUME, tmp_path, patience=0.2)
    assert time.monotonic() - began < 60


def test_a_host_without_the_program_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Invalid, match="apt-get install nfs-common"):
        mount_nfs(VOLUME, tmp_path)
