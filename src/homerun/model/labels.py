"""Labels of an instance: what it is for. The engine hands them back with the instance and with each of its log lines.

Values are full resource names, so that logs can be asked for by service, worker pool, revision, job, execution or task.
"""

from __future__ import annotations

from collections.abc import Mapping

from homerun.model.execution import ExecutionSpec
from homerun.model.names import Name
from homerun.model.revision import RevisionSpec
from homerun.model.worker_pool import WorkerSpec

SERVICE, WORKER_POOL, REVISION = "service", "worker_pool", "revision"
JOB, EXECUTION, TASK, ATTEMPT = "job", "execution", "task", "attempt"
INSTANCE = "instance"
ACCOUNT = "service_account"
"""Its service account's address: whose tokens it gets."""

_OWNERS = (SERVICE, JOB, WORKER_POOL)


def owner(labels: Mapping[str, str]) -> Name | None:
    """The service, job or worker pool that an instance with these labels belongs to."""
    found = next((labels[label] for label in _OWNERS if labels.get(label)), None)
    return None if found is None else Name.parse(found)


def of_revision(spec: RevisionSpec, instance: str) -> dict[str, str]:
    return {SERVICE: spec.service, REVISION: spec.name, INSTANCE: instance, ACCOUNT: spec.service_account}


def of_worker(spec: WorkerSpec, instance: str) -> dict[str, str]:
    return {WORKER_POOL: spec.pool, REVISION: spec.name, INSTANCE: instance, ACCOUNT: spec.service_account}


def of_attempt(spec: ExecutionSpec, index: int, attempt: int, instance: str) -> dict[str, str]:
    """`task` is the index, as the log label `run.googleapis.com/task_index` has it (contract §1.13)."""
    return {
        JOB: spec.job,
        EXECUTION: spec.name,
        TASK: str(index),
        ATTEMPT: str(attempt),
        INSTANCE: instance,
        ACCOUNT: spec.service_account,
    }
