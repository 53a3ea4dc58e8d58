"""Builds by buildah, into the host's storage."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from homerun.engine.images.build import build
from homerun.engine.images.store import ImageStore
from homerun.lib.errors import FailedPrecondition, Invalid

pytestmark = pytest.mark.host


@pytest.fixture
def tag() -> object:
    tag = f"localhost/homerun-test:{os.urandom(4).hex()}"
    yield tag
    subprocess.run(["buildah", "rmi", "--force", tag], capture_output=True)


@pytest.fixture
def nothing_stays() -> Iterator[None]:
    """No working container and no mount of one."""

    def working() -> tuple[set[str], set[str]]:
        containers = subprocess.run(["buildah", "containers", "-aq"], capture_output=True, text=True, check=True)
        mounts = {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if "/merged " in line}
        return set(containers.stdout.split()), mounts

    before = working()
    yield
    after = working()
    assert (after[0] - before[0], after[1] - before[1]) == (set(), set())


async def test_a_folder_becomes_an_image_that_can_be_pulled(tag: str, tmp_path: Path, store: ImageStore) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY file /file\nCMD ["/file"]\n')
    log: list[str] = []
    assert await build(tmp_path, tag, log.append) == tag
    image = await store.pull(tag)
    assert image.cmd == ("/file",)
    assert (store.lowerdirs(image)[0] / "file").read_text() == "content"
    assert any("COPY file" in line for line in log)


async def test_without_a_dockerfile_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"has no Dockerfile\. Add one"):
        await build(tmp_path, "localhost/x:y", print)


async def test_a_tag_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="localhost/NAME:TAG"):
        await build(tmp_path, "example.org/x:y", print)


async def test_a_build_that_fails_says_so_with_its_last_lines(tag: str, tmp_path: Path, nothing_stays: None) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY nothing-here /file\n")
    with pytest.raises(FailedPrecondition, match=r"(?s)The build failed.*nothing-here") as caught:
        await build(tmp_path, tag, lambda line: None)
    assert "Its last lines" in caught.value.message


async def test_a_cancelled_build_ends(tag: str, tmp_path: Path, nothing_stays: None) -> None:
    (tmp_path / "Containerfile").write_text("FROM localhost/homerun/python:3.11\nRUN sleep 1000\n")
    if subprocess.run(["buildah", "inspect", "localhost/homerun/python:3.11"], capture_output=True).returncode:
        pytest.skip("needs the base image: scripts/base-image")
    log: list[str] = []
    task = asyncio.ensure_future(build(tmp_path, tag, log.append))
    while not any("RUN sleep" in line for line in log):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
