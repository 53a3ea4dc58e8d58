"""Google's own Python client, unmodified, over REST and gRPC: services, revisions, policies, operations, errors."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core.exceptions import (
    Aborted,
    AlreadyExists,
    BadRequest,
    Conflict,
    FailedPrecondition,
    GoogleAPICallError,
    InvalidArgument,
    MethodNotImplemented,
    NotFound,
)
from google.cloud import run_v2
from google.iam.v1 import policy_pb2
from google.longrunning.operations_pb2 import Operation, WaitOperationRequest

from tests.clients.conftest import Make
from tests.clients.messages import done, service, violations
from tests.support.api import LOCATION, WEB
from tests.support.server import Server

pytestmark = pytest.mark.sockets

Fresh = Callable[[str], str]


@pytest.fixture
def services(make: Make) -> run_v2.ServicesClient:
    return make(run_v2.ServicesClient)


@pytest.fixture
def deployed(services: run_v2.ServicesClient, fresh: Fresh) -> run_v2.Service:
    return done(services.create_service(parent=LOCATION, service_id=fresh("web"), service=service()))


def test_a_service_from_create_to_delete(services: run_v2.ServicesClient, make: Make, fresh: Fresh) -> None:
    id = fresh("hello")
    name = f"{LOCATION}/services/{id}"
    made = done(services.create_service(parent=LOCATION, service_id=id, service=service()))
    assert made.uri == f"http://{id}-100000000001.us-central1.run.localhost:8080"
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert made.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL
    assert services.get_service(name=name) == made

    made.template.containers[0].env.append(run_v2.EnvVar(name="COLOUR", value="green"))
    changed = done(services.update_service(service=made))
    assert changed.generation == 2
    assert changed.latest_ready_revision != made.latest_ready_revision

    assert name in [s.name for s in services.list_services(parent=LOCATION)]
    revisions = make(run_v2.RevisionsClient)
    assert sorted(len(r.containers[0].env) for r in revisions.list_revisions(parent=name)) == [0, 1]
    assert revisions.get_revision(name=made.latest_ready_revision).containers[0].image.startswith(WEB[:-2])
    done(revisions.delete_revision(name=made.latest_ready_revision))
    assert [r.name for r in revisions.list_revisions(parent=name)] == [changed.latest_ready_revision]
    done(services.delete_service(name=name))
    with pytest.raises(NotFound):
        services.get_service(name=name)


def test_an_update_mask_touches_what_it_names(services: run_v2.ServicesClient, deployed: run_v2.Service) -> None:
    sent = run_v2.Service(name=deployed.name, labels={"team": "a"}, template={"max_instance_request_concurrency": 7})
    mask = {"paths": ["template.max_instance_request_concurrency"]}
    changed = done(services.update_service({"service": sent, "update_mask": mask}))
    assert changed.template.max_instance_request_concurrency == 7
    assert changed.template.containers[0].image == deployed.template.containers[0].image
    assert not changed.labels
    with pytest.raises(BadRequest, match="is no path to a field"):
        services.update_service({"service": sent, "update_mask": {"paths": ["template.nothing"]}})


def test_validate_only_changes_nothing(services: run_v2.ServicesClient, fresh: Fresh) -> None:
    id = fresh("dry")
    request = {"parent": LOCATION, "service_id": id, "service": service(), "validate_only": True}
    assert done(services.create_service(request)).name == f"{LOCATION}/services/{id}"
    with pytest.raises(NotFound):
        services.get_service(name=f"{LOCATION}/services/{id}")


def test_what_is_missing_is_made_if_that_is_allowed(services: run_v2.ServicesClient, fresh: Fresh) -> None:
    wanted = service()
    wanted.name = f"{LOCATION}/services/{fresh('upsert')}"
    with pytest.raises(NotFound):
        services.update_service(service=wanted)
    made = done(services.update_service({"service": wanted, "allow_missing": True}))
    assert made.name == wanted.name


def test_lists_are_paged_behind_the_client_s_back(services: run_v2.ServicesClient, fresh: Fresh) -> None:
    parent = f"projects/homerun/locations/{fresh('paged')}"
    made = [f"{parent}/services/page{index}" for index in range(5)]
    for name in made:
        services.create_service(parent=parent, service_id=name.rpartition("/")[2], service=service())
    listed = services.list_services({"parent": parent, "page_size": 2})
    assert [len(page.services) for page in listed.pages] == [2, 2, 1]
    assert [s.name for s in services.list_services({"parent": parent, "page_size": 2})] == made
    with pytest.raises(BadRequest, match="no token of this list"):
        services.list_services({"parent": LOCATION, "page_token": listed.next_page_token or "bad"})


def test_a_page_of_a_hundred(services: run_v2.ServicesClient, fresh: Fresh) -> None:
    parent = f"projects/homerun/locations/{fresh('many')}"
    for index in range(120):
        services.create_service(parent=parent, service_id=f"s{index:03}", service=service())
    pages = list(services.list_services({"parent": parent}).pages)
    assert [len(page.services) for page in pages] == [100, 20]


def test_policies(services: run_v2.ServicesClient, deployed: run_v2.Service) -> None:
    resource = deployed.name
    policy = services.get_iam_policy({"resource": resource, "options": {"requested_policy_version": 3}})
    policy.bindings.append(policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"]))
    made = services.set_iam_policy({"resource": resource, "policy": policy})
    assert services.get_iam_policy({"resource": resource}) == made
    allowed = services.test_iam_permissions({"resource": resource, "permissions": ["run.services.get"]})
    assert list(allowed.permissions) == ["run.services.get"]
    with pytest.raises(Conflict, match="concurrent policy changes"):
        services.set_iam_policy({"resource": resource, "policy": policy})


def test_operations(services: run_v2.ServicesClient, fresh: Fresh) -> None:
    parent = f"projects/homerun/locations/{fresh('operated')}"
    operation = services.create_service(parent=parent, service_id="op", service=service())
    name = operation.operation.name
    assert operation.metadata.name == f"{parent}/services/op"
    waited = services.wait_operation(WaitOperationRequest(name=name, timeout={"seconds": 20}))
    if isinstance(waited, bytes):  # the client's gRPC transport forgets to decode this answer
        waited = Operation.FromString(waited)
    assert waited.done and waited.response.TypeName() == "google.cloud.run.v2.Service"
    assert services.get_operation({"name": name}) == waited
    assert [o.name for o in services.list_operations({"name": parent}).operations] == [name]
    services.delete_operation({"name": name})
    with pytest.raises(NotFound):
        services.get_operation({"name": name})


def test_a_deploy_that_fails_raises_its_cause(services: run_v2.ServicesClient, fresh: Fresh) -> None:
    broken = service("registry.test/none:1")
    operation = services.create_service(parent=LOCATION, service_id=fresh("broken"), service=broken)
    with pytest.raises(GoogleAPICallError, match="does not exist"):
        done(operation)


def test_refusals_name_the_fields(services: run_v2.ServicesClient, transport: str) -> None:
    bad = service("", timeout={"seconds": 9999})
    with pytest.raises(InvalidArgument if transport == "grpc" else BadRequest) as caught:
        services.create_service(parent=LOCATION, service_id="bad", service=bad)
    found = violations(caught.value)
    assert found.keys() == {"template.containers[0].image", "template.timeout"}
    assert "must be between 1 and 3600" in found["template.timeout"]
    assert (caught.value.reason, caught.value.domain) == ("INVALID_ARGUMENT", "run.googleapis.com")


def test_each_failure_is_raised_as_what_it_is(
    services: run_v2.ServicesClient, deployed: run_v2.Service, make: Make, transport: str
) -> None:
    """REST has a status for a conflict of any kind; gRPC tells them apart."""
    exact = transport == "grpc"
    revisions = make(run_v2.RevisionsClient)
    with pytest.raises(NotFound, match="does not exist"):
        services.get_service(name=f"{LOCATION}/services/none")
    with pytest.raises(AlreadyExists if exact else Conflict, match="already exists"):
        services.create_service(parent=LOCATION, service_id=deployed.name.rpartition("/")[2], service=service())
    with pytest.raises(Aborted if exact else Conflict, match="somebody changed it"):
        services.delete_service({"name": deployed.name, "etag": '"old"'})
    with pytest.raises(FailedPrecondition if exact else BadRequest, match="the latest of its service"):
        revisions.delete_revision(name=deployed.latest_ready_revision)
    with pytest.raises(MethodNotImplemented, match=r"[bB]uilds"):
        make(run_v2.BuildsClient).submit_build(
            {"parent": LOCATION, "image_uri": "x", "storage_source": {"bucket": "b"}}
        )


def test_two_hundred_calls_at_once(services: run_v2.ServicesClient, deployed: run_v2.Service, server: Server) -> None:
    with ThreadPoolExecutor(200) as pool:
        found = list(pool.map(lambda _: services.get_service(name=deployed.name), range(200)))
    assert found == [deployed] * 200
