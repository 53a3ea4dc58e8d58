"""A caller who is not the owner, against the whole API."""

from __future__ import annotations

from typing import Any

import pytest

from homerun.apis.authorization import permissions_of
from homerun.apis.rest import Call
from homerun.model.identity import OWNER
from homerun.wire.discovery import description
from tests.support.api import RUN, SERVING, V2, Api, Refused, api, service
from tests.support.identity import ROBOT

pytestmark = pytest.mark.looptime


class Robot:
    """A service account with an access token of its own."""

    def __init__(self, api: Api) -> None:
        self._api = api
        token = api.world.control.issuer.access_token(ROBOT, api.world.control.clock.now())
        self._headers = {"authorization": f"Bearer {token.text}"}

    async def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return await self._api(method, path, body, **self._headers)

    async def denied(self, method: str, path: str, body: Any = None) -> str:
        with pytest.raises(Refused, match="PERMISSION_DENIED") as refused:
            await self(method, path, body)
        return str(refused.value.error["message"])

    async def grant(self, resource: str, *roles: str) -> None:
        bindings = [{"role": role, "members": [f"serviceAccount:{ROBOT}"]} for role in roles]
        await self._api("POST", f"{V2}/{resource}:setIamPolicy", {"policy": {"bindings": bindings}})


async def test_without_a_role_nothing_is_shown_and_nothing_done() -> None:
    async with api() as a:
        await a.deploy("hello")
        await a.create_job("work")
        robot = Robot(a)
        for method, path, body in (
            ("GET", f"{V2}/services/hello", None),
            ("GET", f"{V2}/services", None),
            ("GET", f"{V2}/services/none", None),
            ("POST", f"{V2}/services?serviceId=mine", service()),
            ("PATCH", f"{V2}/services/hello", service()),
            ("DELETE", f"{V2}/services/hello", None),
            ("POST", f"{V2}/services/hello:setIamPolicy", {"policy": {}}),
            ("POST", f"{V2}/jobs/work:run", {}),
            ("GET", f"{V2}/operations", None),
            ("GET", f"{SERVING}/services/hello", None),
            ("GET", f"{SERVING}/services", None),
            ("GET", f"{RUN}/jobs/work", None),
            ("POST", "/v2/entries:list", {"resourceNames": ["projects/homerun"]}),
            ("POST", "/homerun/v1:shutdown", {}),
            ("POST", "/homerun/v1/projects/homerun/locations/us-central1/builds", {}),
            ("GET", "/homerun/v1/projects/homerun/locations/us-central1/services/hello:explain", None),
        ):
            assert await robot.denied(method, path, body)
        message = await robot.denied("GET", f"{V2}/services/hello")
        assert message.startswith("Permission 'run.services.get' denied on resource 'projects/homerun/locations/")
        assert (
            await robot("POST", f"{V2}/services/hello:testIamPermissions", {"permissions": ["run.services.get"]}) == {}
        )
        assert (await robot("GET", "/homerun/v1/info"))["project"] == "homerun"
        assert (await a("GET", f"{V2}/services/hello"))["generation"] == "1", "the owner sees that nothing happened"


async def test_a_viewer_sees_that_resource_in_both_versions_and_changes_nothing() -> None:
    async with api() as a:
        made = await a.deploy("hello")
        await a.deploy("other")
        robot = Robot(a)
        await robot.grant("services/hello", "roles/run.viewer")
        revision = made["latestReadyRevision"].rpartition("/")[2]
        for path in (
            f"{V2}/services/hello",
            f"{V2}/services/hello/revisions/{revision}",
            f"{V2}/services/hello/revisions",
            f"{V2}/services/hello:getIamPolicy",
            f"{SERVING}/services/hello",
            f"{SERVING}/routes/hello",
            f"{SERVING}/revisions/{revision}",
        ):
            assert await robot("GET", path)
        await robot.denied("GET", f"{V2}/services/other")
        await robot.denied("PATCH", f"{V2}/services/hello", service())
        await robot.denied("POST", f"{V2}/services/hello:setIamPolicy", {"policy": {}})
        asked = {"permissions": ["run.services.get", "run.services.update", "run.routes.invoke"]}
        allowed = await robot("POST", f"{V2}/services/hello:testIamPermissions", asked)
        assert allowed == {"permissions": ["run.services.get"]}


async def test_a_developer_deploys_and_waits_but_lets_nobody_in() -> None:
    async with api() as a:
        await a.deploy("hello")
        robot = Robot(a)
        await robot.grant("services/hello", "roles/run.developer")
        operation = await robot("PATCH", f"{V2}/services/hello", service(timeout="10s"))
        waited = await robot("POST", f"/v2/{operation['name']}:wait", {"timeout": "100s"})
        assert waited["done"]
        made = await a("GET", f"{V2}/services/hello")
        assert (made["creator"], made["lastModifier"]) == (OWNER, ROBOT)
        await robot.denied("POST", f"{V2}/services/hello:setIamPolicy", {"policy": {}})
        posing = service(serviceAccount="mighty@p.iam.gserviceaccount.com")
        assert "actAs" in await robot.denied("PATCH", f"{V2}/services/hello", posing)
        assert await robot("PATCH", f"{V2}/services/hello", service(serviceAccount=ROBOT))
        opened = {**service(), "invokerIamDisabled": True}
        assert "setIamPolicy" in await robot.denied("PATCH", f"{V2}/services/hello", opened)
        v1 = await robot("GET", f"{SERVING}/services/hello")
        v1["metadata"]["annotations"]["run.googleapis.com/invoker-iam-disabled"] = "true"
        assert "setIamPolicy" in await robot.denied("PUT", f"{SERVING}/services/hello", v1)


async def test_an_invoker_runs_the_job_but_not_with_overrides() -> None:
    async with api() as a:
        await a.create_job("work")
        robot = Robot(a)
        await robot.grant("jobs/work", "roles/run.invoker")
        started = await robot("POST", f"{V2}/jobs/work:run", {})
        assert started["metadata"]["creator"] == ROBOT
        overrides = {"overrides": {"taskCount": 3}}
        assert "runWithOverrides" in await robot.denied("POST", f"{V2}/jobs/work:run", overrides)
        await robot.grant("jobs/work", "roles/run.jobsExecutorWithOverrides")
        operation = await robot("POST", f"{V2}/jobs/work:run", overrides)
        execution = operation["metadata"]["name"]
        await robot.denied("GET", f"/v2/{execution}")
        await robot("POST", f"/v2/{execution}:cancel", {})


@pytest.mark.parametrize(
    ("api", "method", "body", "permission"),
    [
        ("run.v2", "run.projects.locations.services.patch", {}, "run.services.update"),
        ("run.v2", "run.projects.locations.workerPools.getIamPolicy", {}, "run.workerpools.getIamPolicy"),
        ("run.v2", "run.projects.locations.jobs.run", {}, "run.jobs.run"),
        ("run.v2", "run.projects.locations.jobs.run", {"overrides": {"x": 1}}, "run.jobs.runWithOverrides"),
        ("run.v2", "run.projects.locations.operations.wait", {}, "run.operations.get"),
        ("run.v1", "run.namespaces.services.replaceService", {}, "run.services.update"),
        ("run.v1", "run.namespaces.executions.cancel", {}, "run.executions.cancel"),
    ],
)
def test_each_method_has_its_permission(api: str, method: str, body: dict[str, Any], permission: str) -> None:
    assert permissions_of(Call(description(api).methods[method], {}, {}, body)) == [permission]
