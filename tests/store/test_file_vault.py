"""Payloads on disk: who may read the files, what is in them, and what is left when they are destroyed."""

import logging
import os
from pathlib import Path

import pytest

from homerun.lib.errors import FailedPrecondition, Unavailable
from homerun.store.file_vault import FileVault
from homerun.wire.sealing import Sealer

NAME = "projects/p/secrets/s/versions/1"
OLD, NEW = Sealer.generate(), Sealer.generate()


def vault(folder: Path, *keys: bytes) -> FileVault:
    return FileVault(folder / "secrets", Sealer.load(b"".join(keys or (OLD,)), "keys.txt"))


def files(folder: Path) -> list[Path]:
    return sorted((folder / "secrets").iterdir())


async def test_files_are_for_nobody_else_and_show_nothing(tmp_path: Path) -> None:
    id = await vault(tmp_path).put(b"hunter2" * 100, NAME)
    [path] = files(tmp_path)
    assert path.name == id
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"hunter2" not in path.read_bytes()


async def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    id = await vault(tmp_path).put(b"hunter2", NAME)
    again = vault(tmp_path)
    await again.open({id: NAME})
    assert await again.get(id, NAME) == b"hunter2"


async def test_what_is_destroyed_is_written_over_before_it_goes(tmp_path: Path) -> None:
    made = vault(tmp_path)
    id = await made.put(b"hunter2", NAME)
    [path] = files(tmp_path)
    size = path.stat().st_size
    with path.open("rb") as held:  # the same blocks, also when the name is gone
        await made.destroy(id)
        assert held.read() == bytes(size)
    assert files(tmp_path) == []


async def test_with_a_new_key_everything_is_sealed_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    id = await vault(tmp_path).put(b"hunter2", NAME)
    [path] = files(tmp_path)
    before = path.read_bytes()
    with path.open("rb") as held, caplog.at_level(logging.INFO):
        await vault(tmp_path, NEW, OLD).open({id: NAME})
        assert held.read() == bytes(len(before))
    assert "1 payloads of secrets are sealed with the new key" in caplog.text
    assert await vault(tmp_path, NEW).get(id, NAME) == b"hunter2"
    assert path.read_bytes() != before


async def test_with_the_wrong_key_nothing_is_touched(tmp_path: Path) -> None:
    id = await vault(tmp_path).put(b"hunter2", NAME)
    other = await vault(tmp_path).put(b"hunter3", f"{NAME}1")
    before = [path.read_bytes() for path in files(tmp_path)]
    with pytest.raises(FailedPrecondition, match=r"keys\.txt"):
        await vault(tmp_path, NEW).open({id: NAME})  # the other one is nobody's: not even that goes
    assert other in [path.name for path in files(tmp_path)]
    assert [path.read_bytes() for path in files(tmp_path)] == before


async def test_the_remains_of_a_killed_write_go_at_the_next_start(tmp_path: Path) -> None:
    made = vault(tmp_path)
    id = await made.put(b"hunter2", NAME)
    (tmp_path / "secrets" / f".{id}.4711").write_bytes(b"half of it")
    await vault(tmp_path).open({id: NAME})
    assert [path.name for path in files(tmp_path)] == [id]


async def test_one_that_is_missing_is_said_and_the_others_are_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = vault(tmp_path)
    await made.open({"gone": NAME})
    assert f"payload of {NAME} is missing" in caplog.text


async def test_a_disk_that_takes_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("no folder")
    with pytest.raises(Unavailable, match=f"cannot write to {tmp_path}/secrets"):
        await vault(tmp_path).put(b"hunter2", NAME)
    assert os.listdir(tmp_path) == ["secrets"]
