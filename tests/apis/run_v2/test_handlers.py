"""Admin API v2, against real controllers on a fake engine, in virtual time."""

import asyncio
from typing import Any

import pytest

from homerun.store.base import Put
from tests.support.api import BATCH, FAILING, LOCATION, SLOW, V2, Api, Refused, api, job, service

pytestmark = pytest.mark.looptime

MISSING = "registry.test/missing:1"


async def test_a_service_from_create_to_delete() -> None:
    async with api() as a:
        operation = await a("POST", f"{V2}/services?serviceId=hello", service())
        assert operation["done"] is False
        assert operation["metadata"]["@type"] == "type.googleapis.com/google.cloud.run.v2.Service"
        assert operation["metadata"]["reconciling"] is True
        created = (await a.done(operation))["response"]
        assert created["@type"] == "type.googleapis.com/google.cloud.run.v2.Service"
        stored = await a("GET", f"{V2}/services/hello")
        assert stored["uri"] == "http://hello-100000000001.us-central1.run.localhost:8080"
        assert stored["urls"] == [stored["uri"]]
        assert stored["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert (stored["generation"], stored["observedGeneration"]) == ("1", "1")
        assert stored["creator"] == "homerun@localhost"
        assert (await a("GET", f"{V2}/services"))["services"] == [stored]
        deleted = await a.done(await a("DELETE", f"{V2}/services/hello"))
        assert deleted["response"]["name"] == stored["name"]
        with pytest.raises(Refused, match="Resource 'hello' of kind 'SERVICE'") as caught:
            await a("GET", f"{V2}/services/hello")
        assert caught.value.http == 404


async def test_a_deploy_that_fails_ends_its_operation_with_the_cause() -> None:
    async with api() as a:
        operation = await a.done(await a("POST", f"{V2}/services?serviceId=hello", service(MISSING)))
        assert operation["error"]["code"] == 9
        assert "does not exist" in operation["error"]["message"]
        stored = await a("GET", f"{V2}/services/hello")
        assert stored["terminalCondition"]["state"] == "CONDITION_FAILED"


async def test_everything_that_is_wrong_is_said_at_once() -> None:
    async with api() as a:
        body = {
            "template": {"containers": [{"image": "", "ports": [{"containerPort": 99999}]}], "timeout": 5},
            "traffic": [{"percent": 50}],
            "labels": {"run.googleapis.com/mine": "x"},
            "typo": 1,
        }
        with pytest.raises(Refused) as caught:
            await a("POST", f"{V2}/services?serviceId=Hello_", body)
        assert caught.value.http == 400
        assert set(caught.value.fields) == {
            "serviceId",
            "template.containers[0].image",
            "template.containers[0].ports[0].containerPort",
            "template.timeout",
            "traffic",
            "labels[run.googleapis.com/mine]",
            "typo",
        }
        assert await a("GET", f"{V2}/services") == {"services": []}


async def test_a_name_that_is_taken_is_refused() -> None:
    async with api() as a:
        await a.deploy("hello")
        with pytest.raises(Refused, match="ALREADY_EXISTS"):
            await a("POST", f"{V2}/services?serviceId=hello", service())


async def test_the_name_of_what_was_just_deleted_is_free_again() -> None:
    async with api() as a:
        await a.deploy("hello")
        await a("DELETE", f"{V2}/services/hello")
        assert (await a.deploy("hello"))["generation"] == "1"


async def test_a_patch_makes_a_new_revision_only_of_a_new_template() -> None:
    async with api() as a:
        first = await a.deploy("hello")
        body = {"description": "words", "template": first["template"]}
        second = (await a.done(await a("PATCH", f"{V2}/services/hello", body)))["response"]
        assert (second["generation"], second["description"]) == ("2", "words")
        assert second["latestReadyRevision"] == first["latestReadyRevision"]
        body["template"]["timeout"] = "60s"
        third = (await a.done(await a("PATCH", f"{V2}/services/hello", body)))["response"]
        assert third["latestReadyRevision"] != first["latestReadyRevision"]
        assert third["uid"] == first["uid"]
        revisions = (await a("GET", f"{V2}/services/hello/revisions"))["revisions"]
        assert [r["timeout"] for r in revisions] == ["300s", "60s"]


async def test_an_update_mask_leaves_the_rest_alone() -> None:
    async with api() as a:
        await a.deploy("hello")
        sent = {"description": "new", "labels": {"not": "named"}}
        operation = await a("PATCH", f"{V2}/services/hello?updateMask=description", sent)
        updated = (await a.done(operation))["response"]
        assert updated["description"] == "new"
        assert "labels" not in updated


async def test_a_patch_that_changes_nothing_is_done_at_once() -> None:
    async with api() as a:
        before = await a.deploy("hello")
        operation = await a("PATCH", f"{V2}/services/hello", {"template": before["template"]})
        assert operation["done"] is True
        assert operation["response"]["generation"] == "1"


async def test_of_two_who_change_the_same_version_the_second_is_told() -> None:
    async with api() as a:
        await a.deploy("hello")
        read = await a("GET", f"{V2}/services/hello")
        await a.done(await a("PATCH", f"{V2}/services/hello", {**read, "description": "first"}))
        with pytest.raises(Refused, match="changed it meanwhile") as caught:
            await a("PATCH", f"{V2}/services/hello", {**read, "description": "second"})
        assert (caught.value.http, caught.value.error["status"]) == (409, "ABORTED")
        with pytest.raises(Refused, match="ABORTED"):
            await a("DELETE", f"{V2}/services/hello?etag={read['etag']}".replace('"', "%22"))


async def test_status_changes_do_not_change_the_etag() -> None:
    async with api() as a:
        await a("POST", f"{V2}/services?serviceId=hello", service())
        early = (await a("GET", f"{V2}/services/hello"))["etag"]
        await a.world.settled("Service", f"{LOCATION}/services/hello")
        assert (await a("GET", f"{V2}/services/hello"))["etag"] == early


async def test_validate_only_stores_nothing() -> None:
    async with api() as a:
        operation = await a("POST", f"{V2}/services?serviceId=hello&validateOnly=true", service())
        assert operation["done"] is True
        assert operation["response"]["template"]["timeout"] == "300s"
        assert await a("GET", f"{V2}/services") == {"services": []}
        assert await a("GET", f"{V2}/operations") == {"operations": []}
        await a.deploy("hello")
        before = await a("GET", f"{V2}/services/hello")
        await a("PATCH", f"{V2}/services/hello?validateOnly=true", service(timeout="9s"))
        await a("DELETE", f"{V2}/services/hello?validateOnly=true")
        assert await a("GET", f"{V2}/services/hello") == before


async def test_allow_missing_makes_a_patch_a_create() -> None:
    async with api() as a:
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("PATCH", f"{V2}/services/hello", service())
        operation = await a("PATCH", f"{V2}/services/hello?allowMissing=true", service())
        assert (await a.done(operation))["response"]["generation"] == "1"


async def test_lists_come_in_pages() -> None:
    async with api() as a:
        for index in range(5):
            await a("POST", f"{V2}/services?serviceId=s{index}", service())
        names, token = [], ""
        for _ in range(3):
            answer = await a("GET", f"{V2}/services?pageSize=2&pageToken={token}")
            names.append([s["name"][-2:] for s in answer["services"]])
            token = answer.get("nextPageToken", "")
        assert names == [["s0", "s1"], ["s2", "s3"], ["s4"]]
        assert token == ""
        with pytest.raises(Refused) as caught:
            await a("GET", f"{V2}/services?pageToken=nonsense")
        assert caught.value.fields == ["pageToken"]


async def test_the_project_s_number_means_the_project() -> None:
    async with api() as a:
        await a.deploy("hello")
        by_number = f"{V2}/services/hello".replace("homerun", "100000000001")
        assert (await a("GET", by_number))["name"].startswith("projects/homerun/")


async def test_every_project_has_services_of_its_own_and_a_number_that_leads_back() -> None:
    async with api() as a:
        other = V2.replace("homerun", "my-project")
        await a("POST", f"{other}/services?serviceId=hello", service())
        assert await a("GET", f"{V2}/services") == {"services": []}
        made = await a("GET", f"{other}/services/hello")
        number = made["uri"].split(".")[0].rpartition("-")[2]
        assert (await a("GET", f"{V2.replace('homerun', number)}/services/hello"))["name"] == made["name"]


@pytest.mark.parametrize("path", ["/v2/projects/UP/locations/l/services", "/v2/projects/p/locations/L_/services"])
async def test_bad_projects_and_locations_are_refused(path: str) -> None:
    async with api() as a:
        with pytest.raises(Refused, match="INVALID_ARGUMENT"):
            await a("GET", path)


async def test_a_location_must_be_named() -> None:
    async with api() as a:
        with pytest.raises(Refused) as caught:
            await a("GET", "/v2/projects/homerun/locations/-/services")
        assert caught.value.fields == ["location"]


async def test_a_job_from_create_to_its_tasks() -> None:
    async with api() as a:
        created = await a.create_job("work", tasks=3)
        assert created["template"]["template"]["maxRetries"] == 3
        operation = await a("POST", f"{V2}/jobs/work:run", {})
        assert operation["metadata"]["@type"] == "type.googleapis.com/google.cloud.run.v2.Execution"
        assert operation["done"] is False
        execution = (await a.done(operation))["response"]
        assert (execution["taskCount"], execution["succeededCount"], execution["job"]) == (3, 3, "work")
        path = execution["name"].removeprefix(LOCATION)
        tasks = (await a("GET", f"{V2}{path}/tasks"))["tasks"]
        assert [task["index"] for task in tasks] == [0, 1, 2]
        assert (await a("GET", f"{V2}{path}/tasks/{tasks[1]['name'].rpartition('/')[2]}"))["index"] == 1
        stored = await a("GET", f"{V2}/jobs/work")
        assert stored["executionCount"] == 1
        assert stored["latestCreatedExecution"]["completionStatus"] == "EXECUTION_SUCCEEDED"


async def test_a_failed_execution_ends_its_operation_with_an_error() -> None:
    async with api() as a:
        await a.create_job("bad", FAILING, maxRetries=0)
        operation = await a.done(await a("POST", f"{V2}/jobs/bad:run", {}))
        assert "exit code 3" in operation["error"]["message"]


async def test_overrides_are_for_one_run_only() -> None:
    async with api() as a:
        container = {"image": BATCH, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}], "args": ["x"]}
        await a.create_job("work", containers=[container])
        overrides = {
            "taskCount": 2,
            "timeout": "60s",
            "containerOverrides": [{"args": ["y"], "env": [{"name": "B", "value": "2"}]}],
        }
        operation = await a("POST", f"{V2}/jobs/work:run", {"overrides": overrides})
        execution = (await a.done(operation))["response"]
        made = execution["template"]["containers"][0]
        assert execution["taskCount"] == 2
        assert execution["template"]["timeout"] == "60s"
        assert made["args"] == ["y"]
        assert {v["name"]: v["value"] for v in made["env"]} == {"A": "1", "B": "2"}
        assert (await a("GET", f"{V2}/jobs/work"))["template"]["template"]["containers"][0]["args"] == ["x"]
        cleared = await a("POST", f"{V2}/jobs/work:run", {"overrides": {"containerOverrides": [{"clearArgs": True}]}})
        assert cleared["metadata"]["template"]["containers"][0]["args"] == []
        with pytest.raises(Refused) as caught:
            await a("POST", f"{V2}/jobs/work:run", {"overrides": {"taskCount": 10_001, "typo": 1}})
        assert set(caught.value.fields) == {"overrides.taskCount", "overrides.typo"}


