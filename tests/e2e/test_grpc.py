"""Google's Python client over gRPC against a real homerun: real containers, and kill -9."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import run_v2
from google.iam.v1 import policy_pb2

from tests.support.daemon import LOCATION, Daemon

pytestmark = pytest.mark.host


@pytest.fixture
def channel(daemon: Daemon) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{daemon.api_port}") as channel:
        yield channel


def connected(client: Any, channel: grpc.Channel) -> Any:
    return client(transport=client.get_transport_class("grpc")(channel=channel))


def test_a_service_answers_and_goes(daemon: Daemon, channel: grpc.Channel, app: str) -> None:
    services = connected(run_v2.ServicesClient, channel)
    wanted = run_v2.Service(template={"containers": [{"image": app}]})
    made = services.create_service(parent=LOCATION, service_id="hello", service=wanted).result(timeout=60)
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert daemon.get("hello")[0] == 403, "nobody may call it yet"
    everybody = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"])])
    services.set_iam_policy({"resource": made.name, "policy": everybody})
    daemon.until(lambda: daemon.get("hello")[0] == 200)
    services.delete_service(name=made.name).result(timeout=60)
    with pytest.raises(NotFound):
        services.get_service(name=made.name)


def test_a_job_runs_and_says_why_it_failed(channel: grpc.Channel, app: str) -> None:
    jobs, tasks = connected(run_v2.JobsClient, channel), connected(run_v2.TasksClient, channel)
    container = {"image": app, "command": ["/app"], "args": ["exit", "0"]}
    wanted = run_v2.Job(template={"task_count": 3, "template": {"containers": [container], "max_retries": 0}})
    made = jobs.create_job(parent=LOCATION, job_id="work", job=wanted).result(timeout=60)
    execution = jobs.run_job(name=made.name).result(timeout=60)
    assert execution.succeeded_count == 3
    assert [task.index for task in tasks.list_tasks(parent=execution.name)] == [0, 1, 2]
    overrides = {"container_overrides": [{"args": ["exit", "7"]}]}
    with pytest.raises(GoogleAPICallError, match="exit code 7"):
        jobs.run_job({"name": made.name, "overrides": overrides}).result(timeout=60)


def test_a_client_survives_kill_9_of_control(folder: Path, app: str) -> None:
    """Its channel connects again by itself, and the operation is still there."""
    with Daemon(folder / "again") as daemon, grpc.insecure_channel(f"127.0.0.1:{daemon.api_port}") as channel:
        jobs = connected(run_v2.JobsClient, channel)
        container = {"image": app, "command": ["/app"], "args": ["sleep", "3"]}
        wanted = run_v2.Job(template={"template": {"containers": [container], "max_retries": 0}})
        made = jobs.create_job(parent=LOCATION, job_id="long", job=wanted).result(timeout=60)
        running = jobs.run_job(name=made.name)
        daemon.kill("control")
        assert running.result(timeout=60).succeeded_count == 1
