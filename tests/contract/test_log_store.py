"""What every log store promises, in memory or on disk. See homerun/store/log_base.py."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from homerun.store.log_base import Found, LogQuery, LogRow, LogStore, Origin
from homerun.store.log_files import SqliteLogStore
from homerun.store.log_memory import MemoryLogStore

A = Origin("run.googleapis.com/stdout", "cloud_run_revision", (("service_name", "a"),), (("instanceId", "1"),))
A2 = Origin("run.googleapis.com/stderr", "cloud_run_revision", (("service_name", "a"),), (("instanceId", "2"),))
B = Origin("run.googleapis.com/stdout", "cloud_run_job", (("job_name", "b"),))
C = Origin("mine", "global", ())


@pytest.fixture(params=["memory", "files", "small files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LogStore:
    if request.param == "memory":
        return MemoryLogStore()
    # Small ones: every few rows in a segment of their own, and none is dropped.
    return SqliteLogStore(tmp_path, size=1 << 30) if request.param == "files" else many_segments(tmp_path)


def many_segments(folder: Path) -> SqliteLogStore:
    store = SqliteLogStore(folder, size=1 << 30)
    original = store.append

    def append(project: str, rows: Any, positions: Any, now: float) -> None:
        kept = store._projects.get(project)
        if kept is not None:
            kept._begin_segment(now)
        original(project, rows, positions, now)

    store.append = append  # type: ignore[method-assign]
    return store


def add(store: LogStore, *rows: LogRow, project: str = "p", positions: dict[str, str | None] | None = None) -> None:
    store.append(project, rows, positions or {}, 1000)


def texts(store: LogStore, **query: Any) -> list[str | None]:
    return [found.text for found in store.search(LogQuery("p", **query))]


def test_nothing_is_found_where_nothing_is(store: LogStore) -> None:
    assert (texts(store), store.last("p"), store.origins("p"), list(store.projects())) == ([], 0, set(), [])
    assert store.following("p", 0, 10) == []
    assert store.delete("p", "mine") == 0


def test_entries_come_in_order_of_time_and_those_of_one_time_as_they_came(store: LogStore) -> None:
    add(store, LogRow(5, A, 0, "5"), LogRow(3, B, 0, "3"))
    add(store, LogRow(4, A, 0, "4"), LogRow(3, A, 0, "3 too"))
    assert texts(store) == ["3", "3 too", "4", "5"]
    assert texts(store, descending=True) == ["5", "4", "3 too", "3"]


def test_what_was_put_in_comes_out(store: LogStore) -> None:
    row = LogRow(5, A, 500, "text", '{"trace":"t"}')
    add(store, row)
    assert list(store.search(LogQuery("p"))) == [Found(5, 1, *row[1:])]
    assert store.following("p", 0, 10) == [Found(5, 1, *row[1:])]


def test_times_severity_and_origin_narrow(store: LogStore) -> None:
    for number, origin in enumerate([A, A2, B, C] * 3):
        add(store, LogRow(number, origin, 100 * number, str(number)))
    assert texts(store, since=3, until=5) == ["3", "4", "5"]
    assert texts(store, severity=1000) == ["10", "11"]
    assert texts(store, wanted=lambda origin: origin == A) == ["0", "4", "8"]
    assert texts(store, wanted=lambda origin: origin.type == "cloud_run_revision") == ["0", "1", "4", "5", "8", "9"]
    assert texts(store, wanted=lambda origin: origin in (A, B)) == ["0", "2", "4", "6", "8", "10"]
    assert texts(store, wanted=lambda origin: False) == []
    assert texts(store, wanted=lambda origin: origin == A, since=1, severity=500) == ["8"]
    assert texts(store, up_to=2) == ["0", "1"]


def test_a_search_goes_on_behind_any_entry(store: LogStore) -> None:
    for number in range(7):
        add(store, LogRow(number // 3, A, 0, str(number)))
    for descending in (False, True):
        everything = list(store.search(LogQuery("p", descending=descending)))
        for place, found in enumerate(everything):
            query = LogQuery("p", descending=descending, after=found[:2])
            assert list(store.search(query)) == everything[place + 1 :]


def test_texts_are_found_in_the_text_in_the_fields_and_in_the_origin(store: LogStore) -> None:
    add(store, LogRow(1, A, 0, "The Quick 100% fox_y"), LogRow(2, A, 0, None, '{"jsonPayload":{"m":"quick"}}'))
    add(store, LogRow(3, B, 0, "slow"))
    assert texts(store, texts=("quick",)) == ["The Quick 100% fox_y", None]
    assert texts(store, texts=("QUICK", "fox")) == ["The Quick 100% fox_y"]
    assert texts(store, texts=("0%",)) == ["The Quick 100% fox_y"]
    assert texts(store, texts=("x_Y",)) == ["The Quick 100% fox_y"]
    assert texts(store, texts=("o%s",)) == []
    assert texts(store, texts=("cloud_run_job",)) == ["slow"]
    assert texts(store, texts=("projects/p/logs",)) == ["The Quick 100% fox_y", None, "slow"]


def test_what_comes_is_followed_in_the_order_in_which_it_came(store: LogStore) -> None:
    for number in range(5):
        add(store, LogRow(100 - number, A, 0, str(number)))
    assert store.last("p") == 5
    assert [found.text for found in store.following("p", 2, 2)] == ["2", "3"]
    assert [found.text for found in store.following("p", 4, 10)] == ["4"]
    assert store.following("p", 5, 10) == []


def test_projects_know_nothing_of_each_other(store: LogStore) -> None:
    add(store, LogRow(1, A, 0, "mine"))
    add(store, LogRow(1, A, 0, "theirs"), project="domain.com:q")
    assert texts(store) == ["mine"]
    assert sorted(store.projects()) == ["domain.com:q", "p"]
    assert store.origins("p") == {A}


def test_positions_are_kept_replaced_and_forgotten(store: LogStore) -> None:
    add(store, positions={"i1": "1", "i2": "2"})
    add(store, LogRow(1, A, 0, "x"), positions={"i1": "3"})
    assert store.positions() == {"i1": ("p", "3"), "i2": ("p", "2")}
    add(store, positions={"i2": None, "never": None})
    assert store.positions() == {"i1": ("p", "3")}


def test_a_log_can_be_deleted(store: LogStore) -> None:
    add(store, LogRow(1, A, 0, "a"), LogRow(2, C, 0, "c"))
    add(store, LogRow(3, C, 0, "c too"))
    assert store.delete("p", "mine") == 2
    assert texts(store) == ["a"]
    add(store, LogRow(4, C, 0, "again"))
    assert texts(store) == ["a", "again"]


@pytest.mark.parametrize("seed", range(3))
def test_all_stores_find_the_same(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    memory, files, small = MemoryLogStore(), SqliteLogStore(tmp_path / "a"), many_segments(tmp_path / "b")
    stores: list[LogStore] = [memory, files, small]
    for _ in range(12):
        times = [chance.randrange(60) for _ in range(chance.randrange(12))]
        origins = [chance.choice([A, A2, B, C]) for _ in times]
        rows = [
            LogRow(time, origin, chance.randrange(0, 900, 100), chance.choice("xyz"))
            for time, origin in zip(times, origins, strict=True)
        ]
        for store in stores:
            store.append("p", rows, {}, 0)
    for _ in range(60):
        some = chance.sample([A, A2, B, C], chance.randrange(5))
        query = LogQuery(
            "p",
            since=chance.randrange(60),
            until=chance.choice([None, chance.randrange(60)]),
            severity=chance.choice([0, 300]),
            wanted=some.__contains__,
            texts=tuple(chance.sample("xyz", chance.randrange(2))),
            descending=chance.random() < 0.5,
            after=chance.choice([None, (chance.randrange(60), chance.randrange(60))]),
        )
        expected = list(memory.search(query))
        assert list(files.search(query)) == expected
        assert list(small.search(query)) == expected
