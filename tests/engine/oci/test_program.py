"""Whether a command can run, and if not, what to do about it."""

import os
import resource
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from homerun.engine.oci import program
from homerun.engine.oci.program import check
from homerun.lib.errors import Invalid

PATH = "/usr/bin:/bin"


class Root:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fd = os.open(folder, os.O_PATH)

    def add(self, path: str, content: bytes, mode: int = 0o755) -> None:
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)

    def check(self, command: str, path: str = PATH, cwd: str = "/") -> None:
        check(self.fd, [command], path, cwd)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    root = Root(tmp_path)
    yield root
    os.close(root.fd)


@pytest.fixture(autouse=True)
def amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def elf(machine: int = 62, loader: str = "", order: bytes = b"\x01") -> bytes:
    ident = b"\x7fELF\x02" + order + b"\x01".ljust(10, b"\0")
    text = loader.encode() + b"\0" if loader else b""
    segments = struct.pack("<IIQQQQQQ", 3, 4, 64 + 56, 0, 0, len(text), len(text), 1) if loader else b""
    numbers = (2, machine, 1, 0, 64, 0, 0, 64, 56, 1 if loader else 0, 0, 0, 0)
    header = struct.pack((">" if order == b"\x02" else "<") + "HHIQQQIHHHHHH", *numbers)
    return ident + header + segments + text


def test_a_static_program_runs(root: Root) -> None:
    root.add("/app", elf())
    root.check("/app")
    root.check("./app")
    root.check("app", path="/:/bin")


def test_it_is_looked_for_in_path_and_executables_only(root: Root) -> None:
    root.add("/usr/bin/app", b"data", mode=0o644)
    root.add("/bin/app", elf())
    root.check("app")


def test_relative_commands_start_from_the_working_directory(root: Root) -> None:
    root.add("/srv/run", elf())
    root.check("./run", cwd="/srv")
    with pytest.raises(Invalid, match=r"\./run is not in the image"):
        root.check("./run")


def test_a_loader_must_be_there(root: Root) -> None:
    root.add("/app", elf(loader="/lib64/ld.so"))
    with pytest.raises(Invalid, match=r"its loader /lib64/ld\.so is not in the image"):
        root.check("/app")
    root.add("/lib64/ld.so", elf())
    root.check("/app")


def test_a_script_needs_its_interpreter(root: Root) -> None:
    root.add("/run.sh", b"#! /bin/sh -e\necho\n")
    with pytest.raises(Invalid, match="its interpreter /bin/sh is not in the image"):
        root.check("/run.sh")
    root.add("/bin/sh", elf())
    root.check("/run.sh")


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (elf(machine=183), 0o755, "built for arm64, this host is x86_64 .exec format error."),
        (elf(machine=22, order=b"\x02"), 0o755, "machine type 22"),
        (elf(), 0o644, "not executable .chmod"),
        (b"echo hello\n", 0o755, "neither a program nor a script"),
        (b"", 0o755, "neither a program nor a script"),
        (b"#!\n", 0o755, "names no interpreter"),
    ],
)
def test_what_cannot_run_is_refused(root: Root, content: bytes, mode: int, message: str) -> None:
    root.add("/app", content, mode)
    with pytest.raises(Invalid, match=message):
        root.check("/app")


def test_torn_headers_do_no_harm(root: Root) -> None:
    whole = elf(loader="/lib64/ld.so")
    for length in range(4, len(whole), 7):
        root.add("/app", whole[:length])
        try:
            root.check("/app")
        except Invalid:
            continue


def test_a_link_to_the_hosts_own_program_is_not_followed_out(root: Root) -> None:
    (root.folder / "app").symlink_to("/bin/sh")
    with pytest.raises(Invalid, match="no such file"):
        root.check("/app")


@pytest.mark.parametrize("path", ["/proc", "/sys", "/dev"])
def test_where_the_kernels_files_go_there_must_be_a_folder_or_nothing(root: Root, path: str) -> None:
    program.check_folders(root.fd)
    (root.folder / path[1:]).mkdir()
    program.check_folders(root.fd)
    (root.folder / path[1:]).rmdir()
    (root.folder / path[1:]).symlink_to("/tmp")
    with pytest.raises(Invalid, match=f"its {path} is no folder"):
        program.check_folders(root.fd)
    (root.folder / path[1:]).unlink()
    root.add(path, b"")
    with pytest.raises(Invalid, match=f"its {path} is no folder"):
        program.check_folders(root.fd)


STACKS = [(8 << 20, 2 << 20), (64 << 20, 6 << 20), (resource.RLIM_INFINITY, 6 << 20)]


@pytest.mark.parametrize(("stack", "limit"), STACKS)
def test_more_than_a_program_can_be_given_is_refused(stack: int, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (stack, stack))
    most = [f"A={'x' * 990}"] * (limit // 1001)
    program.check_size(most)
    with pytest.raises(Invalid, match=rf"and a program can be given {limit >> 10} KiB: put the larger ones into files"):
        program.check_size([*most, "x" * 1000])


def test_one_variable_has_a_limit_of_its_own() -> None:
    program.check_size(["x" * 131071])
    with pytest.raises(Invalid, match="longer than 128 KiB"):
        program.check_size(["x" * 131072])