async def slow_job(a: Api, overlap: str) -> str:
    """A job with this policy, running; the execution's name."""
    await a.create_job("slow", SLOW)
    await a("PATCH", f"{V2}/jobs/slow", {**job(SLOW), "annotations": {"homerun-overlap": overlap}})
    operation = await a("POST", f"{V2}/jobs/slow:run", {})
    return str(operation["metadata"]["name"])


async def test_executions_of_a_job_may_overlap() -> None:
    async with api() as a:
        first = await slow_job(a, "allow")
        await a("POST", f"{V2}/jobs/slow:run", {})
        await asyncio.sleep(60)
        executions = (await a("GET", f"{V2}/jobs/slow/executions"))["executions"]
        assert [e["runningCount"] for e in executions] == [1, 1]
        assert first in [e["name"] for e in executions]


async def test_a_job_can_forbid_that_its_executions_overlap() -> None:
    async with api() as a:
        first = await slow_job(a, "forbid")
        for body in ({}, {"validateOnly": True}):
            with pytest.raises(
                Refused, match=f"{first.rpartition('/')[2]} is not over: wait until it is, or cancel it"
            ):
                await a("POST", f"{V2}/jobs/slow:run", body)
        await a.done(await a("POST", f"/v2/{first}:cancel", {}))
        assert (await a("POST", f"{V2}/jobs/slow:run", {}))["metadata"]["name"] != first


