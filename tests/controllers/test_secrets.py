"""Secrets as variables: checked at the deployment, read at each start, in the name of the service account."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homerun.controllers.secrets import Opened
from homerun.engine.base import InstanceSpec
from tests.support.api import BATCH, SERVING, V2, WEB, Api, Refused, api
from tests.support.secrets import DEFAULT_ACCOUNT, Secrets

pytestmark = pytest.mark.looptime

ROBOT = "robot@homerun.iam.gserviceaccount.com"


@pytest.fixture
async def a() -> AsyncIterator[Api]:
    async with api() as made:
        yield made


@pytest.fixture
def secrets(a: Api) -> Secrets:
    return Secrets(a)


def variable(name: str, secret: str, version: str = "latest") -> dict[str, Any]:
    return {"name": name, "valueSource": {"secretKeyRef": {"secret": secret, "version": version}}}


def template(*env: dict[str, Any], image: str = WEB, **fields: Any) -> dict[str, Any]:
    return {"containers": [{"image": image, "env": list(env)}], **fields}


async def deployed(a: Api, name: str, *env: dict[str, Any], **fields: Any) -> Any:
    """The operation at its end."""
    body = {"template": template(*env, **fields)}
    return await a.done(await a("POST", f"{V2}/services?serviceId={name}", body))


async def failure(a: Api, name: str, *env: dict[str, Any], **fields: Any) -> str:
    operation = await deployed(a, name, *env, **fields)
    assert "error" in operation, "it was deployed"
    return str(operation["error"]["message"])


def environment(spec: InstanceSpec) -> dict[str, str]:
    return dict(spec.containers[0].env)


async def test_a_variable_has_what_is_in_the_secret(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2", "größer".encode())
    await secrets.grant("db")
    operation = await deployed(
        a, "hello", {"name": "A", "value": "1"}, variable("NEW", "db"), variable("OLD", "db", "1")
    )
    assert "response" in operation, operation
    env = environment(a.world.engine.started[-1])
    assert (env["A"], env["NEW"], env["OLD"], env["K_SERVICE"]) == ("1", "größer", "hunter2", "hello")


async def test_latest_is_what_is_latest_when_an_instance_starts(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"one")
    await secrets.grant("db")
    await deployed(a, "hello", variable("S", "db"))
    assert environment(a.world.engine.started[-1])["S"] == "one"
    await secrets.add("db", b"two")
    started = len(a.world.engine.started)
    a.world.engine.kill(a.world.engine.started[-1].id)
    await a(
        "PATCH",
        f"{V2}/services/hello",
        {"template": {**template(variable("S", "db")), "scaling": {"minInstanceCount": 1}}},
    )
    await a.world.until(lambda: len(a.world.engine.started) > started)
    assert environment(a.world.engine.started[-1])["S"] == "two"


async def test_without_the_role_nothing_is_deployed_and_the_message_says_how_to_grant_it(
    a: Api, secrets: Secrets
) -> None:
    await secrets.create("db", b"hunter2")
    message = await failure(a, "hello", variable("S", "db"))
    assert (
        "Permission denied on secret: projects/100000000001/secrets/db/versions/latest for Revision service account "
        f"{DEFAULT_ACCOUNT}. The service account used must be granted the 'Secret Manager Secret Accessor' role "
        "(roles/secretmanager.secretAccessor) at the secret, project or higher level."
    ) in message
    assert message.endswith(f"homerun secrets add-iam-policy-binding db --member serviceAccount:{DEFAULT_ACCOUNT}")
    assert a.world.engine.started == []
    revision = (await a("GET", f"{V2}/services/hello/revisions"))["revisions"][0]
    reasons = {c["type"]: c.get("reason") for c in revision["conditions"] if c["state"] == "CONDITION_FAILED"}
    assert reasons == {"Ready": "SECRETS_ACCESS_CHECK_FAILED", "ResourcesAvailable": "SECRETS_ACCESS_CHECK_FAILED"}
    v1 = (await a("GET", f"{SERVING}/revisions"))["items"][0]
    assert {c["reason"] for c in v1["status"]["conditions"] if c["status"] == "False"} == {"SecretsAccessCheckFailed"}


async def test_it_is_the_service_account_of_the_template_that_reads(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    await secrets.grant("db", f"serviceAccount:{ROBOT}")
    assert DEFAULT_ACCOUNT in await failure(a, "hello", variable("S", "db"))
    operation = await deployed(a, "robots", variable("S", "db"), serviceAccount=ROBOT)
    assert "response" in operation, operation


@pytest.mark.parametrize(
    ("secret", "version", "message"),
    [
        ("none", "latest", "Secret projects/100000000001/secrets/none/versions/latest was not found."),
        ("empty", "latest", "Secret [projects/100000000001/secrets/empty] not found or has no versions."),
        ("db", "9", "Secret Version [projects/100000000001/secrets/db/versions/9] not found."),
        ("db", "1", "Secret Version [projects/100000000001/secrets/db/versions/1] is in DISABLED state."),
    ],
)
async def test_what_is_not_there_is_said(a: Api, secrets: Secrets, secret: str, version: str, message: str) -> None:
    await secrets.create("empty")
    await secrets.create("db", b"hunter2", b"hunter3")
    await secrets("POST", "secrets/db/versions/1:disable", {})
    for id in ("empty", "db"):
        await secrets.grant(id)
    assert message in await failure(a, "hello", variable("S", secret, version))


async def test_a_secret_by_its_full_name_an_alias_and_of_another_project(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    await secrets("PATCH", "secrets/db?updateMask=versionAliases", {"versionAliases": {"prod": 1}})
    await secrets.grant("db")
    other = await a("POST", "/v1/projects/other/secrets?secretId=x", {"replication": {"automatic": {}}})
    await a("POST", f"/v1/{other['name']}:addVersion", {"payload": {"data": "eA=="}})
    variables = [variable("S", "projects/homerun/secrets/db", "prod"), variable("X", other["name"])]
    message = await failure(a, "hello", *variables)
    assert f"Permission denied on secret: {other['name']}/versions/latest" in message
    assert message.endswith("--project other")
    policy = {
        "bindings": [{"role": "roles/secretmanager.secretAccessor", "members": [f"serviceAccount:{DEFAULT_ACCOUNT}"]}]
    }
    await a("POST", f"/v1/{other['name']}:setIamPolicy", {"policy": policy})
    assert "response" in await deployed(a, "again", *variables)
    env = environment(a.world.engine.started[-1])
    assert (env["S"], env["X"]) == ("hunter2", "x")


async def test_an_instance_that_cannot_have_its_secret_does_not_start(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    await secrets.grant("db")
    scaled = {"template": {**template(variable("S", "db")), "scaling": {"minInstanceCount": 1}}}
    await a.done(await a("POST", f"{V2}/services?serviceId=hello", scaled))
    await secrets("POST", "secrets/db/versions/1:destroy", {})
    started = len(a.world.engine.started)
    a.world.engine.kill(a.world.engine.started[-1].id)
    why = (
        "The secret for variable S of container hello-1 cannot be read. Secret Version "
        "[projects/100000000001/secrets/db/versions/1] is in DESTROYED state."
    )

    async def said() -> bool:
        revision = (await a("GET", f"{V2}/services/hello/revisions"))["revisions"][0]
        return any(why in c.get("message", "") for c in revision["conditions"])

    await a.world.until(said)
    assert len(a.world.engine.started) == started
    lines = (await a("POST", "/v2/entries:list", {"resourceNames": ["projects/homerun"]}))["entries"]
    assert any(why in json.dumps(line) for line in lines)


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"a\0b"])
async def test_what_is_no_text_is_no_variable(a: Api, secrets: Secrets, payload: bytes) -> None:
    await secrets.create("db", payload)
    await secrets.grant("db")
    assert "variable S of container hello-1 is no text: mount it as a file instead" in await failure(
        a, "hello", variable("S", "db")
    )


async def test_jobs(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    task = template(variable("S", "db"), image=BATCH)
    body = {"template": {"template": task}}
    operation = await a.done(await a("POST", f"{V2}/jobs?jobId=denied", body))
    assert "Permission denied on secret" in operation["error"]["message"]
    job = await a("GET", f"{V2}/jobs/denied")
    assert job["terminalCondition"]["reason"] == "SECRETS_ACCESS_CHECK_FAILED"
    await secrets.grant("db")
    await a.done(await a("POST", f"{V2}/jobs?jobId=work", body))
    await a.done(await a("POST", f"{V2}/jobs/work:run", {}))
    assert environment(a.world.engine.started[-1])["S"] == "hunter2"
    await secrets.create("other", b"hunter3")
    await secrets.grant("other")
    overrides = {"containerOverrides": [{"env": [variable("S", "other")]}]}
    await a.done(await a("POST", f"{V2}/jobs/work:run", {"overrides": overrides}))
    assert environment(a.world.engine.started[-1])["S"] == "hunter3"


async def test_worker_pools(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    await secrets.grant("db")
    body = {"template": template(variable("S", "db")), "scaling": {"manualInstanceCount": 1}}
    operation = await a.done(await a("POST", f"{V2}/workerPools?workerPoolId=crew", body))
    assert "response" in operation, operation
    assert environment(a.world.engine.started[-1])["S"] == "hunter2"


async def test_a_task_that_cannot_have_its_secret_fails_with_the_reason(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    await secrets.grant("db")
    await a.create_job("work", containers=[{"image": BATCH, "env": [variable("S", "db")]}], maxRetries=0)
    await secrets("DELETE", "secrets/db")
    operation = await a.done(await a("POST", f"{V2}/jobs/work:run", {}))
    assert "secrets/db/versions/latest was not found" in json.dumps(operation)


async def test_both_a_value_and_a_secret_is_wrong(a: Api) -> None:
    with pytest.raises(Refused) as caught:
        await a("POST", f"{V2}/services?serviceId=hello", {"template": template({**variable("S", "db"), "value": "1"})})
    assert caught.value.fields == ["template.containers[0].env[0].valueSource"]


def test_what_was_opened_is_not_shown() -> None:
    assert "hunter2" not in repr(Opened({"hello-1": {"S": "hunter2"}}))
