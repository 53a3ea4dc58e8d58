"""Worker pools over Admin API v2, against real controllers on a fake engine, in virtual time."""

import pytest

from tests.support.api import FAILING, LOCATION, V2, Api, Refused, api, pool

pytestmark = pytest.mark.looptime

POOL = f"{V2}/workerPools/crew"


def running(a: Api) -> int:
    return sum(instance.phase == "ready" for instance in a.world.engine.instances())


async def test_a_worker_pool_from_create_to_delete() -> None:
    async with api() as a:
        operation = await a("POST", f"{V2}/workerPools?workerPoolId=crew", pool())
        assert operation["metadata"]["@type"] == "type.googleapis.com/google.cloud.run.v2.WorkerPool"
        assert operation["metadata"]["terminalCondition"]["state"] == "CONDITION_RECONCILING"
        await a.done(operation)
        stored = await a("GET", POOL)
        assert stored["name"] == f"{LOCATION}/workerPools/crew"
        assert stored["scaling"] == {"manualInstanceCount": 1}
        assert stored["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert (stored["generation"], stored["observedGeneration"]) == ("1", "1")
        assert "uri" not in stored and "urls" not in stored
        assert (await a("GET", f"{V2}/workerPools"))["workerPools"] == [stored]
        deleted = (await a.done(await a("DELETE", f"{POOL}?etag={stored['etag']}")))["response"]
        assert deleted["name"] == stored["name"]
        with pytest.raises(Refused, match="Resource 'crew' of kind 'WORKERPOOL'") as caught:
            await a("GET", POOL)
        assert caught.value.http == 404
        await a.world.until(lambda: running(a) == 0)


async def test_everything_that_is_wrong_is_said_at_once() -> None:
    async with api() as a:
        body = pool("", instances=-1, instanceSplits=[{"percent": 50}], traffic=[])
        with pytest.raises(Refused) as caught:
            await a("POST", f"{V2}/workerPools?workerPoolId=Crew_", body)
        assert set(caught.value.fields) == {
            "workerPoolId",
            "template.containers[0].image",
            "scaling.manualInstanceCount",
            "instanceSplits",
            "traffic",
        }


async def test_what_is_only_validated_is_not_there() -> None:
    async with api() as a:
        operation = await a("POST", f"{V2}/workerPools?workerPoolId=crew&validateOnly=true", pool())
        assert operation["done"] is True
        assert (await a("GET", f"{V2}/workerPools")).get("workerPools", []) == []


async def test_scaling_is_a_patch_of_one_field() -> None:
    async with api() as a:
        first = await a.deploy_pool()
        body = {"scaling": {"manualInstanceCount": 3}}
        changed = await a.done(await a("PATCH", f"{POOL}?updateMask=scaling.manualInstanceCount", body))
        assert changed["response"]["latestReadyRevision"] == first["latestReadyRevision"]
        assert changed["response"]["template"] == first["template"]
        await a.world.until(lambda: running(a) == 3)
        body = {"scaling": {"manualInstanceCount": 0}}
        await a.done(await a("PATCH", f"{POOL}?updateMask=scaling", body))
        assert (await a("GET", POOL))["scaling"] == {"manualInstanceCount": 0}
        await a.world.until(lambda: running(a) == 0)


async def test_a_patch_of_what_is_missing_makes_it_if_that_is_allowed() -> None:
    async with api() as a:
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("PATCH", POOL, pool())
        made = await a.done(await a("PATCH", f"{POOL}?allowMissing=true", pool()))
        assert made["response"]["generation"] == "1"


async def test_a_new_revision_can_be_forced() -> None:
    async with api() as a:
        first = await a.deploy_pool()
        same = await a("PATCH", POOL, pool())
        assert (same["done"], same["response"]["latestReadyRevision"]) == (True, first["latestReadyRevision"])
        forced = await a.done(await a("PATCH", f"{POOL}?forceNewRevision=true", pool()))
        assert forced["response"]["latestReadyRevision"] != first["latestReadyRevision"]
        assert len((await a("GET", f"{POOL}/revisions"))["revisions"]) == 2


async def test_of_two_who_change_the_same_version_the_second_is_told() -> None:
    async with api() as a:
        read = await a.deploy_pool()
        read = await a("GET", POOL)
        await a.done(await a("PATCH", POOL, {**read, "description": "first"}))
        with pytest.raises(Refused, match="ABORTED"):
            await a("PATCH", POOL, {**read, "description": "second"})


async def test_a_revision_of_a_pool_is_found_below_it_and_deleted_when_nobody_needs_it() -> None:
    async with api() as a:
        first = await a.deploy_pool()
        old = first["latestReadyRevision"]
        assert (await a("GET", f"/v2/{old}"))["name"] == old
        with pytest.raises(Refused, match="is the latest of its worker pool and cannot be deleted"):
            await a("DELETE", f"/v2/{old}")
        by_name = [{"revision": old.rpartition("/")[2], "percent": 100}]
        await a.done(await a("PATCH", f"{POOL}?forceNewRevision=true", pool(instanceSplits=by_name)))
        with pytest.raises(Refused, match="is a target in the worker pool's instanceSplits"):
            await a("DELETE", f"/v2/{old}")
        await a.done(await a("PATCH", POOL, pool()))
        await a.done(await a("DELETE", f"/v2/{old}"))
        everywhere = (await a("GET", f"{V2}/workerPools/-/revisions"))["revisions"]
        assert [r["name"] for r in everywhere] == [(await a("GET", POOL))["latestReadyRevision"]]
        assert (await a("GET", f"{V2}/services/-/revisions")).get("revisions", []) == []


async def test_a_deployment_that_fails_says_why_and_takes_nothing_away() -> None:
    async with api() as a:
        first = await a.deploy_pool()
        operation = await a.done(await a("PATCH", POOL, pool(FAILING)))
        assert "Container called exit(3)." in operation["error"]["message"]
        stored = await a("GET", POOL)
        assert stored["latestReadyRevision"] == first["latestReadyRevision"]
        assert running(a) == 1


async def test_its_policy_is_its_own() -> None:
    async with api() as a:
        await a.deploy_pool()
        bindings = [{"role": "roles/run.developer", "members": ["user:a@example.com"]}]
        await a("POST", f"{POOL}:setIamPolicy", {"policy": {"bindings": bindings}})
        assert (await a("GET", f"{POOL}:getIamPolicy"))["bindings"] == bindings
        asked = {"permissions": ["run.workerpools.get"]}
        assert await a("POST", f"{POOL}:testIamPermissions", asked) == asked
