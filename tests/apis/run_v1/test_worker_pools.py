"""Worker pools over v1, as gcloud uses it, against real controllers on a fake engine, in virtual time."""

from typing import Any

import pytest

from tests.support.api import RUN, SERVING, V2, WEB, Api, Refused, api

pytestmark = pytest.mark.looptime

POOLS = f"{RUN}/workerpools"
REGIONAL = "us-central1-run.homerun.localhost"


def pool(image: str = WEB, instances: int = 2, **spec: Any) -> dict[str, Any]:
    """As `gcloud run worker-pools replace` sends a YAML."""
    return {
        "apiVersion": "run.googleapis.com/v1",
        "kind": "WorkerPool",
        "metadata": {
            "name": "crew",
            "namespace": "homerun",
            "annotations": {
                "run.googleapis.com/scalingMode": "manual",
                "run.googleapis.com/manualInstanceCount": str(instances),
                "run.googleapis.com/launch-stage": "BETA",
                "run.googleapis.com/description": "words",
                "run.googleapis.com/max-surge": "3",
            },
            "labels": {"team": "a"},
        },
        "spec": {
            "template": {
                "metadata": {"annotations": {"run.googleapis.com/client-name": "gcloud"}},
                "spec": {"containers": [{"image": image, "env": [{"name": "A", "value": "1"}]}]},
            },
            **spec,
        },
    }


async def created(a: Api, **more: Any) -> Any:
    """A pool, settled."""
    made = await a("POST", POOLS, pool(**more))
    operation = made["metadata"]["annotations"]["run.googleapis.com/operation-id"]
    path = f"/v1/projects/homerun/locations/us-central1/operations/{operation}:wait"
    answer = await a("POST", path, {"timeout": "30s"})
    assert answer["done"], answer
    return answer


async def test_a_pool_from_create_to_delete() -> None:
    async with api() as a:
        answer = await created(a)
        stored = await a("GET", f"{POOLS}/crew")
        assert answer["response"]["@type"] == "type.googleapis.com/google.cloud.run.v1.WorkerPool"
        assert (stored["apiVersion"], stored["kind"]) == ("run.googleapis.com/v1", "WorkerPool")
        annotations = stored["metadata"]["annotations"]
        assert annotations["run.googleapis.com/scalingMode"] == "manual"
        assert annotations["run.googleapis.com/manualInstanceCount"] == "2"
        assert annotations["run.googleapis.com/max-surge"] == "3", "v2 has no word for it"
        assert annotations["serving.knative.dev/lastModifier"]
        assert stored["metadata"]["selfLink"].endswith("/workerpools/crew")
        assert stored["metadata"]["labels"] == {"team": "a", "cloud.googleapis.com/location": "us-central1"}
        assert [(c["type"], c["status"]) for c in stored["status"]["conditions"]] == [("Ready", "True")]
        revision = stored["status"]["latestReadyRevisionName"]
        assert stored["status"]["instanceSplits"] == [
            {"revisionName": revision, "latestRevision": True, "percent": 100}
        ]
        assert "url" not in stored["status"]
        listed = await a("GET", POOLS)
        assert (listed["kind"], listed["items"]) == ("WorkerPoolList", [stored])
        assert (await a("DELETE", f"{POOLS}/crew"))["status"] == "Success"
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("GET", f"{POOLS}/crew")


async def test_what_was_read_can_be_written_back_and_changes_nothing() -> None:
    async with api() as a:
        await created(a)
        stored = await a("GET", f"{POOLS}/crew")
        again = await a("PUT", f"{POOLS}/crew", stored)
        assert again["metadata"]["generation"] == stored["metadata"]["generation"]
        assert again["spec"] == stored["spec"]


async def test_the_number_is_an_annotation() -> None:
    async with api() as a:
        await created(a)
        await a("PUT", f"{POOLS}/crew", pool(instances=0))
        assert (await a("GET", f"{V2}/workerPools/crew"))["scaling"] == {"manualInstanceCount": 0}


async def test_its_revisions_are_among_all_others_and_say_whose_they_are() -> None:
    async with api() as a:
        await created(a)
        await a.deploy("hello")
        everything = (await a("GET", f"{SERVING}/revisions", host=REGIONAL))["items"]
        assert len(everything) == 2
        selector = "run.googleapis.com%2FworkerPool+%3D+crew"
        (own,) = (await a("GET", f"{SERVING}/revisions?labelSelector={selector}", host=REGIONAL))["items"]
        assert own["metadata"]["labels"]["run.googleapis.com/workerPool"] == "crew"
        assert "serving.knative.dev/service" not in own["metadata"]["labels"]
        assert "serviceName" not in own["status"]
        assert own["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
        name = own["metadata"]["name"]
        assert await a("GET", f"{SERVING}/revisions/{name}") == own
        with pytest.raises(Refused, match="is the latest of its worker pool"):
            await a("DELETE", f"{SERVING}/revisions/{name}")


async def test_what_is_wrong_is_said_in_v1_s_words() -> None:
    async with api() as a:
        body = pool("", instances=2, instanceSplits=[{"percent": 101, "latestRevision": True}])
        body["metadata"]["annotations"]["run.googleapis.com/scalingMode"] = "automatic"
        with pytest.raises(Refused) as caught:
            await a("POST", POOLS, body)
        assert set(caught.value.fields) == {
            "spec.template.spec.containers[0].image",
            "spec.instanceSplits[0].percent",
            "spec.instanceSplits",
            "metadata.annotations[run.googleapis.com/scalingMode]",
        }


async def test_a_dry_run_leaves_nothing() -> None:
    async with api() as a:
        answer = await a("POST", f"{POOLS}?dryRun=all", pool())
        assert "run.googleapis.com/operation-id" not in answer["metadata"]["annotations"], (
            "there is nothing to wait for"
        )
        assert (await a("GET", POOLS))["items"] == []


async def test_a_list_of_no_region_is_of_all() -> None:
    async with api() as a:
        await created(a)
        await a("POST", POOLS, pool(), host="europe-west1-run.homerun.localhost")
        found = (await a("GET", POOLS, host="run.homerun.localhost"))["items"]
        places = [pool["metadata"]["labels"]["cloud.googleapis.com/location"] for pool in found]
        assert places == ["europe-west1", "us-central1"]
        assert len((await a("GET", POOLS, host=REGIONAL))["items"]) == 1


async def test_its_policy() -> None:
    async with api() as a:
        await created(a)
        path = "/v1/projects/homerun/locations/us-central1/workerpools/crew"
        bindings = [{"role": "roles/run.developer", "members": ["user:a@example.com"]}]
        await a("POST", f"{path}:setIamPolicy", {"policy": {"bindings": bindings}})
        assert (await a("GET", f"{path}:getIamPolicy"))["bindings"] == bindings
        assert (await a("GET", f"{V2}/workerPools/crew:getIamPolicy"))["bindings"] == bindings
        asked = {"permissions": ["run.workerpools.get"]}
        assert await a("POST", f"{path}:testIamPermissions", asked) == asked
