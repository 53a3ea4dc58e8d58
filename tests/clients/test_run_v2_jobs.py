"""Google's own Python client, unmodified, over REST and gRPC: jobs, executions, tasks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import run_v2
from google.iam.v1 import policy_pb2

from tests.clients.conftest import Make
from tests.clients.messages import done, job
from tests.support.api import FAILING, LOCATION, SLOW

pytestmark = pytest.mark.sockets

Fresh = Callable[[str], str]


@pytest.fixture
def jobs(make: Make) -> run_v2.JobsClient:
    return make(run_v2.JobsClient)


def test_a_job_from_create_to_delete(jobs: run_v2.JobsClient, make: Make, fresh: Fresh) -> None:
    id = fresh("work")
    name = f"{LOCATION}/jobs/{id}"
    made = done(jobs.create_job(parent=LOCATION, job_id=id, job=job(tasks=3, max_retries=0)))
    assert made.template.template.max_retries == 0, "zero is not absent where the schema says so"
    made.template.task_count = 2
    assert done(jobs.update_job(job=made)).template.task_count == 2
    assert jobs.get_job(name=name).generation == 2

    execution = done(jobs.run_job(name=name))
    assert (execution.succeeded_count, execution.task_count) == (2, 2)
    executions, tasks = make(run_v2.ExecutionsClient), make(run_v2.TasksClient)
    assert [e.name for e in executions.list_executions(parent=name)] == [execution.name]
    assert executions.get_execution(name=execution.name).completion_time
    listed = list(tasks.list_tasks(parent=execution.name))
    assert [task.index for task in listed] == [0, 1]
    assert tasks.get_task(name=listed[1].name) == listed[1]
    assert len(list(executions.list_executions(parent=f"{LOCATION}/jobs/-"))) >= 1

    done(executions.delete_execution(name=execution.name))
    done(jobs.delete_job(name=name))
    assert name not in [j.name for j in jobs.list_jobs(parent=LOCATION)]
    with pytest.raises(NotFound):
        jobs.run_job(name=name)


def test_overrides_hold_for_one_run(jobs: run_v2.JobsClient, fresh: Fresh) -> None:
    made = done(jobs.create_job(parent=LOCATION, job_id=fresh("over"), job=job(tasks=3)))
    overrides = run_v2.RunJobRequest.Overrides(
        task_count=1,
        timeout={"seconds": 30},
        container_overrides=[{"args": ["a"], "env": [{"name": "A", "value": "1"}]}],
    )
    execution = done(jobs.run_job(run_v2.RunJobRequest(name=made.name, overrides=overrides)))
    container = execution.template.containers[0]
    assert (execution.task_count, list(container.args), container.env[0].value) == (1, ["a"], "1")
    assert execution.template.timeout.total_seconds() == 30
    assert jobs.get_job(name=made.name).template.task_count == 3


def test_executions_that_do_not_end_well(jobs: run_v2.JobsClient, make: Make, fresh: Fresh) -> None:
    bad = done(jobs.create_job(parent=LOCATION, job_id=fresh("bad"), job=job(FAILING, max_retries=0)))
    with pytest.raises(GoogleAPICallError, match="exit code 3"):
        done(jobs.run_job(name=bad.name))
    slow = done(jobs.create_job(parent=LOCATION, job_id=fresh("slow"), job=job(SLOW)))
    running = jobs.run_job(name=slow.name)
    cancelled = done(make(run_v2.ExecutionsClient).cancel_execution(name=running.metadata.name))
    assert cancelled.cancelled_count == 1
    with pytest.raises(GoogleAPICallError, match="cancelled"):
        done(running)


def test_policies(jobs: run_v2.JobsClient, fresh: Fresh) -> None:
    made = done(jobs.create_job(parent=LOCATION, job_id=fresh("guarded"), job=job()))
    policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/run.invoker", members=["user:a@example.com"])])
    stored = jobs.set_iam_policy({"resource": made.name, "policy": policy})
    assert jobs.get_iam_policy({"resource": made.name}) == stored
    allowed = jobs.test_iam_permissions({"resource": made.name, "permissions": ["run.jobs.run"]})
    assert list(allowed.permissions) == ["run.jobs.run"]
