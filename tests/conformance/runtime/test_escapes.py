"""A hostile program and hostile images against the walls of a container: docs/security.md names each of these tests."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from homerun.engine.base import Exit, Image
from homerun.lib.errors import HomerunError, Invalid
from tests.conformance.runtime.conftest import Lab
from tests.support.images import Files, compile_c

pytestmark = pytest.mark.host

NOT_ALLOWED, READ_ONLY, ABSENT = "Operation not permitted", "Read-only file system", "No such file or directory"
REFUSED = {NOT_ALLOWED, "Permission denied", "Function not implemented"}
NO_FAMILY = {"Address family not supported by protocol"}
NOTHING = {"nothing", ABSENT, "Permission denied", NOT_ALLOWED}

MOUNTS = {
    *("mount tmpfs", "mount proc", "mount sysfs", "mount cgroup v1", "mount cgroup v2", "bind mount"),
    *("remount /proc/sys writable", "remount /sys writable", "unmount a mask", "unmount /proc/sys", "move a mount"),
    *("clone a mount tree", "open a file system", "change a mount", "pivot_root", "chroot", "open by handle"),
}
NAMESPACES = {
    *("unshare user namespace", "unshare mount namespace", "unshare network namespace", "unshare time namespace"),
    *("clone into a user namespace", "clone3 into a user namespace", "enter a namespace", "map another user"),
}
KERNEL = {
    *("keyctl", "add a key", "request a key", "bpf", "perf_event_open", "userfaultfd", "io_uring", "load a module"),
    *("load a module from a file", "unload a module", "kexec", "reboot", "kernel log", "swapon", "acct", "quotactl"),
    *("fanotify", "ioperm", "iopl", "sethostname", "hang up the terminal", "read /proc/kmsg"),
}
CLOCKS = {"settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "shift the clock"}
RIGHTS = {
    *("make a disk device", "make a memory device", "raise an ambient capability", "raise the number of files"),
    *("raise the priority", "real-time scheduling", "be spared by the OOM killer", "change the network"),
    *("raw socket", "raw socket v6"),
}
NEIGHBOURS = {
    **dict.fromkeys(("signal a process of the host", "signal everything"), "No such process"),
    **dict.fromkeys(("file of the host", "leave by the working directory", "shared memory of the host"), ABSENT),
    "message queue of the host": ABSENT,
    "abstract socket of the host": "Connection refused",
    "other processes": "0",
    "receive the kernel's events": "Resource temporarily unavailable",
}


@pytest.fixture(scope="module")
def token() -> Iterator[str]:
    """The name of things that the host has, and that no container may find."""
    libc = ctypes.CDLL(None, use_errno=True)
    token = f"homerun-test-{os.getpid()}"
    key, created = 0x686F6D65, 0o3600
    memory = libc.shmget(key, 4096, created)
    queue = libc.mq_open(f"/{token}".encode(), os.O_CREAT | os.O_RDONLY, 0o666, None)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{token}")
        server.listen()
        yield token
    assert memory >= 0 and queue >= 0, "the host has what is looked for"
    libc.shmctl(memory, 0, None)
    os.close(queue)
    libc.mq_unlink(f"/{token}".encode())


@pytest.fixture(scope="module")
def hostile(lab: Lab) -> Image:
    return lab.pull({"/app": compile_c("hostile").read_bytes()})


@pytest.fixture(scope="module")
def outcome(lab: Lab, hostile: Image, token: str) -> dict[str, str]:
    """Every attempt that an instance survives, made by root in one container."""
    found = lab.run("try", token, image=hostile)
    assert "end" in found, found
    return found


def unexpected(outcome: dict[str, str], names: set[str], wanted: set[str]) -> dict[str, str]:
    return {name: outcome[name] for name in names if outcome[name] not in wanted}


def test_nothing_can_be_mounted_or_unmounted(outcome: dict[str, str]) -> None:
    assert unexpected(outcome, MOUNTS, REFUSED) == {}


def test_no_namespace_can_be_made_or_entered(outcome: dict[str, str]) -> None:
    assert unexpected(outcome, NAMESPACES, REFUSED) == {}


def test_the_kernel_cannot_be_changed_nor_its_larger_doors_be_used(outcome: dict[str, str]) -> None:
    assert unexpected(outcome, KERNEL, REFUSED) == {}


def test_no_clock_can_be_set(outcome: dict[str, str]) -> None:
    assert unexpected(outcome, CLOCKS, REFUSED) == {}


def test_root_has_none_of_the_rights_that_reach_out(outcome: dict[str, str]) -> None:
    assert unexpected(outcome, RIGHTS, REFUSED) == {}
    assert outcome["give up no_new_privs"] == outcome["give up seccomp"] == "Invalid argument"


def test_other_abis_are_no_way_around_the_filter(outcome: dict[str, str]) -> None:
    assert unexpected(outcome, {"32-bit system call", "x32 system call"}, {"Bad system call", *REFUSED}) == {}


def test_there_are_no_devices_but_the_harmless_ones(outcome: dict[str, str]) -> None:
    devices = {name for name in outcome if name.startswith("open /dev/")}
    assert len(devices) == 11
    assert unexpected(outcome, devices, {ABSENT}) == {}


def test_sockets_are_of_four_families(outcome: dict[str, str]) -> None:
    others = {name for name in outcome if name.endswith(" socket")} - RIGHTS
    assert len(others) == 12
    assert unexpected(outcome, others, NO_FAMILY) == {}


def test_no_file_of_the_kernel_can_be_written(outcome: dict[str, str]) -> None:
    writes = {name for name in outcome if name.startswith(("write /", "make a cgroup"))}
    assert len(writes) == 29
    assert unexpected(outcome, writes, {READ_ONLY, ABSENT, "Permission denied"}) == {}


def test_masked_files_show_nothing(outcome: dict[str, str]) -> None:
    reads = {name for name in outcome if name.startswith("read /")}
    assert len(reads) == 26
    assert unexpected(outcome, reads - {"read /proc/1/mem"}, NOTHING) == {}
    assert outcome["address of a kernel function"] == "nothing"


def test_neither_host_nor_neighbours_are_to_be_seen(outcome: dict[str, str]) -> None:
    assert {name: outcome[name] for name in NEIGHBOURS} == NEIGHBOURS


def test_no_descriptor_leaks_into_a_container(outcome: dict[str, str]) -> None:
    """CVE-2024-21626 and CVE-2016-9962 began with one."""
    found = {name.split()[1]: target.split(":")[0] for name, target in outcome.items() if name.startswith("descriptor")}
    assert found == {"0": "/dev/null", "1": "pipe", "2": "pipe"}


def test_a_leaked_descriptor_as_working_directory_leads_nowhere(lab: Lab, hostile: Image) -> None:
    """CVE-2024-21626."""
    for number in range(3, 11):
        image = lab.pull({"/app": compile_c("hostile").read_bytes()}, working_dir=f"/proc/self/fd/{number}")
        try:
            found = lab.run("where", image=image)
        except HomerunError:
            continue
        assert found["file of the host"] != "done" and found["etc of the host"] != "done", number


@pytest.mark.parametrize("how", ["a copy in the image", "a script", "a link"])
def test_the_runtime_cannot_be_overwritten_from_a_container(lab: Lab, how: str) -> None:
    """CVE-2019-5736: the command is /proc/self/exe, the runtime itself, and the loader is the image's."""
    flags = ("-nostdlib", "-static-pie", "-fPIE", "-fno-stack-protector")
    loader = compile_c("loader", *flags).read_bytes()
    files: Files = {
        "/lib64/ld-linux-x86-64.so.2": loader,
        "/lib/ld-linux-aarch64.so.1": loader,
        "/proc/self/exe": compile_c("hostile").read_bytes(),
        "/script": b"#!/proc/self/exe\n",
        "/link": "/proc/self/exe",
        "/app": compile_c("hostile").read_bytes(),
    }
    command = {"a copy in the image": "/proc/self/exe", "a script": "/script", "a link": "/link"}[how]
    runtime = Path(shutil.which(lab.runtime) or "")
    before = hashlib.sha256(runtime.read_bytes()).hexdigest()
    found = lab.run(image=lab.pull(files, cmd=command))
    assert found["it is open"] == "yes", "the attack got as far as the file"
    assert found["overwrite"] in {READ_ONLY, *REFUSED}
    assert hashlib.sha256(runtime.read_bytes()).hexdigest() == before


