"""Google's own Python client for Cloud Run, unmodified, over REST.

The set-up is one line: `client_options={"api_endpoint": "http://127.0.0.1:8787"}` and anonymous credentials.
"""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import Aborted, BadRequest, Conflict, GoogleAPICallError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.iam.v1 import policy_pb2

from tests.clients.conftest import Server
from tests.support.api import BATCH, FAILING, LOCATION, SLOW, WEB

pytestmark = pytest.mark.sockets


@pytest.fixture
def options(server: Server) -> dict[str, Any]:
    return {
        "transport": "rest",
        "credentials": AnonymousCredentials(),
        "client_options": {"api_endpoint": server.url},
    }


@pytest.fixture
def services(options: dict[str, Any]) -> run_v2.ServicesClient:
    return run_v2.ServicesClient(**options)


@pytest.fixture
def jobs(options: dict[str, Any]) -> run_v2.JobsClient:
    return run_v2.JobsClient(**options)


def service(image: str = WEB, **template: Any) -> run_v2.Service:
    return run_v2.Service(
        ingress=run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL,
        template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)], **template),
    )


def job(image: str = BATCH, tasks: int = 1, **task: Any) -> run_v2.Job:
    template = run_v2.TaskTemplate(containers=[run_v2.Container(image=image)], **task)
    return run_v2.Job(template=run_v2.ExecutionTemplate(task_count=tasks, template=template))


def test_services(services: run_v2.ServicesClient, options: dict[str, Any]) -> None:
    name = f"{LOCATION}/services/hello"
    made = services.create_service(parent=LOCATION, service_id="hello", service=service()).result(timeout=20)
    assert made.uri == "http://hello-100000000001.us-central1.run.localhost:8080"
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert made.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL
    assert services.get_service(name=name) == made
    with pytest.raises(Conflict):
        services.create_service(parent=LOCATION, service_id="hello", service=service())

    made.template.containers[0].env.append(run_v2.EnvVar(name="COLOUR", value="green"))
    changed = services.update_service(service=made).result(timeout=20)
    assert changed.generation == 2
    assert changed.latest_ready_revision != made.latest_ready_revision
    with pytest.raises((Aborted, Conflict)):
        services.update_service(service=made)

    assert name in [s.name for s in services.list_services(parent=LOCATION)]
    revisions = run_v2.RevisionsClient(**options)
    assert [len(r.containers[0].env) for r in revisions.list_revisions(parent=name)] == [0, 1]
    services.delete_service(name=name).result(timeout=20)
    with pytest.raises(NotFound):
        services.get_service(name=name)


def test_lists_are_paged_behind_the_client_s_back(services: run_v2.ServicesClient) -> None:
    for index in range(5):
        services.create_service(parent=LOCATION, service_id=f"page{index}", service=service())
    listed = services.list_services({"parent": LOCATION, "page_size": 2})
    assert [s.name[-5:] for s in listed if "page" in s.name] == [f"page{index}" for index in range(5)]
    for index in range(5):
        services.delete_service(name=f"{LOCATION}/services/page{index}").result(timeout=20)


def test_refusals_name_the_fields(services: run_v2.ServicesClient) -> None:
    with pytest.raises(BadRequest) as caught:
        services.create_service(parent=LOCATION, service_id="bad", service=service("", timeout={"seconds": 9999}))
    violations = [v for d in caught.value.details for v in d.get("fieldViolations", ())]
    assert {v["field"] for v in violations} == {"template.containers[0].image", "template.timeout"}


def test_a_deploy_that_fails_raises_its_cause(services: run_v2.ServicesClient) -> None:
    operation = services.create_service(parent=LOCATION, service_id="broken", service=service("registry.test/none:1"))
    with pytest.raises(GoogleAPICallError, match="does not exist"):
        operation.result(timeout=20)


def test_policies(services: run_v2.ServicesClient) -> None:
    services.create_service(parent=LOCATION, service_id="guarded", service=service()).result(timeout=20)
    resource = f"{LOCATION}/services/guarded"
    policy = services.get_iam_policy({"resource": resource})
    policy.bindings.append(policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"]))
    made = services.set_iam_policy({"resource": resource, "policy": policy})
    assert services.get_iam_policy({"resource": resource}) == made
    allowed = services.test_iam_permissions({"resource": resource, "permissions": ["run.services.get"]})
    assert list(allowed.permissions) == ["run.services.get"]


def test_jobs(jobs: run_v2.JobsClient, options: dict[str, Any]) -> None:
    name = f"{LOCATION}/jobs/work"
    made = jobs.create_job(parent=LOCATION, job_id="work", job=job(tasks=3, max_retries=0)).result(timeout=20)
    assert made.template.template.max_retries == 0
    execution = jobs.run_job(name=name).result(timeout=20)
    assert (execution.succeeded_count, execution.task_count) == (3, 3)
    executions, tasks = run_v2.ExecutionsClient(**options), run_v2.TasksClient(**options)
    assert [e.name for e in executions.list_executions(parent=name)] == [execution.name]
    assert [task.index for task in tasks.list_tasks(parent=execution.name)] == [0, 1, 2]
    overrides = run_v2.RunJobRequest.Overrides(task_count=1)
    assert jobs.run_job(run_v2.RunJobRequest(name=name, overrides=overrides)).result(timeout=20).task_count == 1
    executions.delete_execution(name=execution.name).result(timeout=20)
    jobs.delete_job(name=name).result(timeout=20)
    assert name not in [j.name for j in jobs.list_jobs(parent=LOCATION)]


def test_executions_that_do_not_end_well(jobs: run_v2.JobsClient, options: dict[str, Any]) -> None:
    jobs.create_job(parent=LOCATION, job_id="bad", job=job(FAILING, max_retries=0)).result(timeout=20)
    with pytest.raises(GoogleAPICallError, match="exit code 3"):
        jobs.run_job(name=f"{LOCATION}/jobs/bad").result(timeout=20)
    jobs.create_job(parent=LOCATION, job_id="slow", job=job(SLOW)).result(timeout=20)
    running = jobs.run_job(name=f"{LOCATION}/jobs/slow")
    executions = run_v2.ExecutionsClient(**options)
    cancelled = executions.cancel_execution(name=running.metadata.name).result(timeout=20)
    assert cancelled.cancelled_count == 1
    with pytest.raises(GoogleAPICallError, match="cancelled"):
        running.result(timeout=20)


def test_operations(services: run_v2.ServicesClient) -> None:
    operation = services.create_service(parent=LOCATION, service_id="op", service=service())
    operation.result(timeout=20)
    name = operation.operation.name
    assert services.get_operation({"name": name}).done
    assert name in [o.name for o in services.list_operations({"name": LOCATION}).operations]
    services.delete_operation({"name": name})
    with pytest.raises(NotFound):
        services.get_operation({"name": name})