async def test_of_two_runs_at_the_same_moment_a_job_that_forbids_overlap_takes_one() -> None:
    async with api() as a:
        await a.create_job("slow", SLOW)
        await a("PATCH", f"{V2}/jobs/slow", {**job(SLOW), "annotations": {"homerun-overlap": "forbid"}})
        runs = [a("POST", f"{V2}/jobs/slow:run", {}) for _ in range(5)]
        outcomes = await asyncio.gather(*runs, return_exceptions=True)
        assert sorted(isinstance(outcome, Refused) for outcome in outcomes) == [False, True, True, True, True]


async def test_a_job_can_have_a_new_execution_take_the_place_of_the_old_one() -> None:
    async with api() as a:
        first = await slow_job(a, "replace")
        await asyncio.sleep(10)
        second = (await a("POST", f"{V2}/jobs/slow:run", {}))["metadata"]["name"]
        await asyncio.sleep(60)
        assert (await a("GET", f"/v2/{first}"))["cancelledCount"] == 1
        assert (await a("GET", f"/v2/{second}"))["runningCount"] == 1


async def test_an_execution_can_be_asked_to_give_way_to_others() -> None:
    async with api(max_tasks=1) as a:
        await a.create_job("slow", SLOW, tasks=3)
        await a("POST", f"{V2}/jobs/slow:run", {})
        await a.create_job("work")
        late = await a("POST", f"{V2}/jobs/work:run", {"overrides": {"delayExecution": True}})
        await asyncio.sleep(10)
        conditions = (await a("GET", f"/v2/{late['metadata']['name']}"))["conditions"]
        assert [c.get("executionReason") for c in conditions if c["type"] == "Completed"] == ["DELAYED_START_PENDING"]


