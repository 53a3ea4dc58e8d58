"""Messages to requests and answers to messages."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import run_v2
from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest, SetIamPolicyRequest
from google.longrunning.operations_pb2 import ListOperationsRequest, Operation, WaitOperationRequest
from google.protobuf.empty_pb2 import Empty

from homerun.lib.errors import Invalid
from homerun.wire.catalog import Rpc, catalog
from homerun.wire.transcode import Request, answer, request

L = "projects/p/locations/l"


def rpc(name: str) -> Rpc:
    """`Services/GetService`, `Operations/WaitOperation`."""
    return next(rpc for path, rpc in catalog().items() if path.endswith(f".{name}"))


def transcoded(name: str, message: Any) -> Request:
    return request(rpc(name), type(message).pb(message).SerializeToString())


def bare(name: str, message: Any) -> Request:
    return request(rpc(name), message.SerializeToString())


def refused(name: str, message: Any) -> Invalid:
    with pytest.raises(Invalid) as caught:
        transcoded(name, message)
    return caught.value


def test_a_resource_is_the_body_the_rest_is_the_query() -> None:
    service = run_v2.Service(template={"timeout": {"seconds": 3}}, labels={"a": "b"})
    sent = transcoded(
        "Services/CreateService",
        run_v2.CreateServiceRequest(parent=L, service_id="x", validate_only=True, service=service),
    )
    assert sent.method.id == "run.projects.locations.services.create"
    assert sent.variables == {"projectsId": "p", "locationsId": "l"}
    assert sent.query == {"serviceId": "x", "validateOnly": "true"}
    assert sent.body == {"template": {"timeout": "3s"}, "labels": {"a": "b"}}


def test_the_name_may_be_in_the_resource() -> None:
    message = run_v2.UpdateServiceRequest(service={"name": f"{L}/services/x", "etag": "1"}, allow_missing=True)
    sent = transcoded("Services/UpdateService", message)
    assert sent.variables["servicesId"] == "x"
    assert sent.query == {"allowMissing": "true"}
    assert sent.body == {"name": f"{L}/services/x", "etag": "1"}


def test_masks_come_as_they_are() -> None:
    paths = ["template.max_instance_request_concurrency", "labels", "template.vpcAccess", "odd-path"]
    message = run_v2.UpdateServiceRequest(service={"name": f"{L}/services/x"}, update_mask={"paths": paths})
    assert transcoded("Services/UpdateService", message).query == {"updateMask": ",".join(paths)}


def test_a_request_may_be_the_body_but_for_the_name() -> None:
    message = run_v2.RunJobRequest(name=f"{L}/jobs/j", etag="1", overrides={"task_count": 2})
    sent = transcoded("Jobs/RunJob", message)
    assert (sent.method.id, sent.query) == ("run.projects.locations.jobs.run", {})
    assert sent.body == {"etag": "1", "overrides": {"taskCount": 2}}
    wait = WaitOperationRequest(name=f"{L}/operations/o", timeout={"seconds": 3})  # type: ignore[arg-type]
    assert bare("Operations/WaitOperation", wait).body == {"timeout": "3s"}


def test_a_nested_field_of_a_query_has_a_path() -> None:
    asked = GetIamPolicyRequest(resource=f"{L}/services/s", options={"requested_policy_version": 3})
    assert bare("Services/GetIamPolicy", asked).query == {"options.requestedPolicyVersion": "3"}
    assert bare("Operations/ListOperations", ListOperationsRequest(name=L, page_size=2)).query == {"pageSize": "2"}


def test_bytes_are_base64_as_in_json() -> None:
    sent = bare("Services/SetIamPolicy", SetIamPolicyRequest(resource=f"{L}/services/s", policy={"etag": b"123"}))
    assert sent.body == {"policy": {"etag": "MTIz"}}


def test_what_is_zero_is_absent_unless_presence_counts() -> None:
    message = run_v2.CreateJobRequest(
        parent=L, job_id="j", job={"template": {"task_count": 0, "template": {"max_retries": 0}}}
    )
    assert transcoded("Jobs/CreateJob", message).body == {"template": {"template": {"maxRetries": 0}}}


def test_the_parent_says_which_method_is_meant() -> None:
    for parent, id in ((f"{L}/services/s", "services"), (f"{L}/workerPools/w", "workerPools")):
        sent = transcoded("Revisions/ListRevisions", run_v2.ListRevisionsRequest(parent=parent))
        assert sent.method.id == f"run.projects.locations.{id}.revisions.list"


@pytest.mark.parametrize("name", ["", "x", f"{L}/jobs/x", f"{L}/services/", f"{L}/services/x:getIamPolicy", "ü/%2F"])
def test_a_name_that_names_nothing_of_the_kind_is_refused_with_the_right_form(name: str) -> None:
    error = refused("Services/GetService", run_v2.GetServiceRequest(name=name))
    assert error.violations[0].field == "name"
    assert "must have the form projects/*/locations/*/services/*" in error.message


def test_a_refused_name_is_named_where_it_is() -> None:
    assert refused("Services/UpdateService", run_v2.UpdateServiceRequest()).violations[0].field == "service.name"
    error = refused("Revisions/ListRevisions", run_v2.ListRevisionsRequest(parent=L))
    assert "projects/*/locations/*/services/* or projects/*/locations/*/workerPools/*" in error.message


@pytest.mark.parametrize("data", [b"\xff\xff", b"\n\x05ab", b"\n\x02\xff\xfe"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid, match=r"no valid google\.cloud\.run\.v2\.GetServiceRequest"):
        request(rpc("Services/GetService"), data)


def test_a_duration_that_is_none_is_refused() -> None:
    wait = WaitOperationRequest(name=f"{L}/operations/o", timeout={"seconds": 3, "nanos": -5})  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="no valid value"):
        bare("Operations/WaitOperation", wait)


def test_an_answer_is_the_message_with_what_google_s_package_knows_of_it() -> None:
    made = answer(rpc("Services/GetService"), {"name": "n", "generation": "7", "ingress": "X_NEW", "ours": [1]})
    service = run_v2.Service.deserialize(made)
    assert (service.name, service.generation, service.ingress) == ("n", 7, 0)
    assert answer(rpc("Operations/DeleteOperation"), {}) == Empty().SerializeToString()


def test_an_operation_s_resource_and_error_are_typed() -> None:
    service = {"@type": "type.googleapis.com/google.cloud.run.v2.Service", "name": "n"}
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R"}
    failed = {"name": "o", "metadata": service, "done": True, "error": {"code": 9, "details": [info]}}
    operation = Operation.FromString(answer(rpc("Services/CreateService"), failed))
    unpacked = run_v2.Service.pb()()
    assert operation.metadata.Unpack(unpacked) and unpacked.name == "n"
    assert (operation.error.code, operation.error.details[0].TypeName()) == (9, "google.rpc.ErrorInfo")
