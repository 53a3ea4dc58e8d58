"""SqliteStore: the file, the lock, migrations, pruning, and words for what goes wrong."""

import asyncio
import os
import sqlite3
import stat
import subprocess
from functools import partial
from pathlib import Path

import pytest

from homerun.lib.errors import FailedPrecondition, OutOfRange, ResourceExhausted, Unavailable
from homerun.store import sqlite, sqlite_file
from homerun.store.base import Delete, Put
from homerun.store.sql import migrations
from homerun.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "homerun.db"


async def test_everything_is_there_again_after_reopening(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.apply(Put("A", "x", {"n": 1}, {"i": 2}), Put("A", "gone", {}))
    await store.apply(Delete("A", "gone"))
    before = await store.list("A")
    await store.close()

    store = await SqliteStore.open(path)
    assert await store.list("A") == before
    assert await store.version() == 3
    watch = store.watch()
    assert [(d.version, d.deleted) for d in (await anext(watch), await anext(watch))] == [(1, False), (3, True)]
    [written] = await store.apply(Put("A", "y", {}))
    assert written.version == 4
    assert await anext(watch) == written
    assert repr(store) == f"<SqliteStore {path} at version 4>"
    await store.close()


async def test_only_its_owner_can_read_the_files(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.apply(Put("A", "x", {}))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["homerun.db", "homerun.db-wal", "homerun.db-shm", "homerun.db.lock"], 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await store.close()


async def test_closing_leaves_one_tidy_file(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.apply(Put("A", "x", {}))
    await store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["homerun.db", "homerun.db.lock"]


async def test_a_second_store_on_the_same_file_is_told_who_has_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "take", partial(sqlite_file.take, tries=1))
    first = await SqliteStore.open(path)
    with pytest.raises(
        FailedPrecondition, match=rf"another homerun \(process {os.getpid()}\) uses {path.parent}.*--state"
    ):
        await SqliteStore.open(path)
    await first.apply(Put("A", "x", {}))
    await first.close()
    await (await SqliteStore.open(path)).close()


async def test_a_lock_without_a_living_holder_is_no_obstacle(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("homerun.db.lock").write_text("99999999\n")
    await (await SqliteStore.open(path)).close()


async def test_a_database_of_a_newer_homerun_is_left_alone(path: Path) -> None:
    await (await SqliteStore.open(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(FailedPrecondition, match=r"has schema 99 and was written by a newer homerun.*upgrade homerun"):
        await SqliteStore.open(path)
    assert path.read_bytes() == before


async def test_migrations_run_once_and_are_noted(path: Path) -> None:
    for _ in range(2):
        await (await SqliteStore.open(path)).close()
    connection = sqlite3.connect(path)
    assert connection.execute("pragma user_version").fetchone() == (len(migrations()),)
    connection.close()


async def test_a_failed_migration_leaves_the_database_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from homerun.store import sqlite_file
    from homerun.store.sql import Migration

    store = await SqliteStore.open(path)
    await store.apply(Put("A", "x", {}))
    await store.close()
    broken = Migration(len(migrations()) + 1, "broken", "create table extra (n); create table extra (n);")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file, "migrations", lambda: [*migrations(), broken])
        with pytest.raises(Exception, match="table extra already exists"):
            await SqliteStore.open(path)
    store = await SqliteStore.open(path)
    assert await store.count("A") == 1
    await store.close()


async def test_what_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("dear diary, " * 1000)
    with pytest.raises(FailedPrecondition, match=r"is damaged or no homerun database.*move it away"):
        await SqliteStore.open(path)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "homerun.db"
    with pytest.raises(Unavailable, match=rf"cannot create {path} \({path.parent}: File exists\).*--state"):
        await SqliteStore.open(path)
    (tmp_path / "homerun.db").mkdir()
    with pytest.raises(Unavailable, match=r"Is a directory"):
        await SqliteStore.open(tmp_path / "homerun.db")


async def test_old_tombstones_are_pruned_at_open_and_watches_from_before_are_refused(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.apply(*(Put("A", str(n), {}) for n in range(20)))  # 1 to 20
    await store.apply(*(Delete("A", str(n)) for n in range(10)))  # 21 to 30
    await store.close()

    store = await SqliteStore.open(path, keep_tombstones=3)
    watch = store.watch()
    seen = [await anext(watch) for _ in range(13)]
    assert [d.version for d in seen] == [*range(11, 21), 28, 29, 30]
    with pytest.raises(OutOfRange, match="deletions up to 27 are no longer remembered"):
        store.watch(26)
    assert (await anext(store.watch(27))).version == 28
    await store.close()


async def test_versions_never_repeat_even_if_the_last_write_was_pruned(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.apply(Put("A", "x", {}), Delete("A", "x"))
    await store.close()
    store = await SqliteStore.open(path, keep_tombstones=0)
    assert await store.version() == 2
    [written] = await store.apply(Put("A", "x", {}))
    assert written.version == 3
    await store.close()


async def test_a_watch_that_fell_far_behind_reads_the_file_and_catches_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "KEEP_CHANGES", 10)
    store = await SqliteStore.open(path)
    slow = store.watch(kinds=["A"])
    await store.apply(Put("A", "first", {}))
    assert (await anext(slow)).name == "first"
    for n in range(1000):
        await store.apply(Put("AB"[n % 2], str(n), {}))
    assert [int((await anext(slow)).name) for _ in range(500)] == list(range(0, 1000, 2))
    [last] = await store.apply(Put("A", "last", {}))
    assert await anext(slow) == last
    await store.close()


async def test_another_program_that_locks_the_file_delays_writes_and_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from homerun.store import sqlite_file

    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.05)
    store = await SqliteStore.open(path)
    await store.apply(Put("A", "x", {}))
    intruder = sqlite3.connect(path, isolation_level=None)
    intruder.execute("begin immediate")
    with pytest.raises(Unavailable, match=rf"another program has locked {path}.*fuser"):
        await store.apply(Put("A", "y", {}))
    assert await store.count("A") == 1
    intruder.execute("rollback")
    intruder.close()
    [written] = await store.apply(Put("A", "y", {}))
    assert written.version == 2
    await store.close()


async def test_concurrent_writers_share_commits(path: Path) -> None:
    store = await SqliteStore.open(path)
    commits = 0

    def count(statement: str) -> None:
        nonlocal commits
        commits += statement == "commit"

    store._opened.writes.set_trace_callback(count)
    await asyncio.gather(*(store.apply(Put("A", str(n), {})) for n in range(500)))
    assert commits <= 50
    await store.close()


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk: needs root")
async def test_a_full_disk_is_named_loses_nothing_and_is_survived(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=True)
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * (1 << 20))
        path = disk / "homerun.db"
        store = await SqliteStore.open(path)
        acknowledged: list[str] = []
        refused = 0
        for n in range(400):
            pair = (Put("A", f"{n}-a", {"fill": "y" * 5000}), Put("A", f"{n}-b", {"fill": "z" * 5000}))
            try:
                await store.apply(*pair)
                acknowledged += [f"{n}-a", f"{n}-b"]
            except ResourceExhausted as error:
                assert str(path) in error.message and "free some space" in error.message
                refused += 1
        assert refused > 100 and len(acknowledged) > 50
        assert sorted(d.name for d in await store.list("A")) == sorted(acknowledged)
        assert await store.version() == len(acknowledged)

        ballast.unlink()
        [written] = await store.apply(Put("A", "after", {"fill": "x" * 5000}))
        assert written.version == len(acknowledged) + 1
        await store.close()
        store = await SqliteStore.open(path)
        assert await store.count("A") == len(acknowledged) + 1
        await store.close()
    finally:
        subprocess.run(["umount", disk], check=True)
