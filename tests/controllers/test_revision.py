"""Revisions: their names, their conditions, what keeps them, and what a thousand of them cost."""

import asyncio
from typing import Any

import pytest

from homerun.controllers.revision_status import image_reason
from homerun.engine.base import EngineUnavailable, Exit, ImageForbidden, ImageNotFound, ImageUnusable
from homerun.engine.fake.script import Script
from homerun.lib.errors import Internal
from homerun.model import conditions, limits
from homerun.wire.link import RouteSet, Target
from tests.support.api import SERVING, V2, Api, Refused, api, service

pytestmark = pytest.mark.looptime

BY_NAME, LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"


async def patch(a: Api, body: dict[str, Any], mask: str = "") -> dict[str, Any]:
    operation = await a.done(await a("PATCH", f"{V2}/services/hello?updateMask={mask}", body))
    assert "response" in operation, operation["error"]
    response: dict[str, Any] = operation["response"]
    return response


async def revision(a: Api, name: str) -> dict[str, Any]:
    found: dict[str, Any] = await a("GET", f"{V2}/services/hello/revisions/{name.rpartition('/')[2]}")
    return found


async def condition(a: Api, name: str, type: str) -> dict[str, Any]:
    return conditions.find((await revision(a, name))["conditions"], type) or {}


async def until_condition(a: Api, name: str, type: str, **wanted: str) -> dict[str, Any]:
    async def there() -> bool:
        found = await condition(a, name, type)
        return wanted.items() <= found.items()

    await a.world.until(there)
    return await condition(a, name, type)


def to(revision: str, percent: int = 0, tag: str = "") -> dict[str, Any]:
    return {"type": BY_NAME, "revision": revision.rpartition("/")[2], "percent": percent, "tag": tag}


async def test_a_revision_says_how_it_stands() -> None:
    async with api() as a:
        first = (await a.deploy())["latestReadyRevision"]
        assert (await until_condition(a, first, "Active", state="CONDITION_SUCCEEDED"))["severity"] == "INFO"
        stored = await revision(a, first)
        types = [condition["type"] for condition in stored["conditions"]]
        assert types == ["Ready", "ResourcesAvailable", "ContainerHealthy", "Active"]
        assert [s["imageDigest"].partition("@sha256:")[0] for s in stored["containerStatuses"]] == ["registry.test/web"]
        second = (await patch(a, service(timeout="9s")))["latestReadyRevision"]
        retired = await until_condition(a, first, "Active", revisionReason="RETIRED")
        assert (retired["state"], retired["message"]) == ("CONDITION_FAILED", "Revision retired.")
        assert (await condition(a, first, "Ready"))["state"] == "CONDITION_SUCCEEDED"
        await until_condition(a, second, "Active", state="CONDITION_SUCCEEDED")
        await patch(a, {"traffic": [to(first, 100)]}, "traffic")
        await until_condition(a, first, "Active", state="CONDITION_SUCCEEDED")
        await until_condition(a, second, "Active", revisionReason="RETIRED")


async def test_a_revision_says_that_there_is_no_first_generation() -> None:
    async with api() as a:
        first = (await a.deploy(executionEnvironment="EXECUTION_ENVIRONMENT_GEN1"))["latestReadyRevision"]
        found = await condition(a, first, "ResourcesAvailable")
        assert found["state"] == "CONDITION_SUCCEEDED" and "no gVisor" in found["message"]
        second = (await patch(a, service(executionEnvironment="EXECUTION_ENVIRONMENT_GEN2")))["latestReadyRevision"]
        assert "message" not in await condition(a, second, "ResourcesAvailable")


async def test_a_revision_without_traffic_is_in_reserve_as_v1_says_too() -> None:
    async with api() as a:
        first = (await a.deploy())["latestReadyRevision"]
        made = await patch(a, {**service(timeout="9s"), "traffic": [to(first, 100)]})
        assert made["latestReadyRevision"] != first
        name = made["latestReadyRevision"].rpartition("/")[2]
        found = (await a("GET", f"{SERVING}/revisions/{name}"))["status"]["conditions"]
        [active] = [c for c in found if c["type"] == "Active"]
        assert (active["status"], active["reason"], active["severity"]) == ("Unknown", "Reserve", "Info")


