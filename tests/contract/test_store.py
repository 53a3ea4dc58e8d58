"""What every Store promises, in memory or on disk. See homerun/store/base.py."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homerun.lib.errors import Aborted, Invalid, OutOfRange, Unavailable
from homerun.store.base import ABSENT, Conflict, Delete, Document, Put, Store
from homerun.store.memory import MemoryStore
from homerun.store.sqlite import SqliteStore
from tests.support.examples import examples
from tests.support.loops import run

Open = Callable[[Path], Awaitable[Store]]


async def open_memory(folder: Path) -> Store:
    return MemoryStore()


async def open_sqlite(folder: Path) -> Store:
    return await SqliteStore.open(folder / "test.db")


OPENERS = [pytest.param(open_memory, id="memory"), pytest.param(open_sqlite, id="sqlite")]


@pytest.fixture(params=OPENERS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store = await request.param(tmp_path)
    yield store
    await store.close()


async def take(watch: AsyncIterator[Document], count: int) -> list[Document]:
    async with asyncio.timeout(5):
        return [await anext(watch) for _ in range(count)]


async def nothing_more(watch: AsyncIterator[Document]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(watch)


def names(documents: Sequence[Document]) -> list[str]:
    return [document.name for document in documents]


# Reading and writing


async def test_a_new_store_is_empty_and_at_version_zero(store: Store) -> None:
    assert await store.version() == 0
    assert await store.get("Service", "hello") is None
    assert list(await store.list("Service")) == []
    assert await store.count("Service") == 0


async def test_what_is_written_is_read_back(store: Store) -> None:
    body: dict[str, Any] = {"name": "hello", "n": 1, "x": 0.1, "yes": True, "no": None, "list": [1, {"a": "ü"}], "": {}}
    [written] = await store.apply(Put("Service", "hello", body, {"secret": [2**53 + 1]}))
    assert written == Document("Service", "hello", 1, body, {"secret": [2**53 + 1]})
    assert await store.get("Service", "hello") == written
    assert await store.list("Service") == [written]
    assert await store.get("Job", "hello") is None


async def test_every_write_gets_the_next_version(store: Store) -> None:
    versions = []
    for _ in range(3):
        versions += [d.version for d in await store.apply(Put("A", "x", {}), Put("B", "y", {}), Delete("A", "x"))]
    assert versions == list(range(1, 10))
    assert await store.version() == 9


async def test_what_is_stored_is_independent_of_what_was_passed(store: Store) -> None:
    body = {"labels": {"a": "1"}}
    [written] = await store.apply(Put("Service", "hello", body))
    body["labels"]["a"] = "2"
    assert written.body == {"labels": {"a": "1"}}
    found = await store.get("Service", "hello")
    assert found is not None and found.body == {"labels": {"a": "1"}}


async def test_applying_nothing_is_fine(store: Store) -> None:
    assert list(await store.apply()) == []
    assert await store.version() == 0


async def test_a_deleted_document_is_gone_and_can_be_made_again(store: Store) -> None:
    await store.apply(Put("Service", "hello", {"n": 1}))
    [tombstone] = await store.apply(Delete("Service", "hello"))
    assert tombstone == Document("Service", "hello", 2, {}, {}, deleted=True)
    assert await store.get("Service", "hello") is None
    assert (list(await store.list("Service")), await store.count("Service")) == ([], 0)
    [again] = await store.apply(Put("Service", "hello", {"n": 2}, if_version=ABSENT))
    assert again.version == 3
    assert await store.count("Service") == 1


async def test_deleting_what_is_not_there_is_no_error(store: Store) -> None:
    [tombstone] = await store.apply(Delete("Service", "ghost"))
    assert tombstone.deleted


# Conflicts


async def test_a_write_at_the_right_version_wins_and_the_second_one_loses(store: Store) -> None:
    [first] = await store.apply(Put("Service", "hello", {"n": 1}))
    await store.apply(Put("Service", "hello", {"n": 2}, if_version=first.version))
    with pytest.raises(Conflict, match="Service hello was expected at version 1 but is at version 2") as caught:
        await store.apply(Put("Service", "hello", {"n": 3}, if_version=first.version))
    assert (caught.value.expected, caught.value.actual) == (1, 2)
    assert isinstance(caught.value, Aborted)
    found = await store.get("Service", "hello")
    assert found is not None and found.body == {"n": 2}


async def test_absent_means_must_not_exist(store: Store) -> None:
    await store.apply(Put("Service", "hello", {}, if_version=ABSENT))
    with pytest.raises(Conflict, match="expected not to exist but is at version 1"):
        await store.apply(Put("Service", "hello", {}, if_version=ABSENT))
    await store.apply(Put("Job", "hello", {}, if_version=ABSENT))


async def test_a_version_of_what_does_not_exist_conflicts(store: Store) -> None:
    with pytest.raises(Conflict, match="expected at version 7 but does not exist"):
        await store.apply(Put("Service", "hello", {}, if_version=7))
    await store.apply(Put("Service", "hello", {}))
    [tombstone] = await store.apply(Delete("Service", "hello"))
    with pytest.raises(Conflict, match="does not exist"):
        await store.apply(Put("Service", "hello", {}, if_version=tombstone.version))


async def test_delete_can_be_guarded_too(store: Store) -> None:
    [first] = await store.apply(Put("Service", "hello", {}))
    with pytest.raises(Conflict):
        await store.apply(Delete("Service", "hello", if_version=first.version + 1))
    await store.apply(Delete("Service", "hello", if_version=first.version))
    await store.apply(Delete("Service", "hello", if_version=ABSENT))


async def test_all_of_a_batch_or_nothing(store: Store) -> None:
    await store.apply(Put("Task", "b", {"n": 1}))
    watch = store.watch(await store.version())
    with pytest.raises(Conflict):
        await store.apply(
            Put("Task", "a", {"n": 2}), Delete("Task", "b"), Put("Task", "c", {}), Put("Task", "b", {}, if_version=99)
        )
    assert await store.version() == 1
    assert [(d.name, d.body) for d in await store.list("Task")] == [("b", {"n": 1})]
    await nothing_more(watch)


async def test_later_writes_of_a_batch_see_the_earlier_ones(store: Store) -> None:
    written = await store.apply(
        Put("Task", "a", {"n": 1}, if_version=ABSENT), Put("Task", "a", {"n": 2}, if_version=1), Delete("Task", "a")
    )
    assert [(d.version, d.deleted) for d in written] == [(1, False), (2, False), (3, True)]
    assert await store.get("Task", "a") is None


async def test_one_of_many_concurrent_writers_wins_each_round(store: Store) -> None:
    """A counter that 20 tasks increment by read, check, write: no increment is lost."""
    await store.apply(Put("Counter", "c", {"n": 0}))

    async def increment() -> None:
        while True:
            found = await store.get("Counter", "c")
            assert found is not None
            try:
                await store.apply(Put("Counter", "c", {"n": found.body["n"] + 1}, if_version=found.version))
                return
            except Conflict:
                continue

    await asyncio.gather(*(increment() for _ in range(20)))
    found = await store.get("Counter", "c")
    assert found is not None and found.body == {"n": 20}


async def test_a_conflict_harms_nobody_else_who_writes_at_the_same_time(store: Store) -> None:
    async def write(number: int) -> bool:
        guard = 12345 if number % 3 == 0 else None
        try:
            await store.apply(Put("Task", f"{number}-a", {}), Put("Task", f"{number}-b", {}, if_version=guard))
        except Conflict:
            return False
        return True

    outcomes = await asyncio.gather(*(write(number) for number in range(60)))
    assert outcomes == [number % 3 != 0 for number in range(60)]
    assert await store.count("Task") == 80
    assert await store.version() == 80


# Lists


async def test_names_are_in_bytewise_order(store: Store) -> None:
    unsorted = ["b", "a", "B", "a/1", "a-1", "ä", "é", "😀", "\uffff", "", "a\x00b", "10", "9"]
    await store.apply(*(Put("Thing", name, {}) for name in unsorted))
    assert names(await store.list("Thing", after="")) == sorted(unsorted, key=str.encode)[1:]


@pytest.mark.parametrize("prefix", ["", "a", "a/", "\ud7ff", "\U0010ffff", "a\U0010ffff", "😀"])
async def test_a_prefix_selects_exactly_what_starts_with_it(store: Store, prefix: str) -> None:
    letters = ["a", "a/", "b", "a/b", "a0", "\ud7ff", "\ud7ff1", "\ue000", "\U0010ffff", "a\U0010ffff", "a\U0010ffff!"]
    letters += ["😀", "😀x", "😁"]
    await store.apply(*(Put("Thing", name, {}) for name in letters))
    expected = sorted((name for name in letters if name.startswith(prefix)), key=str.encode)
    assert names(await store.list("Thing", prefix=prefix)) == expected
    assert await store.count("Thing", prefix=prefix) == len(expected)


async def test_pages_follow_each_other(store: Store) -> None:
    await store.apply(*(Put("Task", f"e/{n:02}", {"n": n}) for n in range(25)), Put("Task", "f/00", {}))
    seen: list[str] = []
    after, sizes = "", []
    while page := await store.list("Task", prefix="e/", after=after, limit=10):
        seen += names(page)
        sizes.append(len(page))
        after = page[-1].name
    assert (seen, sizes) == ([f"e/{n:02}" for n in range(25)], [10, 10, 5])
    assert list(await store.list("Task", limit=0)) == []


async def test_pages_stay_right_while_the_list_changes(store: Store) -> None:
    await store.apply(*(Put("Task", f"{n:02}", {}) for n in range(0, 40, 2)))
    first = await store.list("Task", limit=10)
    await store.apply(
        Delete("Task", first[-1].name), Delete("Task", "30"), Put("Task", "01", {}), Put("Task", "33", {})
    )
    rest = await store.list("Task", after=first[-1].name)
    assert names(rest) == ["20", "22", "24", "26", "28", "32", "33", "34", "36", "38"]


async def test_after_before_the_prefix_skips_nothing(store: Store) -> None:
    await store.apply(Put("Task", "b/1", {}), Put("Task", "b/2", {}))
    assert names(await store.list("Task", prefix="b/", after="a")) == ["b/1", "b/2"]
    assert names(await store.list("Task", prefix="b/", after="c")) == []


async def test_text_that_is_no_unicode_is_refused_and_harms_nobody(store: Store) -> None:
    bad = "\ud800"
    results = await asyncio.gather(
        store.apply(Put("Task", bad, {})),
        store.apply(Put("Task", "body", {"text": bad})),
        store.apply(Put("Task", "fine", {})),
        return_exceptions=True,
    )
    assert [type(result) for result in results[:2]] == [Invalid, Invalid]
    assert names(await store.list("Task")) == ["fine"]


async def test_what_json_cannot_hold_is_refused(store: Store) -> None:
    with pytest.raises(TypeError):
        await store.apply(Put("Task", "a", {"set": object()}))
    assert await store.version() == 0


# Watches


async def test_a_watch_from_zero_starts_with_all_that_exists_then_goes_live(store: Store) -> None:
    await store.apply(Put("A", "x", {}), Put("B", "y", {}), Delete("A", "z"))
    watch = store.watch()
    assert [(d.version, d.name, d.deleted) for d in await take(watch, 3)] == [
        (1, "x", False),
        (2, "y", False),
        (3, "z", True),
    ]
    await nothing_more(watch)
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0.01)
    await store.apply(Put("A", "x", {"n": 2}))
    assert (await asyncio.wait_for(waiting, 5)).body == {"n": 2}


async def test_a_watch_from_a_version_starts_right_after_it(store: Store) -> None:
    await store.apply(*(Put("A", str(n), {}) for n in range(10)))
    assert [d.version for d in await take(store.watch(7), 3)] == [8, 9, 10]


async def test_a_document_that_changed_often_is_seen_once(store: Store) -> None:
    for n in range(50):
        await store.apply(Put("A", "x", {"n": n}))
    await store.apply(Put("A", "y", {}))
    watch = store.watch()
    assert [(d.name, d.version) for d in await take(watch, 2)] == [("x", 50), ("y", 51)]
    await nothing_more(watch)


async def test_a_watch_of_some_kinds_sees_only_those(store: Store) -> None:
    watch = store.watch(kinds=["A", "C"])
    for n in range(3):
        await store.apply(*(Put(kind, f"{kind}{n}", {}) for kind in "ABCD"))
    assert names(await take(watch, 6)) == ["A0", "C0", "A1", "C1", "A2", "C2"]
    await store.apply(Put("B", "B9", {}))
    await nothing_more(watch)
    none = store.watch(kinds=[])
    await nothing_more(none)


async def test_an_apply_that_returned_is_seen_by_a_watch_at_once(store: Store) -> None:
    """No later turn of the loop needed: what a watcher reads is never behind what its writer knows."""
    watch = store.watch()
    for n in range(20):
        [written] = await store.apply(Put("A", str(n), {}))
        assert await anext(watch) == written


async def test_a_watch_from_the_future_is_refused(store: Store) -> None:
    await store.apply(Put("A", "x", {}))
    with pytest.raises(OutOfRange, match=r"cannot watch from version 2: the store is at 1 .*watch again from 0"):
        store.watch(2)


async def test_close_ends_watches_and_refuses_everything_else(store: Store) -> None:
    caught_up, behind = store.watch(), store.watch()
    await store.apply(Put("A", "x", {}))
    await take(caught_up, 1)
    waiting = asyncio.ensure_future(anext(caught_up, None))
    await asyncio.sleep(0.01)
    await store.close()
    assert await asyncio.wait_for(waiting, 5) is None
    assert [document async for document in behind] == []
    await store.close()
    for call in (
        store.get("A", "x"),
        store.list("A"),
        store.count("A"),
        store.apply(Put("A", "y", {})),
        store.version(),
    ):
        with pytest.raises(Unavailable, match="is closed"):
            await call


async def test_writes_accepted_before_close_are_answered(store: Store) -> None:
    writes = [asyncio.ensure_future(store.apply(Put("A", str(n), {}))) for n in range(100)]
    await asyncio.sleep(0)
    await store.close()
    assert sorted(d.version for [d] in await asyncio.gather(*writes)) == list(range(1, 101))


async def test_a_cancelled_writer_leaves_the_others_alone(store: Store) -> None:
    writes = [asyncio.ensure_future(store.apply(Put("A", str(n), {}))) for n in range(20)]
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert all(not isinstance(result, BaseException) for result in results[1::2])
    assert {str(n) for n in range(1, 20, 2)} <= set(names(await store.list("A")))


async def test_ten_thousand_documents(store: Store) -> None:
    tasks = [Put("Task", f"jobs/j/executions/e/tasks/{n:05}", {"index": n}) for n in range(10_000)]
    watch = store.watch()
    seen: list[int] = []

    async def observe() -> None:
        while len(seen) < 10_000:
            seen.append((await anext(watch)).body["index"])

    observer = asyncio.ensure_future(observe())
    await asyncio.gather(*(store.apply(*tasks[n : n + 10]) for n in range(0, 10_000, 10)))
    await asyncio.wait_for(observer, 20)
    assert sorted(seen) == list(range(10_000))
    assert await store.count("Task", prefix="jobs/j/") == 10_000
    assert [d.body["index"] for d in await store.list("Task")] == list(range(10_000))
    late = [d.version for d in await take(store.watch(5_000), 5_000)]
    assert late == list(range(5_001, 10_001))


# The watch property: whatever is written, and whenever a watcher starts, it ends up knowing what the store knows.

Change = tuple[str, str, int | None]
changes = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from(["x", "y", "z", "ü"]), st.none() | st.integers(0, 9)), max_size=4
)
start_watching = st.integers(0, 100)
steps = st.lists(changes | start_watching, max_size=25)


@pytest.mark.parametrize("opener", OPENERS)
@settings(max_examples=examples(40), deadline=None)
@given(steps=steps)
def test_watchers_started_at_any_version_end_up_with_what_the_store_has(
    opener: Open, steps: list[list[Change] | int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(_watchers_converge(opener, Path(folder), steps))


async def _watchers_converge(opener: Open, folder: Path, steps: list[list[Change] | int]) -> None:
    store = await opener(folder)
    at_version: list[dict[tuple[str, str], Any]] = [{}]
    """The whole content after each version, built from what was applied."""
    watchers: list[asyncio.Future[None]] = []

    async def follow(since: int) -> None:
        known, last = dict(at_version[since]), since
        async for document in store.watch(since):
            assert document.version > last, "versions must rise"
            last = document.version
            key = (document.kind, document.name)
            if document.deleted:
                known.pop(key, None)
            else:
                known[key] = document.body
            if document.kind == "End":
                break
        assert known == at_version[-1]

    for step in steps:
        if isinstance(step, int):
            watchers.append(asyncio.ensure_future(follow(step % len(at_version))))
            await asyncio.sleep(0)
            continue
        writes = [Delete(k, n) if value is None else Put(k, n, {"v": value}) for k, n, value in step]
        for kind, name, value in step:
            content = dict(at_version[-1])
            content.pop((kind, name), None)
            if value is not None:
                content[kind, name] = {"v": value}
            at_version.append(content)
        await store.apply(*writes)
    at_version.append(at_version[-1] | {("End", "end"): {}})
    await store.apply(Put("End", "end", {}))
    async with asyncio.timeout(10):
        await asyncio.gather(*watchers)
    listed = {(kind, d.name): d.body for kind in ("A", "B", "End") for d in await store.list(kind)}
    assert listed == at_version[-1]
    await store.close()
