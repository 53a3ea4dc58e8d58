import json
from pathlib import Path
from typing import Any

import pytest

from homerun.cli.errors import ApiError
from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

SERVICE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: hello
  annotations:
    since: 2026-12-01
spec:
  template:
    spec:
      containers:
      - image: registry.example.com/hello:1
"""
JOB = "apiVersion: run.googleapis.com/v1\nkind: Job\nmetadata: {name: nightly}\nspec: {template: {spec: {}}}\n"
POOL = "apiVersion: run.googleapis.com/v1\nkind: WorkerPool\nmetadata: {name: crew}\nspec: {}\n"
V1 = "/apis/serving.knative.dev/v1/namespaces/p/services"
V2 = "/v2/projects/p/locations/r"
READY = {"name": f"{V2[4:]}/services/hello", "uri": "http://hello.localhost", "latestCreatedRevision": "hello-2"}


def written(operation: str = "o", **more: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {"run.googleapis.com/operation-id": operation}}, **more}


@pytest.fixture(autouse=True)
def done(api: FakeApi) -> None:
    api.on("POST", f"{V2}/operations/o:wait", {"name": f"{V2[4:]}/operations/o", "done": True, "response": {"a": 1}})


def test_a_service_that_is_not_there_is_created_as_the_file_says(homerun: Invoke, api: FakeApi, tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text(SERVICE)
    api.on("POST", V1, lambda body: api.on("GET", f"{V2}/services/hello", READY) or written())
    result = homerun("services", "replace", str(file))
    assert (result.exit_code, result.stdout) == (0, "http://hello.localhost\n")
    [sent] = [asked for asked in api.asked if asked.path == V1]
    assert sent.host == "r-run.googleapis.com"
    assert sent.body["spec"]["template"]["spec"]["containers"] == [{"image": "registry.example.com/hello:1"}]
    assert sent.body["metadata"]["annotations"] == {"since": "2026-12-01"}, "a text, as it would be in JSON"


def test_one_that_is_there_is_replaced_where_the_file_says(homerun: Invoke, api: FakeApi) -> None:
    elsewhere = SERVICE.replace(
        "  name: hello\n", "  name: hello\n  namespace: q\n  labels: {cloud.googleapis.com/location: s}\n"
    )
    api.on("GET", "/v2/projects/q/locations/s/services/hello", READY)
    api.on("PUT", f"{V1.replace('/p/', '/q/')}/hello", written())
    operation = {"name": "projects/q/locations/s/operations/o", "done": True, "response": {}}
    api.on("POST", "/v2/projects/q/locations/s/operations/o:wait", operation)
    result = homerun("services", "replace", "-", "--format", "json", input=elsewhere)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == READY
    assert [asked.host for asked in api.asked if asked.method == "PUT"] == ["s-run.googleapis.com"]
    result = homerun("services", "replace", "-", "--region", "other", input=elsewhere)
    assert result.exit_code == 1 and "--region is other, but the file says s: leave out one of them" in result.stderr


def test_jobs_and_worker_pools_are_replaced_likewise(homerun: Invoke, api: FakeApi) -> None:
    job = {"name": "nightly", "reconciling": True}
    failed = {"terminalCondition": {"state": "CONDITION_FAILED", "message": "there is no such image"}}
    url = f"{V2}/jobs/nightly"
    api.on("GET", url, ApiError("no", 404, "NOT_FOUND"), job, {**job, "reconciling": False})
    api.on("POST", "/apis/run.googleapis.com/v1/namespaces/p/jobs", {"metadata": {}})
    result = homerun("jobs", "replace", "-", input=JOB)
    assert (result.exit_code, result.stdout) == (0, "nightly\n")
    api.on("GET", url, ApiError("no", 404, "NOT_FOUND"), {**job, **failed})
    result = homerun("jobs", "replace", "-", input=JOB)
    assert result.exit_code == 1 and "there is no such image" in result.stderr
    api.on("GET", f"{V2}/workerPools/crew", {"name": "crew", "latestCreatedRevision": "crew-1"})
    api.on("PUT", "/apis/run.googleapis.com/v1/namespaces/p/workerpools/crew", written())
    result = homerun("worker-pools", "replace", "-", input=POOL)
    assert (result.exit_code, result.stdout) == (0, "crew\n")


def test_a_dry_run_changes_nothing_and_waits_for_nothing(homerun: Invoke, api: FakeApi) -> None:
    api.on("POST", V1, written(kind="Service"))
    result = homerun("services", "replace", "-", "--dry-run", input=SERVICE)
    assert result.exit_code == 0 and "Service hello would be taken." in result.stderr
    assert [asked.query for asked in api.asked if asked.method == "POST"] == [{"dryRun": "all"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "stdin is no YAML"),
        ("", "must hold one document, a Service, and has 0"),
        (SERVICE + "---\n" + SERVICE, "must hold one document, a Service, and has 2"),
        ("- a", "must hold one document"),
        (JOB, "must begin with apiVersion: serving.knative.dev/v1 and kind: Service"),
        (SERVICE.replace("name: hello", "nme: hello"), "metadata.name in stdin must say what the service is called"),
    ],
)
def test_what_is_no_service_is_refused_with_what_it_must_be(homerun: Invoke, text: str, said: str) -> None:
    result = homerun("services", "replace", "-", input=text)
    assert result.exit_code == 1 and said in result.stderr
