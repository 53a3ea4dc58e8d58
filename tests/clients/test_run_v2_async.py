"""Google's own asynchronous Python client, unmodified, over gRPC (it has no asynchronous REST)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from google.api_core.exceptions import Aborted, DeadlineExceeded, InvalidArgument, NotFound
from google.cloud import run_v2
from google.iam.v1 import policy_pb2
from google.longrunning.operations_pb2 import WaitOperationRequest

from tests.clients.conftest import Make
from tests.clients.messages import job, service, violations
from tests.support.api import LOCATION, SLOW
from tests.support.server import Server

pytestmark = pytest.mark.sockets


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Make]:
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield lambda client: client(transport=client.get_transport_class("grpc_asyncio")(channel=channel))


async def done(operation) -> object:  # type: ignore[no-untyped-def]
    return await (await operation).result(timeout=20)


async def test_a_service_from_create_to_delete(connect: Make) -> None:
    services, revisions = connect(run_v2.ServicesAsyncClient), connect(run_v2.RevisionsAsyncClient)
    made = await done(services.create_service(parent=LOCATION, service_id="hello", service=service()))
    assert await services.get_service(name=made.name) == made
    stale = run_v2.Service(made)
    made.template.containers[0].env.append(run_v2.EnvVar(name="COLOUR", value="green"))
    assert (await done(services.update_service(service=made))).generation == 2
    with pytest.raises(Aborted):
        await services.update_service(service=stale)
    assert made.name in [s.name async for s in await services.list_services(parent=LOCATION)]
    assert len([r async for r in await revisions.list_revisions({"parent": made.name, "page_size": 1})]) == 2
    await done(services.delete_service(name=made.name))
    with pytest.raises(NotFound):
        await services.get_service(name=made.name)


async def test_a_job_from_create_to_delete(connect: Make) -> None:
    jobs, executions = connect(run_v2.JobsAsyncClient), connect(run_v2.ExecutionsAsyncClient)
    tasks = connect(run_v2.TasksAsyncClient)
    made = await done(jobs.create_job(parent=LOCATION, job_id="work", job=job(tasks=2)))
    execution = await done(jobs.run_job(name=made.name))
    assert execution.succeeded_count == 2
    assert [task.index async for task in await tasks.list_tasks(parent=execution.name)] == [0, 1]
    await done(executions.delete_execution(name=execution.name))
    await done(jobs.delete_job(name=made.name))
    with pytest.raises(NotFound):
        await jobs.get_job(name=made.name)


async def test_a_running_execution_is_cancelled(connect: Make) -> None:
    jobs, executions = connect(run_v2.JobsAsyncClient), connect(run_v2.ExecutionsAsyncClient)
    made = await done(jobs.create_job(parent=LOCATION, job_id="slow", job=job(SLOW)))
    running = await jobs.run_job(name=made.name)
    wait = jobs.wait_operation(WaitOperationRequest(name=running.operation.name), timeout=0.2)
    with pytest.raises(DeadlineExceeded):
        await wait
    assert (await done(executions.cancel_execution(name=running.metadata.name))).cancelled_count == 1


async def test_policies_and_operations(connect: Make) -> None:
    services = connect(run_v2.ServicesAsyncClient)
    operation = await services.create_service(parent=LOCATION, service_id="guarded", service=service())
    name = (await operation.result(timeout=20)).name
    policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"])])
    stored = await services.set_iam_policy({"resource": name, "policy": policy})
    assert await services.get_iam_policy({"resource": name}) == stored
    allowed = await services.test_iam_permissions({"resource": name, "permissions": ["run.services.get"]})
    assert list(allowed.permissions) == ["run.services.get"]
    id = operation.operation.name
    assert (await services.get_operation({"name": id})).done
    assert id in [o.name for o in (await services.list_operations({"name": LOCATION})).operations]
    await services.delete_operation({"name": id})
    with pytest.raises(NotFound):
        await services.get_operation({"name": id})


async def test_refusals_name_the_fields(connect: Make) -> None:
    services = connect(run_v2.ServicesAsyncClient)
    with pytest.raises(InvalidArgument) as caught:
        await services.create_service(parent=LOCATION, service_id="bad", service=service(""))
    assert violations(caught.value).keys() == {"template.containers[0].image"}


async def test_two_hundred_calls_at_once(connect: Make) -> None:
    services = connect(run_v2.ServicesAsyncClient)
    made = await done(services.create_service(parent=LOCATION, service_id="busy", service=service()))
    assert await asyncio.gather(*[services.get_service(name=made.name) for _ in range(200)]) == [made] * 200
