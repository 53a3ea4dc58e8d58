"""A state folder with thousands of services and tasks in it, as the API and the controllers would have written them.

One service and one job with a run of 1,000 tasks are really made, by the whole control process on a fake engine; the
others are copies of their documents under names of their own.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from homerun.store.base import Document, Put
from homerun.store.sqlite import SqliteStore
from tests.support.api import BATCH, IMAGES, V2, Api
from tests.support.control import world
from tests.support.loops import run_virtual

TASKS_OF_JOB = 1000
_KINDS = ("Service", "Revision", "Job", "Execution", "Task", "Operation")
_NAME = "prototype"
_WRITES_AT_ONCE = 500
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DAY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")


def populate(state: Path, services: int, tasks: int) -> None:
    """`state`: a new state folder. Every document is in its final state: nothing is under way."""
    state.mkdir(parents=True, exist_ok=True)
    service, job = _made(_deploy), _made(_run_job)
    copies = [(service, f"service-{number:05}") for number in range(services)]
    copies += [(job, f"job-{number:03}") for number in range(tasks // TASKS_OF_JOB)]
    asyncio.run(_write(state / "homerun.db", (put for documents, name in copies for put in _copy(documents, name))))


def _made(make: Callable[[Api], Awaitable[None]]) -> Sequence[Document]:
    """What `make` leaves in the store."""
    found: list[Document] = []

    async def run() -> None:
        async with world(IMAGES) as made:
            await make(Api(made))
            await asyncio.sleep(10)  # until all is settled
            for kind in _KINDS:
                found.extend(await made.store.list(kind))

    run_virtual(run())
    return found


async def _deploy(api: Api) -> None:
    await api.deploy(_NAME)


async def _run_job(api: Api) -> None:
    await api.create_job(_NAME, BATCH, tasks=TASKS_OF_JOB)
    await api.done(await api("POST", f"{V2}/jobs/{_NAME}:run", {}))


def _copy(documents: Sequence[Document], name: str) -> Iterator[Put]:
    """The same under another name, with ids of its own, made in this hour."""
    ids: dict[str, str] = {}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:")

    def other(text: str) -> str:
        text = _UUID.sub(lambda match: ids.setdefault(match[0], str(uuid.uuid4())), text)
        return _DAY.sub(now, text.replace(_NAME, name))

    for document in documents:
        body, internal = (json.loads(other(json.dumps(part))) for part in (document.body, document.internal))
        yield Put(document.kind, other(document.name), body, internal)


async def _write(path: Path, puts: Iterable[Put]) -> None:
    store = await SqliteStore.open(path, synchronous="OFF")
    try:
        waiting: list[Put] = []
        for put in puts:
            waiting.append(put)
            if len(waiting) == _WRITES_AT_ONCE:
                await store.apply(*waiting)
                waiting.clear()
        await store.apply(*waiting)
    finally:
        await store.close()