async def test_a_service_fails_for_the_reason_that_its_revision_failed_for() -> None:
    broken = "registry.test/broken:1"
    async with api({broken: Script(exit=Exit(code=1), exit_after=0, ready=9)}) as a:
        for image, key, reason in (
            (broken, "revisionReason", "HEALTH_CHECK_CONTAINER_ERROR"),
            ("registry.test/missing:1", "reason", "CONTAINER_MISSING"),
        ):
            operation = await a("PATCH", f"{V2}/services/hello?allowMissing=true", service(image))
            assert "error" in await a.done(operation)
            failed = (await a("GET", f"{V2}/services/hello"))["terminalCondition"]
            assert (failed["state"], failed[key]) == ("CONDITION_FAILED", reason)
            shown = (await a("GET", f"{SERVING}/services/hello"))["status"]["conditions"]
            assert {c["reason"] for c in shown if c["status"] == "False"} == {reason.title().replace("_", "")}


async def test_a_skipped_health_check_is_said() -> None:
    async with api() as a:
        made = await a.deploy(healthCheckDisabled=True)
        healthy = await condition(a, made["latestReadyRevision"], "ContainerHealthy")
        assert healthy["revisionReason"] == "HEALTH_CHECK_SKIPPED"


async def test_a_minimum_of_instances_is_provisioned_and_a_revision_says_when() -> None:
    slow = "registry.test/slow-start:1"
    async with api({slow: Script(ready=30)}) as a:
        name = (await a.deploy(image=slow))["latestReadyRevision"]
        await patch(a, {"scaling": {"minInstanceCount": 2}}, "scaling")
        warming = await until_condition(a, name, "MinInstancesProvisioned", revisionReason="MIN_INSTANCES_WARMING")
        assert (warming["state"], warming["message"]) == ("CONDITION_RECONCILING", "1 of 2 instances are ready.")
        await until_condition(a, name, "MinInstancesProvisioned", state="CONDITION_SUCCEEDED")
        assert (await revision(a, name))["scalingStatus"] == {"desiredMinInstanceCount": 2}
        status = (await a("GET", f"{SERVING}/revisions/{name.rpartition('/')[2]}"))["status"]
        assert (status["desiredReplicas"], len(status["containerStatuses"])) == (2, 1)


async def test_a_minimum_that_cannot_be_kept_says_why() -> None:
    flaky = "registry.test/flaky:1"
    works = [True]
    fails = Script(exit=Exit(code=9), exit_after=0, ready=5)
    async with api({flaky: lambda spec: Script() if works[0] else fails}) as a:
        name = (await a.deploy(image=flaky))["latestReadyRevision"]
        works[0] = False
        before = await a("GET", f"{V2}/services/hello")
        await patch(a, {"scaling": {"minInstanceCount": 2}}, "scaling")
        lacking = await until_condition(a, name, "MinInstancesProvisioned", state="CONDITION_FAILED")
        assert lacking["revisionReason"] == "MIN_INSTANCES_NOT_PROVISIONED"
        assert "exit(9)" in lacking["message"]
        after = await a("GET", f"{V2}/services/hello")
        assert after["latestCreatedRevision"] == before["latestCreatedRevision"], "the service's minimum is no template"


