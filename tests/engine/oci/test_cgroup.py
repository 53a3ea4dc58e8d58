"""The three layouts, and the life of a real cgroup."""

import subprocess
import uuid
from pathlib import Path

import pytest

from homerun.engine.oci.cgroup import CgroupLayout, Cgroups

ROOT = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
V1 = (
    ROOT + "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "34 31 0:31 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
)
HYBRID = V1 + "35 31 0:32 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_layouts_are_told_apart() -> None:
    assert Cgroups("p", V1).layout is CgroupLayout.V1
    assert Cgroups("p", HYBRID).layout is CgroupLayout.HYBRID
    assert Cgroups("p", V2).layout is CgroupLayout.V2
    assert Cgroups("p", ROOT).layout is CgroupLayout.NONE


def test_controllers_that_share_a_hierarchy() -> None:
    cgroups = Cgroups("p", HYBRID)
    assert cgroups.controllers["cpu"] == cgroups.controllers["cpuacct"] == Path("/sys/fs/cgroup/cpu,cpuacct")
    assert cgroups.missing == []
    assert cgroups.path("i") == "/p/i"


def test_missing_controllers_are_named() -> None:
    assert Cgroups("p", "\n".join(line for line in V1.splitlines() if "memory" not in line)).missing == ["memory"]
    assert Cgroups("p", ROOT).missing == ["cpu", "memory", "pids"]


@pytest.fixture
def unified(tmp_path: Path) -> Cgroups:
    """A v2 hierarchy, as far as files go."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("memory")
    for parent in ("p", "p-background"):
        (tmp_path / parent).mkdir()
        (tmp_path / parent / "cgroup.subtree_control").write_text("")
    return Cgroups("p", f"1 1 0:1 / {tmp_path} rw - cgroup2 cgroup2 rw\n")


def test_v2_hands_controllers_down(unified: Cgroups, tmp_path: Path) -> None:
    assert unified.missing == []
    unified.prepare()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+pids"  # each write adds one; a file keeps the last
    assert (tmp_path / "p/cgroup.subtree_control").read_text() == "+pids"
    assert (tmp_path / "p-background/cgroup.subtree_control").read_text() == "+pids"


def test_what_is_in_the_background_is_weighed_against_all_others_together(unified: Cgroups, tmp_path: Path) -> None:
    unified.prepare()
    assert (tmp_path / "p-background/cpu.weight").read_text() == "10"
    assert not (tmp_path / "p/cpu.weight").exists(), "the kernel's own"


def test_what_is_in_the_background_is_found_by_its_name_alone(unified: Cgroups, tmp_path: Path) -> None:
    assert unified.path("i", background=True) == "/p-background/i"
    for folder in ("p-background/i", "p/j"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cgroup.procs").write_text("1\n2\n")
    assert unified.names() == {"i", "j"}
    unified.allot("i", 1)
    assert (tmp_path / "p-background/i/cpu.max").exists()
    assert unified.processes("i") == {1, 2}


def test_v2_counts_oom_kills(unified: Cgroups, tmp_path: Path) -> None:
    (tmp_path / "p/i").mkdir()
    assert unified.oom_kills("i") == 0
    (tmp_path / "p/i/memory.events").write_text("low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\n")
    assert unified.oom_kills("i") == 2
    assert unified.names() == {"i"}


def test_v2_is_allotted_cpu_and_says_what_it_used(unified: Cgroups, tmp_path: Path) -> None:
    (tmp_path / "p/i").mkdir()
    unified.allot("i", 1.5)
    assert (tmp_path / "p/i/cpu.max").read_text() == "150000 100000"
    unified.allot("i", 0.0001)
    assert (tmp_path / "p/i/cpu.max").read_text() == "1000 100000", "the kernel takes no less"
    (tmp_path / "p/i/cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\nnr_periods 3\n")
    assert unified.cpu_used("i") == 1.5


def test_v1_has_files_of_its_own_for_it(tmp_path: Path) -> None:
    for name in ("cpu", "cpuacct"):
        (tmp_path / name / "p/i").mkdir(parents=True)
    mounts = "".join(f"1 1 0:1 / {tmp_path}/{name} rw - cgroup cgroup rw,{name}\n" for name in ("cpu", "cpuacct"))
    cgroups = Cgroups("p", mounts + f"1 1 0:2 / {tmp_path}/unified rw - cgroup2 cgroup2 rw\n")
    cgroups.prepare()
    assert (tmp_path / "cpu/p-background/cpu.shares").read_text() == "102"
    cgroups.allot("i", 2)
    assert (tmp_path / "cpu/p/i/cpu.cfs_quota_us").read_text() == "200000"
    (tmp_path / "cpuacct/p/i/cpuacct.usage").write_text("2500000000\n")
    assert cgroups.cpu_used("i") == 2.5


def test_cpu_of_what_is_gone(unified: Cgroups) -> None:
    with pytest.raises(FileNotFoundError):
        unified.allot("gone", 1)
    with pytest.raises(FileNotFoundError):
        unified.cpu_used("gone")


@pytest.mark.host
def test_what_is_left_in_a_cgroup_is_killed_with_it() -> None:
    cgroups = Cgroups.of_host(f"homerun-test-{uuid.uuid4().hex[:8]}")
    cgroups.prepare()
    folders = cgroups._folders("i")
    sleeper = subprocess.Popen(["sleep", "1000"])
    for folder in folders:
        folder.mkdir(parents=True)
        if folder.parts[4] != "cpuset":  # v1's cpuset takes nobody before it is configured
            (folder / "cgroup.procs").write_text(str(sleeper.pid))
    assert cgroups.processes("i") == {sleeper.pid}
    assert cgroups.names() == {"i"}
    cgroups.kill("i")
    assert sleeper.wait() == -9
    cgroups.remove("i")
    cgroups.remove("i")
    assert cgroups.names() == set()
    cgroups.remove_parents()
    assert cgroups.roots() == []


@pytest.mark.host
def test_hastening_moves_nobody() -> None:
    before = Path("/proc/self/cgroup").read_text()
    cgroups = Cgroups.of_host("p")
    cgroups.hasten()
    assert Path("/proc/self/cgroup").read_text() == before
    assert cgroups._own is not None, "it could be written"


def test_a_host_that_refuses_to_hasten_is_not_asked_again(tmp_path: Path) -> None:
    cgroups = Cgroups("p", ROOT)
    cgroups.hasten()
    cgroups._own = tmp_path / "absent" / "cgroup.procs"
    cgroups.hasten()
    assert cgroups._own is None
