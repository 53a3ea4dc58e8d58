"""Which executions are not over, and what ends them."""

from __future__ import annotations

import pytest

from homerun.store.base import Conflict, Put
from homerun.store.memory import MemoryStore
from homerun.store.running import cancelled, unfinished

JOB = "projects/p/locations/l/jobs/work"
RUNS, OVER, OTHER = f"{JOB}/executions/a", f"{JOB}/executions/b", f"{JOB}-too/executions/c"


async def test_those_of_a_job_that_are_not_over_are_found_and_cancelled_once() -> None:
    store = MemoryStore()
    await store.apply(*(Put("Execution", name, {"name": name}, {"kept": 1}) for name in (RUNS, OVER, OTHER)))
    await store.apply(*(Put("Running", name, {}) for name in (RUNS, OTHER)))
    found = await unfinished(store, JOB)
    assert [execution.name for execution in found] == [RUNS]
    await store.apply(*cancelled(found))
    document = await store.get("Execution", RUNS)
    assert document is not None and document.internal == {"kept": 1, "cancel": True}
    with pytest.raises(Conflict):
        await store.apply(*cancelled(found))
