"""What is over is forgotten in time, and nothing else."""

from typing import Any

import pytest

from homerun.controllers import janitor
from homerun.controllers.burial import buried
from homerun.controllers.janitor import Janitor
from homerun.lib.timestamps import to_rfc3339
from homerun.store.base import Document, Put
from homerun.store.memory import MemoryStore
from tests.support.builders import LOCATION
from tests.support.clock import LoopClock

pytestmark = pytest.mark.looptime


def operation(number: int, *, done: bool = True) -> Put:
    return Put("Operation", f"{LOCATION}/operations/{number}", {"done": done})


async def left(store: MemoryStore, kind: str = "Operation") -> list[str]:
    return [document.name.rpartition("/")[2] for document in await store.list(kind)]


async def test_the_oldest_finished_operations_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(janitor.KEEP, "Operation", 3)
    monkeypatch.setattr(janitor, "BATCH", 2)
    monkeypatch.setattr("homerun.store.walk.PAGE", 2)
    store = MemoryStore()
    await store.apply(operation(5, done=False), *(operation(number) for number in (9, 1, 8, 2, 7)))
    await Janitor(store, LoopClock()).reconcile("Operation")
    assert await left(store) == ["2", "5", "7", "8"], "unfinished ones stay, and do not count"


async def test_what_was_deleted_is_forgotten_when_it_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(janitor.KEEP, "DeletedService", 2)
    store, clock = MemoryStore(), LoopClock()
    now = clock.now()
    for number, expires in enumerate((now - 1, now + 1, now + 2, now + 3)):
        body: dict[str, Any] = {"uid": str(number), "deleteTime": to_rfc3339(now), "expireTime": to_rfc3339(expires)}
        await store.apply(buried(Document("Service", f"{LOCATION}/services/s", 1, body)))
    await Janitor(store, clock).reconcile("DeletedService")
    assert await left(store, "DeletedService") == ["2", "3"]


def test_it_looks_after_all_kinds_at_the_start_and_now_and_then() -> None:
    keeper = Janitor(MemoryStore(), LoopClock())
    change = Document("Operation", "o", 1, {})
    asked = [bool(keeper.keys(change)) for _ in range(2 * janitor.EVERY)]
    assert [index for index, due in enumerate(asked) if due] == [0, janitor.EVERY]


def test_a_resource_is_buried_under_its_name_and_uid() -> None:
    body = {"uid": "u", "deleteTime": "2026-01-01T00:00:00Z", "reconciling": True}
    put = buried(Document("Job", f"{LOCATION}/jobs/j", 1, body, {"etag": "e", "operations": [1]}))
    assert (put.kind, put.name, put.internal) == ("DeletedJob", f"{LOCATION}/jobs/j/u", {"etag": "e"})
    assert put.body["reconciling"] is False
