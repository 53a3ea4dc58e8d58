"""The v1 API, with the requests that gcloud sends (contract §7.6), against real controllers in virtual time."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.api import BATCH, FAILING, LOCATION, RUN, SERVING, SLOW, V2, WEB, Api, Refused, api

pytestmark = pytest.mark.looptime

MISSING = "registry.test/missing:1"


def service(image: str = WEB, name: str = "hello", **spec: Any) -> dict[str, Any]:
    """As gcloud creates one, oddities included."""
    container = {"image": image, "name": "", "resources": {"limits": {}, "requests": {}}}
    template = {
        "metadata": {
            "labels": {"client.knative.dev/nonce": "abcdefghij"},
            "annotations": {"run.googleapis.com/client-name": "gcloud", "run.googleapis.com/startup-cpu-boost": "True"},
        },
        "spec": {"containers": [container], "nodeSelector": {}, "volumes": []},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "homerun",
            "labels": {},
            "annotations": {"run.googleapis.com/client-name": "gcloud", "run.googleapis.com/client-version": "528.0.0"},
        },
        "spec": {"template": template, **spec},
        "status": {"address": {}},
    }


def job(image: str = BATCH, name: str = "work", tasks: int = 1) -> dict[str, Any]:
    inner = {"spec": {"containers": [{"image": image}], "maxRetries": 1, "timeoutSeconds": "60"}}
    return {
        "apiVersion": "run.googleapis.com/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "homerun"},
        "spec": {"template": {"spec": {"taskCount": tasks, "template": inner}}},
    }


async def wait(a: Api, answer: dict[str, Any]) -> dict[str, Any]:
    """As gcloud does: through the operation that the annotation names, until it is done."""
    id = answer["metadata"]["annotations"]["run.googleapis.com/operation-id"]
    while True:
        path = f"/v1/projects/homerun/locations/us-central1/operations/{id}:wait"
        operation: dict[str, Any] = await a("POST", path, {"timeout": "30s"})
        if operation["done"]:
            return operation


def condition(answer: dict[str, Any], type: str) -> dict[str, Any]:
    return next(c for c in answer["status"]["conditions"] if c["type"] == type)


async def deploy(a: Api, **options: Any) -> dict[str, Any]:
    operation = await wait(a, await a("POST", f"{SERVING}/services", service(**options)))
    response: dict[str, Any] = operation["response"]
    return response


async def test_a_deploy_as_gcloud_does_it() -> None:
    async with api() as a:
        created = await a("POST", f"{SERVING}/services", service())
        assert condition(created, "Ready")["status"] == "Unknown", "or gcloud would not wait"
        operation = await wait(a, created)
        ready = operation["response"]
        assert ready["@type"] == "type.googleapis.com/google.cloud.run.v1.Service"
        assert [c["status"] for c in ready["status"]["conditions"]] == ["True", "True", "True"]
        assert ready["status"]["observedGeneration"] == ready["metadata"]["generation"] == 1
        assert ready["metadata"]["namespace"] == "100000000001"
        assert ready["metadata"]["labels"]["cloud.googleapis.com/location"] == "us-central1"
        url = "http://hello-100000000001.us-central1.run.localhost:8080"
        assert json.loads(ready["metadata"]["annotations"]["run.googleapis.com/urls"]) == [url]
        assert ready["status"]["url"] == ready["status"]["address"]["url"] == url
        revision = ready["status"]["latestReadyRevisionName"]
        assert ready["status"]["traffic"] == [{"revisionName": revision, "latestRevision": True, "percent": 100}]


async def test_a_failed_deploy_has_its_cause_in_the_condition_that_gcloud_prints() -> None:
    async with api() as a:
        operation = await wait(a, await a("POST", f"{SERVING}/services", service(MISSING)))
        assert "error" in operation
        answer = await a("GET", f"{SERVING}/services/hello")
        failed = condition(answer, "ConfigurationsReady")
        assert (failed["status"], failed["reason"]) == ("False", "ContainerMissing")
        assert "does not exist" in failed["message"]
        assert answer["status"]["observedGeneration"] == answer["metadata"]["generation"]


async def test_what_was_read_can_be_sent_back_whole_and_changes_nothing() -> None:
    async with api() as a:
        await deploy(a)
        read = await a("GET", f"{SERVING}/services/hello")
        again = await a("PUT", f"{SERVING}/services/hello", read)
        assert again["metadata"]["generation"] == 1
        assert again["spec"] == read["spec"]
        assert again["metadata"]["resourceVersion"] == read["metadata"]["resourceVersion"]
        assert len((await a("GET", f"{SERVING}/revisions"))["items"]) == 1


async def test_an_update_from_what_was_read() -> None:
    async with api() as a:
        read = await deploy(a)
        read["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
        read["spec"]["template"]["metadata"]["labels"]["client.knative.dev/nonce"] = "other"
        updated = await a("PUT", f"{SERVING}/services/hello", read)
        assert condition(updated, "Ready")["status"] == "Unknown"
        ready = (await wait(a, updated))["response"]
        assert ready["metadata"]["generation"] == 2
        revisions = (await a("GET", f"{SERVING}/revisions?labelSelector=serving.knative.dev/service+%3D+hello"))[
            "items"
        ]
        assert len(revisions) == 2
        by_nonce = await a("GET", f"{SERVING}/revisions?labelSelector=client.knative.dev/nonce+%3D+other")
        assert [r["metadata"]["name"] for r in by_nonce["items"]] == [ready["status"]["latestReadyRevisionName"]]
        assert by_nonce["items"][0]["status"]["imageDigest"].startswith("registry.test/web@sha256:")


async def test_of_two_who_replace_the_same_version_the_second_is_told() -> None:
    async with api() as a:
        read = await deploy(a)
        read["metadata"]["labels"]["first"] = "yes"
        await a("PUT", f"{SERVING}/services/hello", read)
        read["metadata"]["labels"]["second"] = "yes"
        with pytest.raises(Refused, match="changed it meanwhile") as caught:
            await a("PUT", f"{SERVING}/services/hello", read)
        assert caught.value.http == 409


async def test_violations_have_the_paths_that_a_v1_caller_knows() -> None:
    async with api() as a:
        body = service("", "Bad_", traffic=[{"percent": 5}])
        body["spec"]["template"]["spec"] |= {"timeoutSeconds": 9999, "containerConcurrency": "many"}
        body["spec"]["template"]["metadata"]["annotations"] |= {
            "autoscaling.knative.dev/minScale": "few",
            "run.googleapis.com/execution-environment": "gen3",
            "run.googleapis.com/cpu-throttling": "perhaps",
        }
        body["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = {"periodSeconds": 3}
        body["spec"]["template"]["spec"]["containers"][0]["startupProbe"] = {"successThreshold": 2}
        body["spec"]["typo"] = 1
        with pytest.raises(Refused) as caught:
            await a("POST", f"{SERVING}/services", body)
        template = "spec.template.metadata.annotations"
        assert set(caught.value.fields) == {
            "metadata.name",
            "spec.typo",
            "spec.traffic",
            "spec.template.spec.timeoutSeconds",
            "spec.template.spec.containerConcurrency",
            "spec.template.spec.containers[0].image",
            "spec.template.spec.containers[0].livenessProbe",
            "spec.template.spec.containers[0].startupProbe.successThreshold",
            f"{template}[autoscaling.knative.dev/minScale]",
            f"{template}[run.googleapis.com/execution-environment]",
            f"{template}[run.googleapis.com/cpu-throttling]",
        }


async def test_a_v1_object_shows_in_v2_and_what_v2_cannot_express_comes_back_in_v1() -> None:
    async with api() as a:
        body = service()
        body["metadata"]["annotations"]["run.googleapis.com/some-feature"] = "on"
        body["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
        body["spec"]["template"]["metadata"]["annotations"]["autoscaling.knative.dev/minScale"] = "1"
        await wait(a, await a("POST", f"{SERVING}/services", body))
        v2 = await a("GET", f"{V2}/services/hello")
        assert v2["client"] == "gcloud"
        assert v2["template"]["scaling"]["minInstanceCount"] == 1
        assert v2["template"]["containers"][0]["resources"]["startupCpuBoost"] is True
        assert "annotations" not in v2
        v1 = await a("GET", f"{SERVING}/services/hello")
        assert v1["metadata"]["annotations"]["run.googleapis.com/some-feature"] == "on"
        assert v1["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"
        await a.done(await a("PATCH", f"{V2}/services/hello?updateMask=description", {"description": "by v2"}))
        v1 = await a("GET", f"{SERVING}/services/hello")
        assert v1["metadata"]["annotations"]["run.googleapis.com/description"] == "by v2"
        assert v1["metadata"]["annotations"]["run.googleapis.com/some-feature"] == "on"
        revision = (await a("GET", f"{SERVING}/revisions"))["items"][0]
        assert revision["spec"]["containers"][0]["imagePullPolicy"] == "Always"


async def test_a_dry_run_stores_nothing() -> None:
    async with api() as a:
        answer = await a("POST", f"{SERVING}/services?dryRun=all", service())
        assert answer["spec"]["template"]["spec"]["timeoutSeconds"] == 300
        assert (await a("GET", f"{SERVING}/services"))["items"] == []
        with pytest.raises(Refused) as caught:
            await a("POST", f"{SERVING}/services?dryRun=some", service())
        assert caught.value.fields == ["dryRun"]


async def test_a_deleted_service_is_gone_at_once() -> None:
    async with api() as a:
        await deploy(a)
        assert (await a("DELETE", f"{SERVING}/services/hello"))["status"] == "Success"
        with pytest.raises(Refused) as caught:
            await a("GET", f"{SERVING}/services/hello")
        assert caught.value.http == 404
        assert caught.value.error["details"][-1]["domain"] == "run.googleapis.com", "or gcloud does not believe it"
        await deploy(a)


async def test_the_host_name_says_which_region() -> None:
    async with api() as a:
        host = "europe-west1-run.homerun.localhost:8787"
        await a("POST", f"{SERVING}/services", service(), host=host)
        assert (await a("GET", f"{SERVING}/services"))["items"] == []
        found = await a("GET", f"{SERVING}/services/hello", host=host)
        assert found["metadata"]["labels"]["cloud.googleapis.com/location"] == "europe-west1"
        everywhere = await a("GET", "/v1/projects/homerun/locations/-/services", host="run.homerun.localhost:8787")
        assert [i["metadata"]["name"] for i in everywhere["items"]] == ["hello"]
        regions = (await a("GET", "/v1/projects/homerun/locations?pageSize=100"))["locations"]
        assert [r["locationId"] for r in regions] == ["europe-west1", "us-central1"]


async def test_the_one_platform_paths_are_the_same_objects() -> None:
    async with api() as a:
        path = "/v1/projects/homerun/locations/us-central1/services"
        await wait(a, await a("POST", path, service()))
        assert await a("GET", f"{path}/hello") == await a("GET", f"{SERVING}/services/hello")
        binding = {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}
        await a("POST", f"{path}/hello:setIamPolicy", {"policy": binding})
        assert (await a("GET", f"{V2}/services/hello:getIamPolicy"))["bindings"] == binding["bindings"]


async def test_a_name_in_the_body_must_be_that_of_the_url() -> None:
    async with api() as a:
        await deploy(a)
        with pytest.raises(Refused) as caught:
            await a("PUT", f"{SERVING}/services/hello", service(name="other"))
        assert caught.value.fields == ["metadata.name"]


async def test_routes_and_configurations_are_views_of_services() -> None:
    async with api() as a:
        ready = await deploy(a)
        route = await a("GET", f"{SERVING}/routes/hello")
        assert (route["kind"], route["status"]["traffic"]) == ("Route", ready["status"]["traffic"])
        listed = (await a("GET", f"{SERVING}/configurations"))["items"]
        assert listed[0]["status"]["latestReadyRevisionName"] == ready["status"]["latestReadyRevisionName"]
        assert condition(listed[0], "Ready")["status"] == "True"


async def test_a_job_as_gcloud_does_it() -> None:
    async with api() as a:
        created = await a("POST", f"{RUN}/jobs", job(tasks=2))
        assert created["spec"]["template"]["spec"]["template"]["spec"]["timeoutSeconds"] == "60", "int64 is a text"
        await a.world.settled("Job", f"{LOCATION}/jobs/work")
        assert condition(await a("GET", f"{RUN}/jobs/work"), "Ready")["status"] == "True"
        execution = await a("POST", f"{RUN}/jobs/work:run", {})
        assert {c["type"] for c in execution["status"]["conditions"]} == {"Completed", "ResourcesAvailable", "Started"}
        assert {c["status"] for c in execution["status"]["conditions"]} == {"Unknown"}
        name = execution["metadata"]["name"]
        await a.world.settled("Execution", f"{LOCATION}/jobs/work/executions/{name}")
        by_number = RUN.replace("homerun", "100000000001")
        ended = await a("GET", f"{by_number}/executions/{name}")
        assert condition(ended, "Completed")["status"] == "True"
        assert (ended["status"]["succeededCount"], ended["metadata"]["labels"]["run.googleapis.com/job"]) == (2, "work")
        listed = await a("GET", f"{RUN}/executions?labelSelector=run.googleapis.com/job+%3D+work&limit=100")
        assert [i["metadata"]["name"] for i in listed["items"]] == [name]
        selector = f"run.googleapis.com/execution+%3D+{name},run.googleapis.com/runningState+in+(Succeeded)"
        tasks = (await a("GET", f"{RUN}/tasks?labelSelector={selector}"))["items"]
        assert [task["status"]["index"] for task in tasks] == [0, 1]
        assert (await a("GET", f"{RUN}/tasks/{name}-task1"))["status"]["index"] == 1


async def test_a_cancelled_execution_says_so_in_the_words_that_gcloud_expects() -> None:
    async with api() as a:
        await a("POST", f"{RUN}/jobs", job(SLOW))
        name = (await a("POST", f"{RUN}/jobs/work:run", {}))["metadata"]["name"]
        await a("POST", f"{RUN}/executions/{name}:cancel", {})
        await a.world.settled("Execution", f"{LOCATION}/jobs/work/executions/{name}")
        completed = condition(await a("GET", f"{RUN}/executions/{name}"), "Completed")
        assert (completed["status"], completed["reason"]) == ("False", "Cancelled")


async def test_a_failed_execution_says_why() -> None:
    async with api() as a:
        await a("POST", f"{RUN}/jobs", job(FAILING))
        name = (await a("POST", f"{RUN}/jobs/work:run", {}))["metadata"]["name"]
        await a.world.settled("Execution", f"{LOCATION}/jobs/work/executions/{name}")
        completed = condition(await a("GET", f"{RUN}/executions/{name}"), "Completed")
        assert (completed["status"], completed["reason"]) == ("False", "NonZeroExitCode")
        assert (await a("DELETE", f"{RUN}/executions/{name}"))["status"] == "Success"


async def test_overrides_of_a_run() -> None:
    async with api() as a:
        await a("POST", f"{RUN}/jobs", job())
        overrides = {
            "taskCount": 2,
            "timeoutSeconds": 30,
            "containerOverrides": [{"env": [{"name": "A", "value": "1"}]}],
        }
        execution = await a("POST", f"{RUN}/jobs/work:run", {"overrides": overrides})
        assert execution["spec"]["taskCount"] == 2
        assert execution["spec"]["template"]["spec"]["timeoutSeconds"] == "30"
        with pytest.raises(Refused) as caught:
            secret = {"name": "S", "valueFrom": {"secretKeyRef": {"name": "no secret!", "key": "1"}}}
            overrides = {"timeoutSeconds": 9999999, "taskCount": -1, "containerOverrides": [{"env": [secret]}]}
            await a("POST", f"{RUN}/jobs/work:run", {"overrides": overrides})
        assert set(caught.value.fields) == {
            "overrides.timeoutSeconds",
            "overrides.taskCount",
            "overrides.containerOverrides[0].env[0].valueFrom.secretKeyRef.name",
        }


async def test_a_name_with_hyphens_is_found_in_the_flat_namespace() -> None:
    async with api() as a:
        for name in ("work", "work-more"):
            await a("POST", f"{RUN}/jobs", job(name=name))
        execution = (await a("POST", f"{RUN}/jobs/work-more:run", {}))["metadata"]["name"]
        found = await a("GET", f"{RUN}/executions/{execution}")
        assert found["metadata"]["labels"]["run.googleapis.com/job"] == "work-more"
        with pytest.raises(Refused, match="of kind 'EXECUTION'"):
            await a("GET", f"{RUN}/executions/work-more-nope")


async def test_lists_come_in_pages_and_refuse_what_they_cannot_do() -> None:
    async with api() as a:
        for index in range(3):
            await a("POST", f"{SERVING}/services", service(name=f"s{index}"))
        first = await a("GET", f"{SERVING}/services?limit=2")
        token = first["metadata"]["continue"]
        rest = await a("GET", f"{SERVING}/services?limit=2&continue={token}")
        assert [i["metadata"]["name"] for i in first["items"] + rest["items"]] == ["s0", "s1", "s2"]
        assert rest["metadata"] == {}
        for query, field in (
            ("fieldSelector=a", "fieldSelector"),
            ("labelSelector=(", "labelSelector"),
            ("limit=x", "limit"),
        ):
            with pytest.raises(Refused) as caught:
                await a("GET", f"{SERVING}/services?{query}")
            assert caught.value.fields == [field]


async def test_operations_are_shown_in_v1_and_can_be_deleted() -> None:
    async with api() as a:
        await deploy(a)
        path = "/v1/projects/homerun/locations/us-central1/operations"
        operation = (await a("GET", path))["operations"][0]
        assert operation["response"]["apiVersion"] == "serving.knative.dev/v1"
        assert await a("GET", f"/v1/{operation['name']}") == operation
        await a("DELETE", f"/v1/{operation['name']}")
        assert await a("GET", path) == {"operations": []}


async def test_any_region_name_is_one_in_the_host_too() -> None:
    async with api() as a:
        await a("POST", f"{SERVING}/services", service(), host="home-run.homerun.localhost:8787")
        assert (await a("GET", "/v2/projects/homerun/locations/home/services/hello"))["uid"]


async def test_a_dash_for_the_location_is_for_lists_only() -> None:
    async with api() as a:
        with pytest.raises(Refused) as caught:
            await a("POST", "/v1/projects/homerun/locations/-/services", service())
        assert caught.value.fields == ["location"]


async def test_an_execution_that_runs_has_no_time_of_completion_in_its_job() -> None:
    async with api() as a:
        await a.create_job(image=SLOW)
        await a("POST", f"{V2}/jobs/work:run", {})
        latest = (await a("GET", f"{RUN}/jobs/work"))["status"]["latestCreatedExecution"]
        assert "creationTimestamp" in latest and "completionTimestamp" not in latest


async def test_no_dry_run_changes_anything() -> None:
    async with api() as a:
        await deploy(a)
        read = await a("GET", f"{SERVING}/services/hello")
        read["spec"]["template"]["spec"]["timeoutSeconds"] = 9
        await wait(a, await a("PUT", f"{SERVING}/services/hello", read))
        made = await a("POST", f"{RUN}/jobs", job())
        await a.world.settled("Job", f"{LOCATION}/jobs/work")
        old = (await a("GET", f"{SERVING}/revisions"))["items"][0]["metadata"]["name"]
        await asyncio.sleep(5)
        before = await a.world.store.version()
        for method, path, body in (
            ("PUT", f"{SERVING}/services/hello", service()),
            ("DELETE", f"{SERVING}/services/hello", None),
            ("DELETE", f"{SERVING}/revisions/{old}", None),
            ("POST", f"{RUN}/jobs", job(name="other")),
            ("PUT", f"{RUN}/jobs/work", job(tasks=7)),
            ("DELETE", f"{RUN}/jobs/work", None),
        ):
            await a(method, f"{path}?dryRun=all", body)
        assert await a.world.store.version() == before
        stale = {**job(tasks=2), "metadata": {"name": "work", "resourceVersion": "stale"}}
        with pytest.raises(Refused, match="ABORTED"):
            await a("PUT", f"{RUN}/jobs/work", stale)
        stale["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
        assert (await a("PUT", f"{RUN}/jobs/work", stale))["spec"]["template"]["spec"]["taskCount"] == 2


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("team = a", ["one"]),
        ("team in (a, b)", ["one", "two"]),
        ("team notin (a)", ["three", "two"]),
        ("team", ["one", "two"]),
        ("!team", ["three"]),
        ("team!=a,cloud.googleapis.com/location=us-central1", ["three", "two"]),
    ],
)
async def test_labels_select(selector: str, names: list[str]) -> None:
    async with api() as a:
        for name, labels in (("one", {"team": "a"}), ("two", {"team": "b"}), ("three", {})):
            body = service(name=name)
            body["metadata"]["labels"] = labels
            await a("POST", f"{SERVING}/services", body)
        found = await a("GET", f"{SERVING}/services?labelSelector={quote(selector)}")
        assert [item["metadata"]["name"] for item in found["items"]] == names
        assert found["unreachable"] == []
