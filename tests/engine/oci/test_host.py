"""What the host must have, and one homerun per state folder."""

import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable
from homerun.engine.oci import host
from homerun.engine.oci.cgroup import Cgroups
from homerun.engine.oci.layout import Layout
from tests.engine.oci.test_cgroup import HYBRID, V1, V2


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.parametrize(
    ("absent", "remedy"), [("conmon", "apt-get install conmon"), ("nft", "apt-get install nftables")]
)
def test_a_missing_program_is_named_with_its_package(
    root: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, absent: str, remedy: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == absent else f"/usr/bin/{name}")
    with pytest.raises(EngineUnavailable, match=remedy):
        host.require(Layout(tmp_path / "state"))
    assert not (tmp_path / "state").exists()


def test_root_is_asked_for_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EngineUnavailable, match="need root"):
        host.require(Layout(tmp_path))


def test_the_lock_is_held_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "take", partial(host.take, tries=1))
    held = host.lock(tmp_path / "lock")
    with pytest.raises(EngineUnavailable, match=f"another homerun uses {tmp_path}"):
        host.lock(tmp_path / "lock")
    os.close(held)
    os.close(host.lock(tmp_path / "lock"))


def test_the_cgroup2_mount_is_taken_away_on_hybrid_hosts_only() -> None:
    assert host.detached(Cgroups("p", HYBRID)) == Path("/sys/fs/cgroup/unified")
    assert host.detached(Cgroups("p", V1)) is None
    assert host.detached(Cgroups("p", V2)) is None
