"""Secret Manager over REST, in front of the whole control process."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from homerun.apis.secretmanager.handlers import permission_of
from tests.support.api import Api, Refused, api
from tests.support.identity import ROBOT
from tests.support.secrets import NUMBER, Secrets

pytestmark = pytest.mark.looptime


@pytest.fixture
async def a() -> AsyncIterator[Api]:
    async with api() as made:
        yield made


@pytest.fixture
def secrets(a: Api) -> Secrets:
    return Secrets(a)


def refused(text: str) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, match=text)


async def test_a_secret_from_creation_to_deletion(secrets: Secrets) -> None:
    made = await secrets.create("db", labels={"app": "shop"}, annotations={"Owner": "ann"})
    assert made["name"] == f"{NUMBER}/secrets/db"
    assert (made["labels"], made["replication"]) == ({"app": "shop"}, {"automatic": {}})
    assert await secrets("GET", "secrets/db") == made
    version = await secrets.add("db", b"hunter2")
    assert version["name"] == f"{NUMBER}/secrets/db/versions/1"
    assert (version["state"], version["replicationStatus"]) == ("ENABLED", {"automatic": {}})
    assert await secrets.read("db") == b"hunter2"
    assert await secrets("DELETE", "secrets/db") == {}
    with refused(r"404 NOT_FOUND: Secret \[projects/100000000001/secrets/db\] not found\."):
        await secrets("GET", "secrets/db")
    with refused("NOT_FOUND"):
        await secrets.read("db", "1")


async def test_the_project_goes_by_id_and_by_number(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    assert (await a("GET", f"/v1/{NUMBER}/secrets/db"))["name"] == f"{NUMBER}/secrets/db"
    made = await a("POST", "/v1/projects/other/secrets?secretId=db", {"replication": {"automatic": {}}})
    assert not made["name"].startswith(("projects/other", NUMBER))
    assert await a("GET", f"/v1/{made['name']}") == made


async def test_a_payload_comes_back_with_its_checksum(secrets: Secrets) -> None:
    await secrets.create("db")
    version = await secrets.add("db", b"123456789", dataCrc32c=str(0xE3069283))
    assert version["clientSpecifiedPayloadChecksum"] is True
    answer = await secrets("GET", "secrets/db/versions/1:access")
    assert answer["payload"] == {"data": base64.b64encode(b"123456789").decode(), "dataCrc32c": str(0xE3069283)}
    assert answer["name"] == f"{NUMBER}/secrets/db/versions/1"
    with refused("400 INVALID_ARGUMENT: payload.dataCrc32c: is not the CRC-32C of the data"):
        await secrets.add("db", b"123456789", dataCrc32c="1")
    assert "clientSpecifiedPayloadChecksum" not in await secrets.add("db", b"x")


@pytest.mark.parametrize(("size", "message"), [(0, "Secret Payload cannot be empty"), (65537, "has 65537 bytes")])
async def test_how_large_a_payload_is(secrets: Secrets, size: int, message: str) -> None:
    await secrets.create("db", bytes(65536))
    with refused(f"400 INVALID_ARGUMENT: payload.data: {message}"):
        await secrets.add("db", bytes(size))
    assert len(await secrets.read("db")) == 65536


async def test_what_can_be_done_with_a_version_depends_on_its_state(secrets: Secrets) -> None:
    await secrets.create("db", b"one", b"two")
    name = rf"\[{NUMBER}/secrets/db/versions/2\]"
    disabled = await secrets("POST", "secrets/db/versions/2:disable", {})
    assert disabled["state"] == "DISABLED"
    for version in ("2", "latest"):  # the latest is the one that was added last, whatever became of it
        with refused(f"400 FAILED_PRECONDITION: Secret Version {name} is in DISABLED state"):
            await secrets.read("db", version)
    assert await secrets.read("db", "1") == b"one"
    assert (await secrets("POST", "secrets/db/versions/2:enable", {}))["state"] == "ENABLED"
    assert await secrets.read("db") == b"two"
    destroyed = await secrets("POST", "secrets/db/versions/2:destroy", {})
    assert destroyed["state"] == "DESTROYED" and destroyed["destroyTime"]
    for verb in ("enable", "disable", "destroy"):
        with refused(f"FAILED_PRECONDITION: Secret Version {name} is in DESTROYED state"):
            await secrets("POST", f"secrets/db/versions/2:{verb}", {})
    with refused(f"FAILED_PRECONDITION: Secret Version {name} is in DESTROYED state"):
        await secrets.read("db")
    assert (await secrets.add("db", b"three"))["name"].endswith("/versions/3")


async def test_aliases(secrets: Secrets) -> None:
    await secrets.create("db", b"one", b"two")
    made = await secrets("PATCH", "secrets/db?updateMask=versionAliases", {"versionAliases": {"prod": "1", "next": 2}})
    assert made["versionAliases"] == {"prod": "1", "next": "2"}
    assert (await secrets.read("db", "prod"), await secrets.read("db", "next")) == (b"one", b"two")
    assert (await secrets("GET", "secrets/db/versions/prod"))["name"].endswith("/versions/1")
    for unknown in ("none", "3", "0", "01", "999999999999"):
        with refused(rf"404 NOT_FOUND: Secret Version \[{NUMBER}/secrets/db/versions/{unknown}\] not found"):
            await secrets.read("db", unknown)
    for alias, number in (("latest", 1), ("NEW", 1), ("7up", 1), ("prod", 3), ("prod", 0)):
        with refused(rf"400 INVALID_ARGUMENT: versionAliases\[{alias}\]"):
            await secrets("PATCH", "secrets/db?updateMask=version_aliases", {"versionAliases": {alias: number}})


async def test_without_versions_there_is_no_latest(secrets: Secrets) -> None:
    await secrets.create("db")
    with refused(r"404 NOT_FOUND: Secret \[projects/100000000001/secrets/db\] not found or has no versions\."):
        await secrets.read("db")


async def test_a_patch_changes_what_its_mask_says(secrets: Secrets) -> None:
    made = await secrets.create("db", b"one", labels={"app": "shop"}, annotations={"owner": "ann"})
    changed = await secrets("PATCH", "secrets/db?updateMask=labels", {"labels": {"app": "till"}, "annotations": {}})
    assert (changed["labels"], changed["annotations"]) == ({"app": "till"}, {"owner": "ann"})
    assert changed["createTime"] == made["createTime"] and changed["etag"] != made["etag"]
    cleared = await secrets("PATCH", "secrets/db?updateMask=labels,annotations", {})
    assert "labels" not in cleared and "annotations" not in cleared
    assert await secrets.read("db") == b"one"
    for mask, body, text in (
        ("", {"labels": {}}, "updateMask: is required"),
        ("colour", {}, "updateMask: 'colour' is no path"),
        ("replication", {"replication": {"userManaged": {"replicas": [{"location": "r"}]}}}, "replication: cannot be"),
    ):
        with refused(f"400 INVALID_ARGUMENT: {text}"):
            await secrets("PATCH", f"secrets/db?updateMask={mask}", body)


async def test_etags(secrets: Secrets) -> None:
    made = await secrets.create("db", b"one")
    assert made["etag"] == (await secrets("GET", "secrets/db"))["etag"], "a new version is no change of the secret"
    await secrets("PATCH", "secrets/db?updateMask=labels", {"labels": {"a": "b"}, "etag": made["etag"]})
    stale = made["etag"].replace('"', "%22")
    with refused("409 ABORTED"):
        await secrets("PATCH", "secrets/db?updateMask=labels", {"etag": made["etag"]})
    with refused("409 ABORTED"):
        await secrets("DELETE", f"secrets/db?etag={stale}")
    version = await secrets("GET", "secrets/db/versions/1")
    await secrets("POST", "secrets/db/versions/1:disable", {"etag": version["etag"]})
    with refused("409 ABORTED"):
        await secrets("POST", "secrets/db/versions/1:destroy", {"etag": version["etag"]})


async def test_lists_are_newest_first_filtered_and_in_pages(secrets: Secrets) -> None:
    for id in ("a", "c", "b"):
        await secrets.create(id, labels={"odd": str(id != "b").lower()})
    everything = await secrets("GET", "secrets")
    assert [s["name"].rpartition("/")[2] for s in everything["secrets"]] == ["b", "c", "a"]
    assert everything["totalSize"] == 3
    first = await secrets("GET", "secrets?pageSize=2")
    rest = await secrets("GET", f"secrets?pageSize=2&pageToken={first['nextPageToken']}")
    assert first["secrets"] + rest["secrets"] == everything["secrets"] and "nextPageToken" not in rest
    for filter, wanted in (("labels.odd=true", ["c", "a"]), ("name:secrets/b", ["b"]), ("labels.none:x", [])):
        found = (await secrets("GET", f"secrets?filter={filter}"))["secrets"]
        assert [s["name"].rpartition("/")[2] for s in found] == wanted
    for number in range(12):
        await secrets.add("a", f"payload {number}".encode())
    await secrets("POST", "secrets/a/versions/3:destroy", {})
    versions = (await secrets("GET", "secrets/a/versions"))["versions"]
    assert [int(v["name"].rpartition("/")[2]) for v in versions] == list(range(12, 0, -1))
    found = await secrets("GET", "secrets/a/versions?filter=state:DESTROYED")
    assert [v["name"].rpartition("/")[2] for v in found["versions"]] == ["3"]
    assert (await secrets("GET", "secrets/b/versions"))["versions"] == []
    with refused("pageToken: is no token of this list"):
        await secrets("GET", f"secrets/a/versions?pageToken={first['nextPageToken']}")


async def test_what_is_wrong_with_a_new_secret(secrets: Secrets) -> None:
    await secrets.create("db")
    with refused(r"409 ALREADY_EXISTS: Secret \[projects/100000000001/secrets/db\] already exists\."):
        await secrets.create("db")
    with refused("400") as caught:
        await secrets.create(
            "no!", labels={"Upper": "x"}, topics=[{"name": "t"}], ttl="30s", rotation={"rotationPeriod": "3600s"}
        )
    assert set(caught.value.fields) == {"secretId", "labels[Upper]", "topics", "rotation", "ttl"}
    with refused("replication: is required"):
        await secrets("POST", "secrets?secretId=other", {})
    with refused("expireTime: must be in the future"):
        await secrets.create("other", expireTime="2001-01-01T00:00:00Z")
    with refused("ttl: must be left out"):
        await secrets.create("other", expireTime="2101-01-01T00:00:00Z", ttl="3600s")


async def test_regional_secrets_are_others(secrets: Secrets) -> None:
    await secrets.create("db", b"global")
    regional = "locations/us-central1/secrets"
    made = await secrets("POST", f"{regional}?secretId=db", {})
    assert made["name"] == f"{NUMBER}/locations/us-central1/secrets/db"
    data = base64.b64encode(b"regional").decode()
    await secrets("POST", f"{regional}/db:addVersion", {"payload": {"data": data}})
    assert (await secrets("GET", f"{regional}/db/versions/latest:access"))["payload"]["data"] == data
    assert [s["name"] for s in (await secrets("GET", regional))["secrets"]] == [made["name"]]
    assert len((await secrets("GET", "secrets"))["secrets"]) == 1
    await secrets("POST", f"{regional}/db:setIamPolicy", {"policy": {"bindings": []}})
    await secrets("DELETE", f"{regional}/db")
    assert await secrets.read("db") == b"global"


async def test_a_policy_says_who_may_read(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    token = a.world.control.issuer.access_token(ROBOT, a.world.control.clock.now()).text
    robot = {"authorization": f"Bearer {token}"}
    access = "secrets/db/versions/latest:access"
    with refused(r"403 PERMISSION_DENIED: Permission 'secretmanager.versions.access' denied for .*db/versions"):
        await secrets("GET", access, **robot)
    asked = {"permissions": ["secretmanager.versions.access", "secretmanager.versions.add", "run.services.get"]}
    assert await secrets("POST", "secrets/db:testIamPermissions", asked, **robot) == {}
    policy = await secrets.grant("db", f"serviceAccount:{ROBOT}")
    assert (await secrets("GET", "secrets/db:getIamPolicy"))["bindings"] == policy["bindings"]
    assert base64.b64decode((await secrets("GET", access, **robot))["payload"]["data"]) == b"hunter2"
    tested = await secrets("POST", "secrets/db:testIamPermissions", asked, **robot)
    assert tested == {"permissions": ["secretmanager.versions.access"]}
    for method, path in (("GET", "secrets/db"), ("GET", "secrets"), ("DELETE", "secrets/db"), ("GET", "secrets/none")):
        with refused("403 PERMISSION_DENIED"):
            await secrets(method, path, **robot)
    with refused("Role roles/run.invoker is not supported for this resource: known are .*secretAccessor"):
        await secrets.grant("db", role="roles/run.invoker")
    await secrets("DELETE", "secrets/db")
    await secrets.create("db", b"hunter3")
    with refused("403 PERMISSION_DENIED"):  # what was granted went with the secret
        await secrets("GET", access, **robot)


async def test_a_policy_of_a_secret_that_is_not_there(secrets: Secrets) -> None:
    for method, verb, body in (("GET", "getIamPolicy", None), ("POST", "setIamPolicy", {"policy": {}})):
        with refused("404 NOT_FOUND: Secret"):
            await secrets(method, f"secrets/none:{verb}", body)


async def test_nothing_that_is_listed_or_watched_holds_a_payload(a: Api, secrets: Secrets) -> None:
    await secrets.create("db", b"hunter2")
    for kind in ("Secret", "SecretVersion"):
        for document in await a.world.store.list(kind):
            assert "hunter2" not in repr(document) and base64.b64encode(b"hunter2").decode() not in repr(document)


@pytest.mark.parametrize(
    ("method", "permission"),
    [
        ("create", "secretmanager.secrets.create"),
        ("patch", "secretmanager.secrets.update"),
        ("addVersion", "secretmanager.versions.add"),
        ("versions.access", "secretmanager.versions.access"),
        ("setIamPolicy", "secretmanager.secrets.setIamPolicy"),
    ],
)
def test_the_permission_of_a_method(method: str, permission: str) -> None:
    assert permission_of(method) == permission
