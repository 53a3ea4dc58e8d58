"""Watch: batches, and a cursor that also moves past what is not for it."""

import pytest

from homerun.aio.highwater import HighWater
from homerun.lib.errors import OutOfRange
from homerun.store.base import Document
from homerun.store.watching import BATCH, Watch, check_since

pytestmark = pytest.mark.looptime


class Source:
    """Documents whose version is a multiple of `every`, up to the head; notes each read."""

    def __init__(self, head: int, every: int = 1) -> None:
        self.head = HighWater(head)
        self.every = every
        self.reads: list[int] = []

    async def read(self, since: int, limit: int) -> list[Document]:
        self.reads.append(since)
        found = (v for v in range(since + 1, self.head.value + 1) if v % self.every == 0)
        return [Document("A", str(v), v, {}) for v, _ in zip(found, range(limit), strict=False)]


async def test_a_long_backlog_comes_in_batches_without_gap() -> None:
    source = Source(2 * BATCH + 3)
    watch = Watch(source.read, source.head, 0)
    versions = [(await anext(watch)).version for _ in range(2 * BATCH + 3)]
    assert versions == list(range(1, 2 * BATCH + 4))
    assert source.reads == [0, BATCH, 2 * BATCH]


async def test_changes_that_are_not_for_it_are_read_over_once() -> None:
    source = Source(9, every=10)
    watch = Watch(source.read, source.head, 0)
    source.head.rise(10)
    assert (await anext(watch)).version == 10
    source.head.rise(19)
    source.head.rise(25)
    assert (await anext(watch)).version == 20
    source.head.rise(30)
    assert (await anext(watch)).version == 30
    assert source.reads == [0, 10, 25]


async def test_what_is_read_ahead_of_the_head_is_not_read_again() -> None:
    """A reader of the file sees a commit before the loop hears of it."""
    source = Source(5)
    head = HighWater(3)
    watch = Watch(source.read, head, 0)
    assert [(await anext(watch)).version for _ in range(5)] == [1, 2, 3, 4, 5]
    head.rise(5)
    source.head.rise(6)
    head.rise(6)
    assert (await anext(watch)).version == 6
    assert source.reads == [0, 5]


def test_a_watch_that_would_have_a_gap_is_refused() -> None:
    for since in (0, 5, 7, 9):
        check_since(since, floor=5, head=9)
    with pytest.raises(OutOfRange, match="deletions up to 5 are no longer remembered; watch again from 0"):
        check_since(4, floor=5, head=9)
    with pytest.raises(OutOfRange, match="the store is at 9"):
        check_since(10, floor=5, head=9)
