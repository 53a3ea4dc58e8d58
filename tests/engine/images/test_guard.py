"""Ending imports that would fill the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable
from homerun.engine.images import guard
from homerun.engine.images.graph import Size
from homerun.engine.images.guard import Limits, Room
from homerun.engine.images.manifest import Flaw

MIB = 1 << 20


class Disk:
    """Free space that shrinks by `use` at each look, as does the number of files."""

    def __init__(self, free: int, use: int, files: int | None = None, made: int = 0) -> None:
        self.left, self.use, self.files, self.made = free, use, files, made

    def __call__(self, folder: Path) -> Room:
        self.left -= self.use
        if self.files is not None:
            self.files -= self.made
        return Room(self.left, self.files)


def test_a_disk_with_too_little_room_is_refused_before_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "free", Disk(100 * MIB, 0))
    guard.check_room(Path("/state"), Limits(min_free=100 * MIB))
    with pytest.raises(EngineUnavailable, match=r"The disk of /state has 100 MiB left and 101 MiB must stay free"):
        guard.check_room(Path("/state"), Limits(min_free=101 * MIB))


async def test_an_import_that_takes_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PERIOD", 0)
    monkeypatch.setattr(guard, "free", Disk(1000 * MIB, 10 * MIB))
    with pytest.raises(Flaw, match="more than 50 MiB"):
        await guard.watch(Path("/state"), Limits(50 * MIB, 0), lambda: Size(51 * MIB, 0))


async def test_space_that_others_took_is_not_blamed_on_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PERIOD", 0)
    disk = Disk(1000 * MIB, 10 * MIB)
    monkeypatch.setattr(guard, "free", disk)
    with pytest.raises(EngineUnavailable, match="must stay free"):
        await guard.watch(Path("/state"), Limits(50 * MIB, 500 * MIB), lambda: Size(1 * MIB, 0))
    assert disk.left < 500 * MIB


async def test_an_import_of_ordinary_size_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PERIOD", 0)
    monkeypatch.setattr(guard, "free", Disk(1000 * MIB, 0))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await guard.watch(Path("/state"), Limits(50 * MIB, 0), lambda: pytest.fail("nothing to measure"))


def test_the_limit_itself_is_allowed() -> None:
    limits = Limits(50 * MIB, max_files=10)
    guard.check_size(Size(50 * MIB, 10), limits)
    with pytest.raises(Flaw, match="50 MiB"):
        guard.check_size(Size(50 * MIB + 1, 10), limits)
    with pytest.raises(Flaw, match="10 files"):
        guard.check_size(Size(50 * MIB, 11), limits)


async def test_an_import_of_too_many_files_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PERIOD", 0)
    monkeypatch.setattr(guard, "free", Disk(1000 * MIB, 0, files=100_000, made=1000))
    with pytest.raises(Flaw, match="more than 5000 files"):
        await guard.watch(Path("/state"), Limits(max_files=5000, min_free_files=10), lambda: Size(0, 5001))


async def test_files_that_others_made_are_not_blamed_on_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PERIOD", 0)
    disk = Disk(1000 * MIB, 0, files=100_000, made=1000)
    monkeypatch.setattr(guard, "free", disk)
    with pytest.raises(EngineUnavailable, match=r"room for 49000 more files .* 50000 it must have"):
        await guard.watch(Path("/state"), Limits(max_files=5000, min_free_files=50_000), lambda: Size(0, 1))
