"""Google's own Python client, unmodified, over REST and gRPC: worker pools and their revisions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import run_v2
from google.iam.v1 import policy_pb2

from tests.clients.conftest import Make
from tests.clients.messages import done, violations, worker_pool
from tests.support.api import FAILING, LOCATION

pytestmark = pytest.mark.sockets

Fresh = Callable[[str], str]


@pytest.fixture
def pools(make: Make) -> run_v2.WorkerPoolsClient:
    return make(run_v2.WorkerPoolsClient)


@pytest.fixture
def deployed(pools: run_v2.WorkerPoolsClient, fresh: Fresh) -> run_v2.WorkerPool:
    made = pools.create_worker_pool(parent=LOCATION, worker_pool_id=fresh("crew"), worker_pool=worker_pool(instances=0))
    return done(made)


def test_a_pool_from_create_to_delete(pools: run_v2.WorkerPoolsClient, make: Make, fresh: Fresh) -> None:
    id = fresh("crew")
    name = f"{LOCATION}/workerPools/{id}"
    made = done(pools.create_worker_pool(parent=LOCATION, worker_pool_id=id, worker_pool=worker_pool(instances=2)))
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert made.scaling.manual_instance_count == 2
    assert [(s.revision, s.percent) for s in made.instance_split_statuses] == [
        (made.latest_ready_revision.rpartition("/")[2], 100)
    ]
    assert pools.get_worker_pool(name=name) == made
    with pytest.raises(Conflict):
        pools.create_worker_pool(parent=LOCATION, worker_pool_id=id, worker_pool=worker_pool(instances=0))

    made.template.containers[0].env.append(run_v2.EnvVar(name="COLOUR", value="green"))
    changed = done(pools.update_worker_pool(worker_pool=made))
    assert changed.latest_ready_revision != made.latest_ready_revision
    assert name in [p.name for p in pools.list_worker_pools(parent=LOCATION)]
    revisions = make(run_v2.RevisionsClient)
    assert sorted(len(r.containers[0].env) for r in revisions.list_revisions(parent=name)) == [0, 1]
    done(revisions.delete_revision(name=made.latest_ready_revision))
    assert revisions.get_revision(name=changed.latest_ready_revision).name == changed.latest_ready_revision
    done(pools.delete_worker_pool(name=name))
    with pytest.raises(NotFound):
        pools.get_worker_pool(name=name)


def test_no_instances_is_a_number(pools: run_v2.WorkerPoolsClient, deployed: run_v2.WorkerPool) -> None:
    for number in (3, 0):
        sent = run_v2.WorkerPool(name=deployed.name, scaling=run_v2.WorkerPoolScaling(manual_instance_count=number))
        mask = {"paths": ["scaling.manual_instance_count"]}
        changed = done(pools.update_worker_pool({"worker_pool": sent, "update_mask": mask}))
        assert "manual_instance_count" in changed.scaling
        assert changed.scaling.manual_instance_count == number
        assert changed.latest_ready_revision == deployed.latest_ready_revision


def test_what_is_missing_is_made_and_a_revision_can_be_forced(pools: run_v2.WorkerPoolsClient, fresh: Fresh) -> None:
    """As `gcloud run worker-pools deploy` asks."""
    wanted = worker_pool(instances=0)
    wanted.name = f"{LOCATION}/workerPools/{fresh('upsert')}"
    request = run_v2.UpdateWorkerPoolRequest(worker_pool=wanted, allow_missing=True, force_new_revision=True)
    first = done(pools.update_worker_pool(request))
    second = done(pools.update_worker_pool(request))
    assert (first.generation, second.generation) == (1, 2)
    assert first.latest_ready_revision != second.latest_ready_revision


def test_instances_are_split(pools: run_v2.WorkerPoolsClient, deployed: run_v2.WorkerPool) -> None:
    by_name = run_v2.InstanceSplitAllocationType.INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION
    latest = run_v2.InstanceSplitAllocationType.INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST
    first = deployed.latest_ready_revision.rpartition("/")[2]
    deployed.instance_splits = [
        run_v2.InstanceSplit(type_=by_name, revision=first, percent=30),
        run_v2.InstanceSplit(type_=latest, percent=70),
    ]
    deployed.template.labels["a"] = "b"
    changed = done(pools.update_worker_pool(worker_pool=deployed))
    assert [(s.type_, s.percent) for s in changed.instance_split_statuses] == [(by_name, 30), (latest, 70)]


def test_refusals_and_failures_say_why(pools: run_v2.WorkerPoolsClient, fresh: Fresh) -> None:
    with pytest.raises(BadRequest) as caught:
        pools.create_worker_pool(parent=LOCATION, worker_pool_id=fresh("bad"), worker_pool=worker_pool("", -1))
    assert set(violations(caught.value)) == {"template.containers[0].image", "scaling.manualInstanceCount"}
    made = pools.create_worker_pool(parent=LOCATION, worker_pool_id=fresh("broken"), worker_pool=worker_pool(FAILING))
    with pytest.raises(GoogleAPICallError, match=r"Container called exit\(3\)"):
        done(made)


def test_policies(pools: run_v2.WorkerPoolsClient, deployed: run_v2.WorkerPool) -> None:
    policy = pools.get_iam_policy({"resource": deployed.name})
    policy.bindings.append(policy_pb2.Binding(role="roles/run.developer", members=["user:a@example.com"]))
    made = pools.set_iam_policy({"resource": deployed.name, "policy": policy})
    assert pools.get_iam_policy({"resource": deployed.name}) == made
    asked = {"resource": deployed.name, "permissions": ["run.workerpools.get"]}
    assert list(pools.test_iam_permissions(asked).permissions) == ["run.workerpools.get"]
