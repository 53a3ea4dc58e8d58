"""What the doctor finds, here and on hosts that lack things."""

import platform
import shutil
from pathlib import Path

import pytest

from homerun.engine.oci import doctor
from homerun.engine.oci.doctor import Check, checks
from homerun.lib.memory import Memory


def find(found: list[Check], name: str) -> Check:
    [check] = [check for check in found if check.name == name]
    return check


@pytest.mark.host
async def test_a_host_that_runs_these_tests_is_fit(tmp_path: Path) -> None:
    found = await checks(tmp_path / "not/yet")
    assert not [check for check in found if check.essential and not check.ok]
    assert any("runs a container" in check.found for check in found if check.name in ("crun", "runc"))
    assert all(check.found for check in found)
    assert all(check.remedy for check in found if not check.ok)
    assert not [check for check in found if check.ok and check.remedy]
    assert not (tmp_path / "not").exists()


@pytest.mark.host
async def test_each_missing_program_has_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    gone = {"crun", "runc", "conmon", "skopeo", "nft", "buildah"}
    monkeypatch.setattr(shutil, "which", lambda name: None if name in gone else which(name))
    found = await checks(tmp_path)
    for name in gone:
        check = find(found, name)
        assert not check.ok and check.remedy.startswith("apt-get install ")
    assert find(found, "crun").essential, "one of the two must be there"
    assert not find(found, "buildah").essential


def test_checkpoints_need_a_criu_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.checkpoints, "FOLDER", str(tmp_path))
    check = doctor._checkpoints()
    assert not check.ok and not check.essential and "scripts/criu" in check.remedy
    (tmp_path / "criu").write_text("#!/bin/sh\necho no vDSO >&2; exit 1\n")
    (tmp_path / "criu").chmod(0o755)
    check = doctor._checkpoints()
    assert not check.ok and check.found.endswith("no vDSO") and check.remedy
    (tmp_path / "criu").write_text("#!/bin/sh\n")
    assert doctor._checkpoints().ok


def test_standbys_need_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "memory", lambda: Memory(64 << 30, 32 << 30))
    assert doctor._standbys().ok
    monkeypatch.setattr(doctor, "memory", lambda: Memory(64 << 30, 1 << 30))
    assert not doctor._standbys().ok and not doctor._standbys().essential
    monkeypatch.setattr(doctor, "memory", lambda: Memory(256 << 20, 128 << 20))
    assert not doctor._standbys().ok


@pytest.mark.parametrize("there", [True, False])
def test_what_volumes_need(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/sbin/{name}" if there else None)
    monkeypatch.setattr(doctor, "_has_module", lambda name: True)
    monkeypatch.setattr(doctor.os.path, "exists", lambda path: True)
    disks, nfs = doctor._disks(), doctor._nfs()
    assert (disks.ok, nfs.ok) == (there, there) and not disks.essential and not nfs.essential
    remedies = ("", "") if there else ("apt-get install e2fsprogs", "apt-get install nfs-common")
    assert (disks.remedy, nfs.remedy) == remedies


def test_a_kernel_may_lack_what_volumes_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_has_module", lambda name: False)
    monkeypatch.setattr(doctor.os.path, "exists", lambda path: False)
    assert doctor._disks().remedy == "modprobe loop"
    assert "kernel with NFS" in doctor._nfs().remedy


async def test_without_root_it_still_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert doctor._root() == Check("root", False, "uid 1000", "run it with sudo")
    assert await doctor._fault("/usr/bin/crun") == "cannot be tried without root and conmon"


def test_a_full_disk_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_ROOM", 1 << 60)
    check = doctor._room(tmp_path / "deep/er")
    assert not check.ok and str(tmp_path) in check.found and "--state" in check.remedy


def test_an_unknown_kernel_feature_is_missing() -> None:
    assert doctor._feature("overlay", False).remedy == "modprobe overlay"
    assert not doctor._has_module("no-such-kind")
    assert not doctor._trial_link("no-such-kind")


def test_a_module_that_nobody_has_used_yet_is_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_MODULES", tmp_path)
    tree = tmp_path / platform.release()
    tree.mkdir()
    (tree / "modules.dep").write_text("kernel/fs/odd/no-such-fs.ko.xz: kernel/lib/odd.ko.xz\n")
    assert doctor._has_module("no-such-fs")
    assert not doctor._has_module("such-fs")
