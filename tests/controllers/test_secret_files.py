"""Secrets as files: there when an instance starts, and what they should be while it runs."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from homerun.controllers.secrets import Secrets as Reader
from homerun.model.secret_needs import SecretNeeds
from tests.support.api import SLOW, V2, WEB, Api, api
from tests.support.secrets import Secrets

pytestmark = pytest.mark.looptime


@pytest.fixture
async def a() -> AsyncIterator[Api]:
    async with api() as made:
        yield made


@pytest.fixture
async def secrets(a: Api) -> Secrets:
    """With the secret `tls`, that whoever names no account may read."""
    made = Secrets(a)
    await made.create("tls", b"one")
    await made.grant("tls")
    return made


def template(image: str = WEB, secret: str = "tls", **source: Any) -> dict[str, Any]:
    mounts = [{"name": "v", "mountPath": "/etc/tls"}]
    volume = {"name": "v", "secret": {"secret": secret, **source}}
    return {"containers": [{"image": image, "volumeMounts": mounts}], "volumes": [volume]}


def items(**files: str) -> list[dict[str, str]]:
    return [{"path": path.replace("_", "/"), "version": version} for path, version in files.items()]


def found(a: Api) -> dict[str, bytes]:
    """In the instance that was started last."""
    return {path: content for path, (content, _) in mounted(a).items()}


def mounted(a: Api) -> Mapping[str, tuple[bytes, int]]:
    return a.world.engine.files(a.world.engine.started[-1].id, "v")


async def deployed(a: Api, **more: Any) -> None:
    operation = await a.done(await a("POST", f"{V2}/services?serviceId=hello", {"template": template(**more)}))
    assert "response" in operation, operation


async def test_a_secret_without_items_is_one_file_of_its_name(a: Api, secrets: Secrets) -> None:
    await deployed(a)
    assert mounted(a) == {"tls": (b"one", 0o444)}


async def test_items_name_files_versions_and_modes(a: Api, secrets: Secrets) -> None:
    await secrets.add("tls", b"\xff\x00two")
    more = [*items(old="1", deep_er_new="latest"), {"path": "key", "version": "2", "mode": 0o400}]
    await deployed(a, items=more, defaultMode=0o440)
    expected = {"old": (b"one", 0o440), "deep/er/new": (b"\xff\x00two", 0o440), "key": (b"\xff\x00two", 0o400)}
    assert mounted(a) == expected


async def test_files_follow_latest_and_aliases_and_numbers_stay(a: Api, secrets: Secrets) -> None:
    await secrets("PATCH", "secrets/tls?updateMask=versionAliases", {"versionAliases": {"prod": 1}})
    await deployed(a, items=items(new="latest", prod="prod", first="1"))
    assert found(a) == {"new": b"one", "prod": b"one", "first": b"one"}
    await secrets.add("tls", b"two")
    await a.world.until(lambda: found(a) == {"new": b"two", "prod": b"one", "first": b"one"}, 1)
    await secrets("PATCH", "secrets/tls?updateMask=versionAliases", {"versionAliases": {"prod": 2}})
    await a.world.until(lambda: found(a) == {"new": b"two", "prod": b"two", "first": b"one"}, 1)


async def test_what_cannot_be_read_any_more_stays_as_it_is(
    a: Api, secrets: Secrets, caplog: pytest.LogCaptureFixture
) -> None:
    await deployed(a)
    with caplog.at_level(logging.WARNING):
        await secrets("POST", "secrets/tls/versions/1:destroy", {})
        await a.world.until(lambda: "instances keep the files of projects/homerun/secrets/tls" in caplog.text)
    assert found(a) == {"tls": b"one"} and "one" not in caplog.text
    await secrets.add("tls", b"two")
    await a.world.until(lambda: found(a) == {"tls": b"two"}, 1)


async def test_other_secrets_and_other_instances_are_left_alone(a: Api, secrets: Secrets) -> None:
    await secrets.create("other", b"other")
    await a.deploy("plain")
    await deployed(a)
    await secrets.add("other", b"more")
    await secrets.add("tls", b"two")
    await a.world.until(lambda: found(a) == {"tls": b"two"}, 1)


async def test_tasks_and_workers_have_files_too(a: Api, secrets: Secrets) -> None:
    body = {"template": {"template": template(SLOW)}}
    await a.done(await a("POST", f"{V2}/jobs?jobId=work", body))
    await a("POST", f"{V2}/jobs/work:run", {})
    await a.world.until(lambda: a.world.engine.started)
    assert found(a) == {"tls": b"one"}
    await secrets.add("tls", b"two")
    await a.world.until(lambda: found(a) == {"tls": b"two"}, 1)
    pool = {"template": template(), "scaling": {"manualInstanceCount": 1}}
    operation = await a.done(await a("POST", f"{V2}/workerPools?workerPoolId=crew", pool))
    assert "response" in operation, operation
    assert found(a) == {"tls": b"two"}
    await secrets.add("tls", b"three")
    await a.world.until(lambda: found(a) == {"tls": b"three"}, 1)


async def test_who_may_not_read_it_is_not_deployed(a: Api, secrets: Secrets) -> None:
    await secrets.create("private", b"private")
    operation = await a.done(
        await a("POST", f"{V2}/services?serviceId=hello", {"template": template(secret="private")})
    )
    assert "Permission denied on secret: projects/100000000001/secrets/private" in operation["error"]["message"]


async def test_a_version_that_comes_while_an_instance_starts_is_not_missed(a: Api, secrets: Secrets) -> None:
    """Between what is read and the start nobody knows of the instance."""
    needs = SecretNeeds.parse({**template(), "serviceAccount": ""}, "projects/homerun/locations/r/services/hello")
    control = a.world.control
    reader = Reader(a.world.store, control.vault, control.secrets._projects, control.clock)
    await secrets.grant("tls", "allUsers")
    read, reads = reader._vault.get, 0

    class Slow:
        async def get(self, id: str, context: str) -> bytes:
            nonlocal reads
            reads += 1
            payload = await read(id, context)
            if reads == 1:
                await secrets.add("tls", b"two")
                reader.changed()  # as the controller does, when it hears of it
            return payload

    reader._vault = Slow()  # type: ignore[assignment]
    assert (await reader.open(needs)).files == {"v": {"tls": (b"two", 0o444)}}
    assert reads == 2
