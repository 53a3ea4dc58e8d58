"""Worlds in one line: documents as the API would store them."""

from __future__ import annotations

from typing import Any

from homerun.lib import ids
from homerun.store.base import Put

LOCATION = "projects/p/locations/r"
IMAGE = "registry.test/hello:1"


def service_put(name: str = "hello", image: str = IMAGE, generation: int = 1, **template: Any) -> Put:
    """A service that was just created (or updated, for higher generations), with an operation that waits for it."""
    full = f"{LOCATION}/services/{name}"
    body = {
        "name": full,
        "uid": f"uid-{name}",
        "generation": str(generation),
        "createTime": "2026-01-01T00:00:00.000000Z",
        "uri": f"http://{name}-1.r.run.localhost:8080",
        "urls": [f"http://{name}-1.r.run.localhost:8080"],
        "template": {"containers": [{"image": image}], **template},
        "reconciling": True,
    }
    operation = {"name": operation_name(name, generation), "generation": generation, "verb": "create"}
    return Put("Service", full, body, {"etag": "1", "operations": [operation]})


def pool_put(name: str = "crew", image: str = IMAGE, generation: int = 1, instances: int = 1, **fields: Any) -> Put:
    """A worker pool that was just created (or updated), with an operation that waits for it."""
    full = f"{LOCATION}/workerPools/{name}"
    body = {
        "name": full,
        "uid": f"uid-{name}",
        "generation": str(generation),
        "createTime": "2026-01-01T00:00:00.000000Z",
        "template": {"containers": [{"image": image}]},
        "scaling": {"manualInstanceCount": instances},
        "reconciling": True,
        **fields,
    }
    operation = {"name": operation_name(name, generation), "generation": generation, "verb": "create"}
    return Put("WorkerPool", full, body, {"etag": "1", "operations": [operation]})


def operation_name(resource: str, generation: int = 1) -> str:
    return f"{LOCATION}/operations/{resource}-{generation}"


def operation_put(resource: str, generation: int = 1) -> Put:
    name = operation_name(resource, generation)
    return Put("Operation", name, {"name": name, "done": False}, {"target": resource})


def job_put(name: str = "work", image: str = IMAGE) -> Put:
    full = f"{LOCATION}/jobs/{name}"
    body = {
        "name": full,
        "uid": f"uid-{name}",
        "generation": "1",
        "template": {"taskCount": 1, "template": {"containers": [{"image": image}]}},
        "latestCreatedExecution": {"name": f"{full}/executions/{name}-abcde"},
    }
    return Put("Job", full, body, {"etag": "1", "operations": []})


def execution_put(
    job: str = "work", pinned: str = IMAGE, tasks: int = 1, parallelism: int = 0, verb: str = "run", **template: Any
) -> Put:
    full = f"{LOCATION}/jobs/{job}/executions/{job}-abcde"
    body = {
        "name": full,
        "uid": ids.uid(),
        "generation": "1",
        "job": job,
        "taskCount": tasks,
        "parallelism": parallelism,
        "template": {"containers": [{"image": IMAGE}], **template},
        "reconciling": True,
    }
    operation = {"name": operation_name(job), "generation": 1, "verb": verb}
    return Put("Execution", full, body, {"operations": [operation], "digests": [pinned]})