def test_where_the_kernels_files_are_mounted_is_not_the_images_choice(lab: Lab) -> None:
    """CVE-2019-16884, CVE-2023-27561: masks and read-only mounts would be elsewhere."""
    for path, link in (("/proc", "/tmp"), ("/sys", "../../../../../../../tmp"), ("/dev", "/proc/self/cwd")):
        with pytest.raises(Invalid, match=f"its {path} is no folder"):
            lab.start("where", image=lab.pull({path: link, "/tmp": None}))


TARGETS = ("/etc/hosts", "/etc/resolv.conf", "/etc", "/proc/sys", "/dev/shm", "/sys/fs/cgroup")


@pytest.mark.parametrize("target", TARGETS)
def test_a_linked_mount_target_stays_inside(lab: Lab, target: str, tmp_path: Path) -> None:
    """CVE-2021-30465, CVE-2025-31133, CVE-2025-52565: nothing is made or mounted where the link leads on the host."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    for link in (f"{outside}/made", f"../../../../../../..{outside}/made"):
        image = lab.pull({"/app": compile_c("hostile").read_bytes(), target: link})
        try:
            found = lab.run("where", image=image)
        except HomerunError:
            continue
        assert found["file of the host"] == ABSENT
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"secret": "secret"}
    assert str(outside) not in Path("/proc/self/mountinfo").read_text()


def test_setuid_programs_and_file_capabilities_give_nothing(lab: Lab) -> None:
    program = compile_c("hostile").read_bytes()
    setuid = tarfile.TarInfo("su")
    setuid.mode, setuid.size = 0o4755, len(program)
    image = lab.pull({"/su": (setuid, program)}, user="1234", cmd="/su")
    assert lab.run("setuid", image=image) == {"euid": "1234"}


# Bombs: the instance ends, or gets an error; the host and the instances beside it go on


def test_shared_memory_counts_as_memory(lab: Lab, hostile: Image) -> None:
    assert lab.exit(lab.start("shm", "100", image=hostile, memory=32 << 20)) == Exit(signal=9, oom=True)


def test_files_without_end_count_as_memory(lab: Lab, hostile: Image) -> None:
    id = lab.start("inodes", image=hostile, memory=32 << 20)
    ended = lab.exit(id)
    assert ended.oom or lab.output(id)["inodes"] == "No space left on device"


def test_descriptors_have_an_end(lab: Lab, hostile: Image) -> None:
    said, _, number = lab.run("descriptors", image=hostile, memory=128 << 20)["descriptors"].rpartition(" after ")
    assert said == "Too many open files"
    assert int(number) <= 25_000


def test_a_flood_of_output_ends_at_the_logs_limit(lab: Lab, hostile: Image) -> None:
    id = lab.start("flood", "160", image=hostile)
    assert lab.exit(id) == Exit(code=0)
    kept = sum(path.stat().st_size for path in (lab.rig.state / "logs").rglob("*") if path.is_file())
    assert kept < 140 << 20
