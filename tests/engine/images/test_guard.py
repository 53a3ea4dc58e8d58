"""Ending imports that would fill the disk, in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable
from homerun.engine.images import guard
from homerun.engine.images.guard import Limits
from homerun.engine.images.manifest import Flaw

MIB = 1 << 20


class Disk:
    """Free space that shrinks by `use` at each look."""

    def __init__(self, free: int, use: int) -> None:
        self.left, self.use = free, use

    def __call__(self, folder: Path) -> int:
        self.left -= self.use
        return self.left


def test_a_disk_with_too_little_room_is_refused_before_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "free", Disk(100 * MIB, 0))
    guard.check_room(Path("/state"), Limits(min_free=100 * MIB))
    with pytest.raises(EngineUnavailable, match=r"The disk of /state has 100 MiB left and 101 MiB must stay free"):
        guard.check_room(Path("/state"), Limits(min_free=101 * MIB))


async def test_an_import_that_takes_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PERIOD", 0)
    monkeypatch.setattr(guard, "free", Disk(1000 * MIB, 10 * MIB))
    with pytest.raises(Flaw, match="more than 50 MiB"):
        await guard.watch(Path("/state"), Limits(50 * MIB, 0), lambda: 51 * MIB)


async def test_space_that_others_took_is_not_blamed_on_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PERIOD", 0)
    disk = Disk(1000 * MIB, 10 * MIB)
    monkeypatch.setattr(guard, "free", disk)
    with pytest.raises(EngineUnavailable, match="must stay free"):
        await guard.watch(Path("/state"), Limits(50 * MIB, 500 * MIB), lambda: 1 * MIB)
    assert disk.left < 500 * MIB


async def test_an_import_of_ordinary_size_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PERIOD", 0)
    monkeypatch.setattr(guard, "free", Disk(1000 * MIB, 0))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await guard.watch(Path("/state"), Limits(50 * MIB, 0), lambda: pytest.fail("nothing to measure"))


def test_the_limit_itself_is_allowed() -> None:
    guard.check_size(50 * MIB, Limits(50 * MIB))
    with pytest.raises(Flaw):
        guard.check_size(50 * MIB + 1, Limits(50 * MIB))
