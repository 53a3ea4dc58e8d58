"""What a container may do with files, and who it is: contract §1.5 and §1.6."""

from __future__ import annotations

import pytest

from tests.conformance.runtime.conftest import Platform, pairs
from tests.support.daemon import LOCATION

pytestmark = pytest.mark.host


def status(platform: Platform) -> dict[str, str]:
    """/proc/self/status of the container's program."""
    lines = platform.ask("/cat?path=/proc/self/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_1_5_the_root_is_writable_and_in_memory(platform: Platform) -> None:
    assert platform.ask("/write?path=/anywhere&mib=1") == "written\n"
    root = next(line for line in platform.ask("/cat?path=/proc/self/mounts").splitlines() if " / overlay " in line)
    assert " rw," in root
    assert platform.ask("/write?path=/anywhere&mib=0") == "written\n"


def test_1_5_what_is_written_counts_as_memory_and_is_lost_with_the_instance(platform: Platform) -> None:
    resources = {"limits": {"memory": "128Mi", "cpu": "1"}}
    platform.daemon.deploy("fills", platform.image, container={"resources": resources})
    assert platform.daemon.get("fills", "/write?path=/tmp/big&mib=1")[1] == b"written\n"
    codes = {platform.daemon.get("fills", "/write?path=/tmp/bigger&mib=200")[0]}
    assert codes <= {500, 503}
    assert platform.daemon.get("fills", "/cat?path=/tmp/big") == (200, b"")
    platform.daemon.wait(platform.daemon.call("DELETE", f"/v2/{LOCATION}/services/fills"))


@pytest.mark.parametrize("path", ["/proc/sys/kernel/hostname", "/proc/sys/vm/swappiness", "/sys/power/state"])
def test_1_5_proc_and_sys_are_not_writable(platform: Platform, path: str) -> None:
    assert platform.ask(f"/write?path={path}&mib=0").strip() in (
        "Read-only file system",
        "Permission denied",
        "No such file or directory",
    )


def test_1_5_25000_file_descriptors(platform: Platform) -> None:
    limits = platform.ask("/cat?path=/proc/self/limits").splitlines()
    [line] = [line for line in limits if line.startswith("Max open files")]
    soft, hard = map(int, line.split()[3:5])
    assert soft == hard <= 25_000
    assert pairs(platform.ask("/id"))["files"] == str(hard)


def test_1_5_no_setuid_and_no_more_capabilities(platform: Platform) -> None:
    found = status(platform)
    assert found["NoNewPrivs"] == "1"
    forbidden = {12: "NET_ADMIN", 13: "NET_RAW", 16: "SYS_MODULE", 19: "SYS_PTRACE", 21: "SYS_ADMIN", 25: "SYS_TIME"}
    bounding = int(found["CapBnd"], 16)
    assert [name for bit, name in forbidden.items() if bounding >> bit & 1] == []


def test_1_5_it_is_root_unless_the_image_says_otherwise(platform: Platform) -> None:
    assert pairs(platform.ask("/id"))["uid"] == "0 gid=0"


def test_1_5_the_working_directory_comes_from_the_image(platform: Platform) -> None:
    assert pairs(platform.ask("/id"))["cwd"] == "/srv"


def test_1_5_it_is_the_first_process(platform: Platform) -> None:
    assert pairs(platform.ask("/id"))["pid"] == "1"


def test_1_6_it_has_cgroups_of_its_own_to_read_limits_from(platform: Platform) -> None:
    files = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    [limit] = filter(None, (platform.ask(f"/cat?path={path}") for path in files))
    assert int(limit) == 512 << 20
