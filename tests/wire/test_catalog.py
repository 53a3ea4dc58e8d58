"""The RPCs are those of Google's packages, joined with those of its descriptions."""

from google.cloud.run_v2 import CreateServiceRequest
from google.iam.v1.policy_pb2 import Policy

from homerun.wire.catalog import catalog
from homerun.wire.discovery import description

RUN = "/google.cloud.run.v2."


def ids(path: str) -> list[str]:
    return [method.id.removeprefix("run.projects.locations.") for method in catalog()[path].methods]


def test_each_rpc_knows_its_messages_and_its_method() -> None:
    rpc = catalog()[f"{RUN}Services/CreateService"]
    assert rpc.request is CreateServiceRequest.pb()
    assert rpc.response.DESCRIPTOR.full_name == "google.longrunning.Operation"
    assert rpc.body == "service"
    assert rpc.name == "google.cloud.run.v2.Services.CreateService"
    assert ids(rpc.path) == ["services.create"]


def test_names_that_differ_between_the_two() -> None:
    assert ids(f"{RUN}Jobs/UpdateJob") == ["jobs.patch"]
    assert ids(f"{RUN}WorkerPools/UpdateWorkerPool") == ["workerPools.patch"]
    assert ids(f"{RUN}Services/GetIamPolicy") == ["services.getIamPolicy"]
    assert catalog()[f"{RUN}Services/GetIamPolicy"].response is Policy


def test_one_rpc_is_two_methods_where_the_parent_may_be_of_two_kinds() -> None:
    assert ids(f"{RUN}Revisions/ListRevisions") == ["services.revisions.list", "workerPools.revisions.list"]


def test_services_that_every_api_has() -> None:
    operations = "/google.longrunning.Operations/"
    assert ids(f"{operations}WaitOperation") == ["operations.wait"]
    assert catalog()[f"{operations}WaitOperation"].body == "*"
    assert ids(f"{operations}CancelOperation") == []
    assert ids("/google.cloud.location.Locations/ListLocations") == ["list"]


def test_every_method_of_the_description_is_an_rpc_unless_the_client_has_none() -> None:
    reached = {method.id for rpc in catalog().values() for method in rpc.methods}
    missing = description("run.v2").methods.keys() - reached
    assert {id.rpartition(".")[2] for id in missing if ".instances." not in id} == {
        "exportImage",
        "exportImageMetadata",
        "exportMetadata",
        "exportProjectMetadata",
        "exportStatus",
        "upload",
    }


def test_every_rpc_of_the_run_api_is_a_method_of_the_description() -> None:
    assert [rpc.path for rpc in catalog().values() if rpc.path.startswith(RUN) and not rpc.methods] == []


def test_the_rpcs_of_cloud_logging() -> None:
    found = {path.rpartition("/")[2]: rpc for path, rpc in catalog().items() if ".LoggingServiceV2/" in path}
    assert {name: [method.id.removeprefix("logging.") for method in rpc.methods] for name, rpc in found.items()} == {
        "DeleteLog": ["projects.logs.delete"],
        "ListLogEntries": ["entries.list"],
        "ListLogs": ["projects.logs.list"],
        "ListMonitoredResourceDescriptors": ["monitoredResourceDescriptors.list"],
        "TailLogEntries": ["entries.tail"],
        "WriteLogEntries": ["entries.write"],
    }
