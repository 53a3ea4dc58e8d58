"""Google's own Python client, unmodified, over REST and gRPC: worker pools."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import run_v2
from google.iam.v1 import policy_pb2

from tests.clients.conftest import Make
from tests.clients.messages import done, violations, worker_pool
from tests.support.api import LOCATION

pytestmark = pytest.mark.sockets

Fresh = Callable[[str], str]


@pytest.fixture
def pools(make: Make) -> run_v2.WorkerPoolsClient:
    return make(run_v2.WorkerPoolsClient)


def test_a_worker_pool_from_create_to_delete(pools: run_v2.WorkerPoolsClient, make: Make, fresh: Fresh) -> None:
    id = fresh("pool")
    name = f"{LOCATION}/workerPools/{id}"
    made = pools.create_worker_pool(parent=LOCATION, worker_pool_id=id, worker_pool=worker_pool(instances=2)).result(
        timeout=20
    )
    assert made.scaling.manual_instance_count == 2
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert pools.get_worker_pool(name=name) == made

    made.template.containers[0].env.append(run_v2.EnvVar(name="COLOUR", value="green"))
    changed = done(pools.update_worker_pool(worker_pool=made))
    assert changed.latest_ready_revision != made.latest_ready_revision
    again = done(pools.update_worker_pool({"worker_pool": changed, "force_new_revision": True}))
    assert again.latest_ready_revision != changed.latest_ready_revision

    revisions = make(run_v2.RevisionsClient)
    assert len(list(revisions.list_revisions(parent=name))) == 3
    done(revisions.delete_revision(name=made.latest_ready_revision))
    assert made.latest_ready_revision not in [r.name for r in revisions.list_revisions(parent=name)]
    assert name in [p.name for p in pools.list_worker_pools(parent=LOCATION)]
    done(pools.delete_worker_pool(name=name))
    with pytest.raises(NotFound):
        pools.get_worker_pool(name=name)


def test_refusals_name_the_fields(pools: run_v2.WorkerPoolsClient) -> None:
    with pytest.raises(BadRequest) as caught:
        pools.create_worker_pool(parent=LOCATION, worker_pool_id="bad", worker_pool=worker_pool(""))
    assert violations(caught.value).keys() == {"template.containers[0].image"}


def test_policies(pools: run_v2.WorkerPoolsClient, fresh: Fresh) -> None:
    id = fresh("guarded")
    pools.create_worker_pool(parent=LOCATION, worker_pool_id=id, worker_pool=worker_pool())
    resource = f"{LOCATION}/workerPools/{id}"
    policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/run.viewer", members=["user:a@example.com"])])
    stored = pools.set_iam_policy({"resource": resource, "policy": policy})
    assert pools.get_iam_policy({"resource": resource}) == stored
    allowed = pools.test_iam_permissions({"resource": resource, "permissions": ["run.workerpools.get"]})
    assert list(allowed.permissions) == ["run.workerpools.get"]
