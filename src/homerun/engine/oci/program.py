"""Can the command of a container run? Checked before it is started, because afterwards the kernel says only ENOENT.

The same search and the same checks as execve(2), inside the container's root file system, with an answer that names the
remedy: no such file, not executable, another architecture, no loader, a script without its interpreter.
"""

from __future__ import annotations

import os
import platform
import resource
import stat
import struct
from collections.abc import Sequence

from homerun.engine.oci.kernel import open_in_root
from homerun.lib.errors import Invalid

_MACHINES = {3: "386", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}
_RUNS = {"x86_64": {62}, "aarch64": {183}}
_PT_INTERP = 3
_HEAD = 4096
_MOUNTED = ("/proc", "/sys", "/dev")
_LONGEST = 128 << 10
_MOST = 6 << 20
"""Of all arguments and variables, in bytes, where a quarter of the stack is not less. All are execve(2)'s."""


def check_folders(root: int) -> None:
    """Raises Invalid where an image would have the runtime mount the kernel's files elsewhere (CVE-2023-27561)."""
    for path in _MOUNTED:
        mode = _mode(root, path, os.O_NOFOLLOW)
        if mode is not None and not stat.S_ISDIR(mode):
            raise Invalid(f"the image cannot be run: its {path} is no folder. Leave it out, the container gets its own")


def check_size(strings: Sequence[str]) -> None:
    """Raises Invalid where the arguments and variables are more than a program can be given."""
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    limit = _MOST if stack == resource.RLIM_INFINITY else min(_MOST, stack // 4)
    sizes = [len(os.fsencode(string)) + 1 for string in strings]
    total = sum(sizes) + 8 * len(sizes)
    if total > limit:
        raise Invalid(
            f"the arguments and variables take {total >> 10} KiB together, and a program can be given"
            f" {limit >> 10} KiB: put the larger ones into files"
        )
    if max(sizes, default=0) > _LONGEST:
        raise Invalid(f"an argument or variable is longer than {_LONGEST >> 10} KiB: put it into a file")


def check(root: int, command: Sequence[str], path: str, cwd: str) -> None:
    """Raises Invalid unless this machine can run `command[0]`. `path`: the value of PATH in the container."""
    name = command[0]
    _check_file(root, name, _find(root, name, path, cwd))


def _find(root: int, name: str, path: str, cwd: str) -> str:
    if "/" in name:
        full = os.path.join(cwd, name)
        if _mode(root, full) is None:
            raise Invalid(f"the command {name} is not in the image: no such file")
        return full
    for folder in path.split(":"):
        full = os.path.join(cwd, folder, name)
        mode = _mode(root, full)
        if mode and stat.S_ISREG(mode) and mode & 0o111:
            return full
    raise Invalid(f"the command {name} is not in the image: not found in PATH={path}")


def _mode(root: int, path: str, flags: int = 0) -> int | None:
    try:
        fd = open_in_root(root, path, os.O_PATH | flags)
    except OSError:
        return None
    try:
        return os.fstat(fd).st_mode
    finally:
        os.close(fd)


def _check_file(root: int, name: str, path: str) -> None:
    mode = _mode(root, path) or 0
    if not stat.S_ISREG(mode):
        raise Invalid(f"the command {name} cannot be run: {path} is not a file")
    if not mode & 0o111:
        raise Invalid(f"the command {name} cannot be run: {path} is not executable (chmod +x in the Dockerfile)")
    fd = open_in_root(root, path)
    with open(fd, "rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"\x7fELF"):
        _check_machine(name, head)
        needed, what = _loader(head), "its loader"
    elif head.startswith(b"#!"):
        words = head[2:].partition(b"\n")[0].split()
        needed, what = os.fsdecode(words[0]) if words else "", "its interpreter"
        if not words:
            raise Invalid(f"the command {name} cannot be run: its first line #! names no interpreter")
    else:
        raise Invalid(f"the command {name} cannot be run: neither a program nor a script that begins with #!")
    if needed and _mode(root, needed) is None:
        raise Invalid(f"the command {name} cannot be run: {what} {needed} is not in the image")


def _check_machine(name: str, head: bytes) -> None:
    order = ">" if head[5:6] == b"\x02" else "<"
    (machine,) = struct.unpack_from(f"{order}H", head.ljust(20, b"\0"), 18)
    here = platform.machine()
    if machine not in _RUNS.get(here, {machine}):
        built_for = _MACHINES.get(machine, f"machine type {machine}")
        raise Invalid(
            f"the command {name} cannot be run: it is built for {built_for}, this host is {here}"
            " (exec format error): build the image for this platform"
        )


def _loader(head: bytes) -> str:
    """The dynamic loader that a 64-bit ELF file asks for; empty for a static one."""
    if head[4:5] != b"\x02" or len(head) < 64:
        return ""
    (table,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    for number in range(count):
        at = table + number * size
        if at + 56 > len(head):
            return ""
        kind, _, offset = struct.unpack_from("<IIQ", head, at)
        (length,) = struct.unpack_from("<Q", head, at + 32)
        if kind == _PT_INTERP and offset + length <= len(head):
            return os.fsdecode(head[offset : offset + length].rstrip(b"\0"))
    return ""