async def test_an_unknown_overlap_policy_is_refused_with_the_known_ones() -> None:
    async with api() as a:
        with pytest.raises(Refused) as caught:
            await a("POST", f"{V2}/jobs?jobId=work", {**job(), "annotations": {"homerun-overlap": "queue"}})
        assert caught.value.fields == ["annotations[homerun-overlap]"]


async def test_a_run_waits_for_the_image_of_a_job_that_was_just_made() -> None:
    async with api() as a:
        await a("POST", f"{V2}/jobs?jobId=work", job())
        assert "response" in await a.done(await a("POST", f"{V2}/jobs/work:run", {}))


async def test_a_job_without_an_image_cannot_run() -> None:
    async with api() as a:
        await a("POST", f"{V2}/jobs?jobId=work", job(MISSING))
        with pytest.raises(Refused, match="does not exist") as caught:
            await a("POST", f"{V2}/jobs/work:run", {})
        assert caught.value.error["status"] == "FAILED_PRECONDITION"


async def test_an_execution_can_be_cancelled_once() -> None:
    async with api() as a:
        await a.create_job("slow", SLOW)
        running = await a("POST", f"{V2}/jobs/slow:run", {})
        path = running["metadata"]["name"].removeprefix(LOCATION)
        await asyncio.sleep(1)
        cancelled = await a.done(await a("POST", f"{V2}{path}:cancel", {}))
        assert cancelled["response"]["cancelledCount"] == 1
        assert "cancelled" in (await a.done(running))["error"]["message"]
        with pytest.raises(Refused, match="nothing to cancel"):
            await a("POST", f"{V2}{path}:cancel", {})


async def test_an_execution_can_be_deleted() -> None:
    async with api() as a:
        await a.create_job("work")
        execution = (await a.done(await a("POST", f"{V2}/jobs/work:run", {})))["response"]
        path = execution["name"].removeprefix(LOCATION)
        assert (await a.done(await a("DELETE", f"{V2}{path}")))["response"]["name"] == execution["name"]
        assert (await a("GET", f"{V2}/jobs/work/executions"))["executions"] == []
        assert (await a("GET", f"{V2}{path}/tasks"))["tasks"] == []


