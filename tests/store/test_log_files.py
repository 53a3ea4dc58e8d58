"""Segments: made, filled, dropped; and what is there after a kill."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from homerun.lib.errors import ResourceExhausted
from homerun.store.log_base import LogQuery, LogRow, Origin
from homerun.store.log_files import SqliteLogStore
from homerun.store.log_segment import Segment

A = Origin("run.googleapis.com/stdout", "cloud_run_revision", (("service_name", "a"),), (("instanceId", "1"),))
DAY = 86400


def rows(first: int, count: int, text: str = "x" * 1000) -> list[LogRow]:
    return [LogRow(number, A, 0, f"{number} {text}") for number in range(first, first + count)]


def numbers(store: SqliteLogStore) -> list[int]:
    return [int((found.text or "").partition(" ")[0]) for found in store.search(LogQuery("p"))]


def test_what_was_committed_is_there_after_opening_it_again(tmp_path: Path) -> None:
    store = SqliteLogStore(tmp_path)
    store.append("p", rows(0, 3), {"i": "7"}, 0)
    # Not closed: as after kill -9.
    again = SqliteLogStore(tmp_path)
    assert numbers(again) == [0, 1, 2]
    assert again.positions() == {"i": ("p", "7")}
    assert (again.last("p"), again.origins("p")) == (3, {A})
    again.append("p", rows(3, 2), {}, 0)
    assert numbers(again) == [0, 1, 2, 3, 4]
    again.close()


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    store = SqliteLogStore(tmp_path, size=4 << 20)
    for first in range(0, 20_000, 500):
        store.append("p", rows(first, 500), {"i": str(first)}, 0)
    left = numbers(store)
    assert left == list(range(left[0], 20_000))
    assert 0 < left[0]
    used = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert 2 << 20 < used <= 5 << 20
    assert store.positions() == {"i": ("p", "19500")}
    again = SqliteLogStore(tmp_path, size=4 << 20)
    assert (numbers(again), again.positions(), again.last("p")) == (left, {"i": ("p", "19500")}, 20_000)
    assert again.following("p", 0, 1)[0].seq == left[0] + 1


def test_entries_have_their_days(tmp_path: Path) -> None:
    store = SqliteLogStore(tmp_path, days=3)
    for day in range(10):
        store.append("p", rows(day, 1), {}, day * (DAY + 1))
    assert numbers(store)[-4:] == [6, 7, 8, 9]
    assert len(numbers(store)) <= 5


def test_a_full_disk_takes_the_oldest_segment_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteLogStore(tmp_path)
    store.append("p", rows(0, 1), {}, 0)
    store.append("q", rows(0, 1), {}, 1)
    store.append("p", rows(1, 1), {}, 2 * DAY)
    store.append("q", rows(1, 1), {}, 2 * DAY)
    original, failures = Segment.append, [sqlite3.OperationalError("full")] * 2
    for error in failures:
        error.sqlite_errorcode = sqlite3.SQLITE_FULL

    def append(self: Segment, *arguments: object) -> None:
        if failures:
            raise failures.pop()
        original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Segment, "append", append)
    store.append("p", rows(2, 1), {}, 2 * DAY)
    assert numbers(store) == [1, 2]
    assert len(list(store.search(LogQuery("q")))) == 1
    failures += [sqlite3.OperationalError("full")]
    failures[0].sqlite_errorcode = sqlite3.SQLITE_FULL
    with pytest.raises(ResourceExhausted, match="no space left"):
        store.append("p", rows(3, 1), {}, 2 * DAY)
    store.append("p", rows(4, 1), {}, 2 * DAY)
    assert numbers(store) == [1, 2, 4]


def test_a_segment_whose_making_was_cut_short_is_none(tmp_path: Path) -> None:
    store = SqliteLogStore(tmp_path)
    store.append("p", rows(0, 1), {"i": "1"}, 0)
    store.close()
    (tmp_path / "p" / "00000002.db").touch()
    again = SqliteLogStore(tmp_path)
    assert (numbers(again), again.positions()) == ([0], {"i": ("p", "1")})
    assert [path.name for path in sorted((tmp_path / "p").glob("*.db"))] == ["00000001.db"]


def test_a_search_goes_on_while_entries_are_written_and_dropped(tmp_path: Path) -> None:
    store = SqliteLogStore(tmp_path, size=2 << 20)
    store.append("p", rows(0, 1000), {}, 0)
    found = store.search(LogQuery("p"))
    first = next(found)
    for start in range(1000, 8000, 500):
        store.append("p", rows(start, 500), {}, 0)
    assert numbers(store)[0] > 1000
    seen = [first, *found]
    assert [each.time for each in seen[:1000]] == list(range(1000))


def test_an_origin_of_a_failed_commit_is_nobody_s(tmp_path: Path) -> None:
    store = SqliteLogStore(tmp_path)
    other = Origin("other", "global", ())
    broken = LogRow(1, other, 0, object())  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"."):
        store.append("p", [broken], {}, 0)
    store.append("p", rows(0, 1), {}, 0)
    assert store.origins("p") == {A}
    assert numbers(SqliteLogStore(tmp_path)) == [0]
