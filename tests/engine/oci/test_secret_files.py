"""Secret files: there, with their modes, and exchanged whole."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homerun.engine.oci.sandbox import Sandboxes
from homerun.engine.oci.secret_files import SEEN, mount_files, write_files

pytestmark = pytest.mark.host


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    sandboxes = Sandboxes(threads=1)
    yield sandboxes
    sandboxes.close()


def contents(place: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in (place / SEEN).rglob("*") if path.is_file()]
    return {str(f.relative_to(place / SEEN)): (f.read_bytes(), f.stat().st_mode & 0o777) for f in files}


async def test_they_have_content_and_mode(sandboxes: Sandboxes, tmp_path: Path) -> None:
    files = {"key": (b"\0secret", 0o444), "deep/down/one": (b"", 0o400)}

    def work() -> tuple[dict[str, tuple[bytes, int]], int, bool]:
        mount_files(tmp_path, files)
        in_memory = "ramfs" in Path("/proc/thread-self/mountinfo").read_text()
        return contents(tmp_path), (tmp_path / SEEN / "deep").stat().st_mode & 0o777, in_memory

    assert await sandboxes.run(work) == (files, 0o755, True)
    assert list(tmp_path.iterdir()) == [], "not seen from outside"


async def test_new_ones_replace_old_ones(sandboxes: Sandboxes, tmp_path: Path) -> None:
    new = {"a": (b"new", 0o444), "deep/c": (b"3", 0o444)}

    def work() -> tuple[dict[str, tuple[bytes, int]], bytes, list[str]]:
        mount_files(tmp_path, {"a": (b"old", 0o440), "b": (b"gone", 0o444)})
        with open(tmp_path / SEEN / "a", "rb") as before:
            write_files(tmp_path, new)
            return contents(tmp_path), before.read(), os.listdir(tmp_path)

    assert await sandboxes.run(work) == (new, b"old", [SEEN])


async def test_the_same_again_changes_nothing(sandboxes: Sandboxes, tmp_path: Path) -> None:
    files = {"./a": (b"1", 0o444), "deep/../b": (b"2", 0o444)}

    def work() -> dict[str, tuple[bytes, int]]:
        mount_files(tmp_path, {"deep/x": (b"", 0o444)})
        write_files(tmp_path, files)
        write_files(tmp_path, files)
        return contents(tmp_path)

    assert await sandboxes.run(work) == {"a": (b"1", 0o444), "b": (b"2", 0o444)}


@pytest.mark.parametrize("path", ["../out", "/../../out", "a/../../../out"])
async def test_no_path_leads_out(sandboxes: Sandboxes, tmp_path: Path, path: str) -> None:
    def work() -> list[str]:
        mount_files(tmp_path, {path: (b"x", 0o444)})
        return os.listdir(tmp_path)

    assert await sandboxes.run(work) == [SEEN]