async def test_executions_and_tasks_of_all_jobs_are_listed_with_a_dash() -> None:
    async with api() as a:
        for name in ("a", "b"):
            await a.create_job(name)
            await a.done(await a("POST", f"{V2}/jobs/{name}:run", {}))
        executions = (await a("GET", f"{V2}/jobs/-/executions"))["executions"]
        assert [e["job"] for e in executions] == ["a", "b"]
        assert len((await a("GET", f"{V2}/jobs/-/executions/-/tasks"))["tasks"]) == 2


async def test_only_a_revision_that_nobody_needs_can_be_deleted() -> None:
    async with api() as a:
        first = await a.deploy("hello")
        old = first["latestReadyRevision"].removeprefix(LOCATION)
        with pytest.raises(Refused, match="is the latest"):
            await a("DELETE", f"{V2}{old}")
        pinned = [
            {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": old.rpartition("/")[2], "percent": 100}
        ]
        body = {**service(timeout="9s"), "traffic": pinned}
        second = (await a.done(await a("PATCH", f"{V2}/services/hello", body)))["response"]
        assert second["trafficStatuses"][0]["revision"] == old.rpartition("/")[2]
        with pytest.raises(Refused, match="out of the traffic first"):
            await a("DELETE", f"{V2}{old}")
        await a.done(await a("PATCH", f"{V2}/services/hello", service(timeout="9s")))
        assert (await a("DELETE", f"{V2}{old}"))["done"] is True
        assert len((await a("GET", f"{V2}/services/hello/revisions"))["revisions"]) == 1
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("DELETE", f"{V2}{old}")


async def test_policies_are_kept_as_they_were_set() -> None:
    async with api() as a:
        await a.deploy("hello")
        target = f"{V2}/services/hello"
        empty = await a("GET", f"{target}:getIamPolicy")
        bindings = [{"role": "roles/run.invoker", "members": ["allUsers"]}]
        made = await a("POST", f"{target}:setIamPolicy", {"policy": {"bindings": bindings, "etag": empty["etag"]}})
        assert made["bindings"] == bindings
        assert await a("GET", f"{target}:getIamPolicy") == made
        with pytest.raises(Refused, match="ABORTED"):
            await a("POST", f"{target}:setIamPolicy", {"policy": {"etag": empty["etag"]}})
        permissions = {"permissions": ["run.services.get"]}
        assert await a("POST", f"{target}:testIamPermissions", permissions) == permissions
        asked = {"permissions": ["run.services.get", "run.jobs.run", "storage.buckets.get", "run.routes.invoke"]}
        known = {"permissions": ["run.services.get", "run.routes.invoke"]}
        assert await a("POST", f"{target}:testIamPermissions", asked) == known
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("GET", f"{V2}/services/other:getIamPolicy")
        await a.done(await a("DELETE", target))
        await a.deploy("hello")
        assert await a("GET", f"{target}:getIamPolicy") == empty, "a policy goes with its service"


async def test_waiting_ends_with_the_operation_or_with_its_time() -> None:
    async with api() as a:
        await a.create_job("slow", SLOW)
        operation = await a("POST", f"{V2}/jobs/slow:run", {})
        loop = asyncio.get_running_loop()
        before = loop.time()
        waited = await a("POST", f"/v2/{operation['name']}:wait", {"timeout": "20s"})
        assert waited["done"] is False
        assert 19 < loop.time() - before < 22
        listed = await a("GET", f"{V2}/operations")
        assert waited in listed["operations"]
        assert await a("DELETE", f"/v2/{operation['name']}") == {}
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("GET", f"/v2/{operation['name']}")
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("POST", f"/v2/{operation['name']}:wait", {})


async def test_what_an_update_fails_at_leaves_the_old_revision_serving() -> None:
    async with api() as a:
        first = await a.deploy("hello")
        operation = await a.done(await a("PATCH", f"{V2}/services/hello", service(MISSING)))
        assert "error" in operation
        stored = await a("GET", f"{V2}/services/hello")
        assert stored["latestReadyRevision"] == first["latestReadyRevision"]
        assert stored["trafficStatuses"] == first["trafficStatuses"]
        assert (stored["generation"], stored["observedGeneration"]) == ("2", "1")


async def test_ten_thousand_tasks_come_in_pages_of_at_most_a_thousand() -> None:
    async with api() as a:
        parent = f"{LOCATION}/jobs/big/executions/big-abcde"
        puts = [Put("Task", f"{parent}/tasks/big-abcde-task{i}", {"name": f"t{i}", "index": i}) for i in range(10_000)]
        await a.world.store.apply(*puts)
        seen, token = 0, ""
        while True:
            answer = await a("GET", f"{V2}/jobs/big/executions/big-abcde/tasks?pageSize=5000&pageToken={token}")
            assert len(answer["tasks"]) == 1000
            seen += len(answer["tasks"])
            token = answer.get("nextPageToken")
            if not token:
                break
        assert seen == 10_000


async def test_what_was_deleted_can_still_be_listed_and_its_name_is_free() -> None:
    async with api() as a:
        first = await a.deploy("hello")
        deleted = (await a.done(await a("DELETE", f"{V2}/services/hello")))["response"]
        assert deleted["deleteTime"] < deleted["expireTime"]
        assert await a("GET", f"{V2}/services") == {"services": []}
        [shown] = (await a("GET", f"{V2}/services?showDeleted=true"))["services"]
        assert (shown["uid"], shown["deleteTime"]) == (first["uid"], deleted["deleteTime"])
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("GET", f"{V2}/services/hello")
        second = await a.deploy("hello")
        await a.deploy("hello-again")
        shown = (await a("GET", f"{V2}/services?showDeleted=true"))["services"]
        assert {s["uid"] for s in shown} >= {first["uid"], second["uid"]}
        pages, token = [], ""
        for _ in range(3):
            answer = await a("GET", f"{V2}/services?showDeleted=true&pageSize=1&pageToken={token}")
            pages += [s["uid"] for s in answer["services"]]
            token = answer.get("nextPageToken", "")
        assert pages == [s["uid"] for s in shown]
        await asyncio.sleep(31 * 86400)
        assert first["uid"] not in [s["uid"] for s in (await a("GET", f"{V2}/services?showDeleted=true"))["services"]]


async def test_a_deleted_job_is_listed_too() -> None:
    async with api() as a:
        await a.create_job()
        await a.done(await a("DELETE", f"{V2}/jobs/work"))
        assert [j["name"] for j in (await a("GET", f"{V2}/jobs?showDeleted=true"))["jobs"]] == [f"{LOCATION}/jobs/work"]


async def test_a_dash_stands_for_any_parent_and_a_name_after_it_for_that_name() -> None:
    async with api() as a:
        made = {}
        for name in ("a", "b"):
            await a.create_job(name)
            operation = await a.done(await a("POST", f"{V2}/jobs/{name}:run", {}))
            made[name] = operation["response"]["name"].rpartition("/")[2]
        found = (await a("GET", f"{V2}/jobs/-/executions/{made['b']}/tasks"))["tasks"]
        assert [task["execution"].rpartition("/")[2] for task in found] == [made["b"]]
        assert len((await a("GET", f"{V2}/jobs/a/executions/-/tasks"))["tasks"]) == 1


async def test_pages_stay_right_while_the_list_changes() -> None:
    async with api() as a:
        for name in ("a1", "c1", "e1", "g1"):
            await a.deploy(name)
        first = await a("GET", f"{V2}/services?pageSize=2")
        for name in ("b1", "d1", "f1"):
            await a.deploy(name)
        await a.done(await a("DELETE", f"{V2}/services/c1"))
        rest = await a("GET", f"{V2}/services?pageToken={first['nextPageToken']}")
        seen = [s["name"].rpartition("/")[2] for s in (*first["services"], *rest["services"])]
        assert seen == ["a1", "c1", "d1", "e1", "f1", "g1"], "none twice, none of the old ones missing"


@pytest.mark.parametrize(
    ("mask", "sent", "changed"),
    [
        ("template.timeout", {"template": {"timeout": "9s"}}, {"timeout": "9s"}),
        ("template.scaling.max_instance_count", {"template": {"scaling": {"maxInstanceCount": 7}}}, {"max": 7}),
        ("description,template.timeout", {"description": "x"}, {"description": "x", "timeout": "300s"}),
        ("labels", {"labels": {"a": "b"}, "description": "not named"}, {"labels": {"a": "b"}}),
    ],
)
async def test_update_masks_reach_into_the_template(mask: str, sent: dict[str, Any], changed: dict[str, Any]) -> None:
    async with api() as a:
        await a.deploy("hello", timeout="30s")
        made = (await a.done(await a("PATCH", f"{V2}/services/hello?updateMask={mask}", sent)))["response"]
        got = {
            "timeout": made["template"]["timeout"],
            "max": made["template"]["scaling"]["maxInstanceCount"],
            "description": made.get("description"),
            "labels": made.get("labels"),
        }
        assert got == {"timeout": "30s", "max": 100, "description": None, "labels": None} | changed


async def test_scaling_targets_of_ones_own_reach_the_revision_and_what_makes_no_sense_is_refused() -> None:
    async with api() as a:
        made = await a.deploy(scaling={"cpuUtilization": 0, "concurrencyUtilization": 0.9})
        revision = await a("GET", f"{V2}/services/hello/revisions/{made['latestReadyRevision'].rpartition('/')[2]}")
        assert revision["scaling"] == {"cpuUtilization": 0, "concurrencyUtilization": 0.9}
        group = a.world.control.capacity.group(revision["name"])
        assert group is not None and group.spec.concurrency_target == 0.9 and group.spec.cpu_target == 0
        for bad in ({"cpuUtilization": 0, "concurrencyUtilization": 0}, {"concurrencyUtilization": 0.05}):
            with pytest.raises(Refused, match="concurrencyUtilization"):
                await a("POST", f"{V2}/services?serviceId=bad", service(scaling=bad))


async def test_a_mask_of_everything_replaces_and_a_wrong_one_is_refused() -> None:
    async with api() as a:
        await a.deploy("hello", timeout="30s")
        made = (await a.done(await a("PATCH", f"{V2}/services/hello?updateMask=*", service())))["response"]
        assert made["template"]["timeout"] == "300s"
        for mask in ("template.nothing", "timeout", "template..timeout"):
            with pytest.raises(Refused) as caught:
                await a("PATCH", f"{V2}/services/hello?updateMask={mask}", service())
            assert caught.value.fields == ["updateMask"]


async def test_nothing_that_only_validates_changes_anything() -> None:
    async with api() as a:
        await a.deploy("hello")
        await a.done(await a("PATCH", f"{V2}/services/hello", service(timeout="9s")))
        await a.create_job("slow", SLOW)
        running = await a("POST", f"{V2}/jobs/slow:run", {})
        await asyncio.sleep(5)
        execution = running["metadata"]["name"].removeprefix(LOCATION)
        old = (await a("GET", f"{V2}/services/hello/revisions"))["revisions"][0]["name"].removeprefix(LOCATION)
        before = await a.world.store.version()
        for method, path, body in (
            ("PATCH", "/jobs/slow?validateOnly=true", job(SLOW, timeout="7s")),
            ("DELETE", "/jobs/slow?validateOnly=true", None),
            ("POST", "/jobs/slow:run", {"validateOnly": True}),
            ("POST", f"{execution}:cancel", {"validateOnly": True}),
            ("DELETE", f"{execution}?validateOnly=true", None),
            ("DELETE", f"{old}?validateOnly=true", None),
            ("POST", "/jobs?jobId=more&validateOnly=true", job()),
            ("PATCH", "/jobs/more?validateOnly=true&allowMissing=true", job()),
        ):
            assert (await a(method, V2 + path, body))["done"] is True
        assert await a.world.store.version() == before


async def test_everything_that_is_written_can_be_guarded_by_an_etag() -> None:
    async with api() as a:
        await a.deploy("hello")
        await a.done(await a("PATCH", f"{V2}/services/hello", service(timeout="9s")))
        await a.create_job("slow", SLOW)
        running = await a("POST", f"{V2}/jobs/slow:run", {})
        execution = running["metadata"]["name"].removeprefix(LOCATION)
        old = (await a("GET", f"{V2}/services/hello/revisions"))["revisions"][0]["name"].removeprefix(LOCATION)
        for method, path, body in (
            ("PATCH", "/services/hello", {**service(), "etag": "x"}),
            ("DELETE", "/services/hello?etag=x", None),
            ("PATCH", "/jobs/slow", {**job(SLOW), "etag": "x"}),
            ("POST", "/jobs/slow:run", {"etag": "x"}),
            ("DELETE", "/jobs/slow?etag=x", None),
            ("POST", f"{execution}:cancel", {"etag": "x"}),
            ("DELETE", f"{execution}?etag=x", None),
            ("DELETE", f"{old}?etag=x", None),
        ):
            with pytest.raises(Refused) as caught:
                await a(method, V2 + path, body)
            assert (caught.value.http, caught.value.error["status"]) == (409, "ABORTED"), path