async def test_manual_scaling_and_the_maximum_of_a_service_count_without_a_new_revision() -> None:
    async with api() as a:
        name = (await a.deploy())["latestReadyRevision"]
        scaling = {"scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 3}}
        assert (await patch(a, scaling, "scaling"))["latestReadyRevision"] == name
        await a.world.until(lambda: len(a.world.engine.instances()) == 3)
        await patch(a, {"scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 0}}, "scaling")
        await a.world.until(lambda: not a.world.engine.instances())


async def test_the_latest_revision_by_both_its_names_has_one_status() -> None:
    async with api() as a:
        name = (await a.deploy())["latestReadyRevision"].rpartition("/")[2]
        traffic = [{"type": LATEST, "percent": 70}, to(name, 30), to(name, 0, "blue")]
        made = await patch(a, {"traffic": traffic}, "traffic")
        combined, tagged = made["trafficStatuses"]
        assert combined == {"type": BY_NAME, "revision": name, "percent": 100}
        assert (tagged["tag"], "percent" in tagged) == ("blue", False)
        shown = (await a("GET", f"{SERVING}/services/hello"))["status"]["traffic"]
        assert shown[0] == {"revisionName": name, "percent": 100}, "and latestRevision is not set"
        assert sum(t.percent for t in a.world.router.last(RouteSet).targets) == 100


async def test_a_name_can_be_given_again_to_the_same_template_only() -> None:
    async with api() as a:
        await a.deploy(revision="hello-one")
        await patch(a, service(revision="hello-two", timeout="9s"))
        again = await patch(a, service(revision="hello-one"))
        assert again["latestReadyRevision"].endswith("/hello-one")
        assert a.world.router.last(RouteSet).targets == [Target(again["latestReadyRevision"], 100)]
        with pytest.raises(Refused, match="'hello-two' with different configuration already exists") as caught:
            await a("PATCH", f"{V2}/services/hello", service(revision="hello-two", timeout="10s"))
        assert (caught.value.http, caught.value.error["status"]) == (409, "ALREADY_EXISTS")
        after = await a("GET", f"{V2}/services/hello")
        assert after["etag"] == again["etag"] or after["generation"] == again["generation"], "nothing has changed"
        assert len((await a("GET", f"{V2}/services/hello/revisions"))["revisions"]) == 2


async def test_a_nonce_makes_a_revision_and_moving_traffic_does_not() -> None:
    async with api() as a:
        first = await a.deploy(labels={"client.knative.dev/nonce": "a"})
        second = await patch(a, service(labels={"client.knative.dev/nonce": "b"}))
        assert second["latestReadyRevision"] != first["latestReadyRevision"]
        third = await patch(a, {**second, "traffic": [to(first["latestReadyRevision"], 100)]})
        assert third["latestCreatedRevision"] == second["latestCreatedRevision"]


async def test_beyond_the_limit_the_oldest_revisions_that_nothing_leads_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REVISIONS", 4)
    async with api() as a:
        made = [(await a.deploy())["latestReadyRevision"]]
        await patch(a, {"traffic": [{"type": LATEST, "percent": 100}, to(made[0], 0, "first")]}, "traffic")
        made += [(await patch(a, service(timeout=f"{n}s"), "template"))["latestReadyRevision"] for n in range(1, 7)]
        left = [r["name"] for r in (await a("GET", f"{V2}/services/hello/revisions"))["revisions"]]
        assert left == [made[0], *made[-3:]], "the tagged one stays"
        assert [
            r["metadata"]["labels"]["serving.knative.dev/configurationGeneration"]
            for r in (await a("GET", f"{SERVING}/revisions"))["items"]
        ] == ["1", "5", "6", "7"]


async def test_a_deployment_costs_the_same_with_many_revisions_as_with_few() -> None:
    async with api() as a:
        await a.deploy()
        costs = []
        for seconds in (1, 2, 300):
            if seconds == 300:
                for more in range(3, 23):
                    await patch(a, service(timeout=f"{more}s"))
            counted = _count_reads(a)
            await patch(a, service(timeout=f"{seconds}s"))
            await asyncio.sleep(5)
            costs.append(counted())
        assert costs[2] <= costs[1] * 1.2


def _count_reads(a: Api) -> Any:
    """Documents that are read from the store from now on."""
    store, read = a.world.store, [0]
    get, listing = type(store).get.__get__(store), type(store).list.__get__(store)

    async def counted_get(*args: Any, **options: Any) -> Any:
        read[0] += 1
        return await get(*args, **options)

    async def counted_list(*args: Any, **options: Any) -> Any:
        found = await listing(*args, **options)
        read[0] += len(found)
        return found

    store.get, store.list = counted_get, counted_list  # type: ignore[method-assign]
    return lambda: read[0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ImageNotFound("x"), "CONTAINER_MISSING"),
        (ImageForbidden("x"), "CONTAINER_IMAGE_UNAUTHORIZED"),
        (ImageUnusable("x"), "UNKNOWN"),
        (EngineUnavailable("x"), "INTERNAL"),
        (Internal("x"), "UNKNOWN"),
    ],
)
def test_why_an_image_is_not_there(error: Any, reason: str) -> None:
    assert image_reason(error) == reason
