"""The metadata server as clients know it (contract §1.14), in virtual time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jwt
import pytest

from homerun.apis.metadata.server import MetadataServer
from homerun.engine.base import InstanceState, Phase
from homerun.model.project import Projects
from tests.support.asgi import Answer, call
from tests.support.clock import LoopClock
from tests.support.identity import ROBOT, issuer

pytestmark = pytest.mark.looptime

HERE = "10.0.0.7"
LABELS = {"service": "projects/homerun/locations/us-central1/services/hello", "service_account": ROBOT}
ACCOUNT = "instance/service-accounts/default"


def server() -> MetadataServer:
    known = {HERE: InstanceState("i1", LABELS, Phase.READY, 0), "10.0.0.8": InstanceState("i2", {}, Phase.READY, 0)}
    return MetadataServer(known.get, issuer(), LoopClock(), Projects("homerun", "100000000001"))


async def get(
    path: str, app: MetadataServer | None = None, method: str = "GET", client: str = HERE, **headers: str | None
) -> Answer:
    """`path` below the version, unless it begins with a slash."""
    sent: dict[str, str | None] = {"metadata_flavor": "Google", "host": "metadata.google.internal", **headers}
    given = {name.replace("_", "-"): value for name, value in sent.items() if value is not None}
    url = path if path.startswith("/") else f"/computeMetadata/v1/{path}"
    answer = await call(app or server(), method, f"http://metadata.google.internal{url}", headers=given, client=client)
    assert answer.headers["metadata-flavor"] == "Google"
    assert int(answer.headers["content-length"]) == len(answer.body) or method == "HEAD"
    return answer


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("project/project-id", "homerun"),
        ("project/numeric-project-id", "100000000001"),
        ("instance/region", "projects/100000000001/regions/us-central1"),
        ("instance/zone", "projects/100000000001/zones/us-central1-1"),
        ("instance/id", "i1"),
        ("instance/name", "i1"),
        (f"{ACCOUNT}/email", ROBOT),
        (f"{ACCOUNT}/aliases", "default"),
        (f"{ACCOUNT}/scopes", "https://www.googleapis.com/auth/cloud-platform"),
        (f"instance/service-accounts/{ROBOT}/email", ROBOT),
        (f"{ACCOUNT}/", "aliases\nemail\nidentity\nscopes\ntoken\n"),
        ("instance/service-accounts/", f"default/\n{ROBOT}/\n"),
        ("", "instance/\nproject/\nuniverse/\n"),
        ("universe/universe-domain", "googleapis.com"),
        ("project/?recursive=true&alt=text", "numeric-project-id 100000000001\nproject-id homerun\n"),
    ],
)
async def test_every_path(path: str, expected: str) -> None:
    answer = await get(path)
    assert (answer.status, answer.body.decode()) == (200, expected)
    assert answer.headers["content-type"] == "application/text"


async def test_recursion_and_json() -> None:
    answer = await get(f"{ACCOUNT}/?recursive=true")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "aliases": ["default"],
        "email": ROBOT,
        "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
    }
    assert (await get("instance/id?alt=json")).json() == "i1"
    assert (await get("project/?alt=json")).json() == ["numeric-project-id", "project-id"]
    everything = (await get("?recursive=true")).json()
    assert everything["instance"]["serviceAccounts"]["default"]["email"] == ROBOT


async def test_a_folder_without_its_slash_is_elsewhere() -> None:
    answer = await get("instance/service-accounts/default?recursive=true")
    assert answer.status == 301
    where = f"http://metadata.google.internal/computeMetadata/v1/{ACCOUNT}/?recursive=true"
    assert answer.headers["location"] == where
    assert (await get("/computeMetadata/v1")).headers["location"].endswith("/computeMetadata/v1/")


@pytest.mark.parametrize(
    "path",
    [
        "instance/attributes/cluster-name",
        "project/attributes/x",
        "instance/id/",
        "nonsense",
        "instance/network-interfaces/0/ip",
    ],
)
async def test_what_is_not_there(path: str) -> None:
    answer = await get(path)
    assert answer.status == 404
    assert f"{path.strip('/')} is not defined here" in answer.body.decode()


async def test_other_versions_are_not_there() -> None:
    for path in ("/computeMetadata/v1beta1/instance/id", "/0.1/meta-data", "/computeMetadata/v10/instance/id"):
        assert (await get(path)).status == 404


async def test_detection_needs_no_header() -> None:
    """Go's library asks this way whether it is on Google Cloud."""
    assert (await get("/", metadata_flavor=None, host="169.254.169.254")).body == b"computeMetadata/\n"


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"metadata_flavor": None}, 403, "Missing Metadata-Flavor:Google header"),
        ({"metadata_flavor": "Amazon"}, 403, "Missing Metadata-Flavor:Google header"),
        ({"x_forwarded_for": "1.2.3.4"}, 403, "X-Forwarded-For"),
        ({"host": "evil.example"}, 403, "not a name of the metadata server"),
        ({"host": "metadata.google.internal.evil.example"}, 403, "not a name of the metadata server"),
        ({"host": "169.254.169.254:8080"}, 403, "not a name of the metadata server"),
        ({"host": ""}, 403, "not a name of the metadata server"),
        ({"client": "10.0.0.9"}, 403, "Only instances"),
        ({"client": "10.0.0.8"}, 403, "Only instances"),
        ({"client": "127.0.0.1"}, 403, "Only instances"),
    ],
)
async def test_what_a_fetch_for_a_stranger_looks_like_is_refused(
    headers: dict[str, Any], status: int, message: str
) -> None:
    answer = await get(f"{ACCOUNT}/token", **headers)
    assert answer.status == status
    assert message in answer.body.decode() and b"access_token" not in answer.body


@pytest.mark.parametrize(
    "host",
    ["metadata", "169.254.169.254", "169.254.169.254:80", "METADATA.google.internal", "metadata.google.internal."],
)
async def test_its_names(host: str) -> None:
    assert (await get("instance/id", host=host)).status == 200


async def test_only_reading() -> None:
    assert (await get("instance/id", method="HEAD")).body == b""
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert (await get("instance/id", method=method)).status == 405


async def test_an_access_token_is_good_for_the_api() -> None:
    app = server()
    answer = await get(f"{ACCOUNT}/token?scopes=https://www.googleapis.com/auth/cloud-platform", app)
    made = answer.json()
    assert made["token_type"] == "Bearer" and 3590 <= made["expires_in"] <= 3600
    assert issuer().bearer(made["access_token"], LoopClock().now()) == ROBOT
    await asyncio.sleep(600)
    later = (await get(f"{ACCOUNT}/token", app)).json()
    assert later["access_token"] == made["access_token"]
    assert later["expires_in"] == pytest.approx(made["expires_in"] - 600, abs=1)
    await asyncio.sleep(2800)
    assert (await get(f"{ACCOUNT}/token", app)).json()["access_token"] != made["access_token"]


async def test_an_id_token_for_an_audience() -> None:
    answer = await get(f"{ACCOUNT}/identity?audience=http://b.example&format=full")
    claims = jwt.decode(answer.body.decode(), options={"verify_signature": False})
    assert (claims["aud"], claims["email"], claims["iss"]) == ("http://b.example", ROBOT, issuer().url)
    short = await get(f"{ACCOUNT}/identity?audience=http://b.example")
    assert "email" not in jwt.decode(short.body.decode(), options={"verify_signature": False})
    quoted = await get(f"{ACCOUNT}/identity?audience=http://b.example&alt=json")
    assert json.loads(quoted.body) == short.body.decode()
    for query in ("", "?audience="):
        answer = await get(f"{ACCOUNT}/identity{query}")
        assert (answer.status, b"audience parameter required" in answer.body) == (400, True)


async def test_nothing_changes_and_who_waits_for_it_waits() -> None:
    now = LoopClock().mono
    tag = (await get("instance/id")).headers["etag"]
    began = now()
    assert (await get(f"instance/id?wait_for_change=true&timeout_sec=60&last_etag={tag}")).body == b"i1"
    assert now() - began == pytest.approx(60)
    assert (await get("instance/id?wait_for_change=true&last_etag=other")).headers["etag"] == tag
    assert now() - began == pytest.approx(60), "it has changed since they looked"
    assert (await get("instance/id?wait_for_change=true&timeout_sec=soon")).status == 400
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1000):
            await get("instance/id?wait_for_change=true")


async def test_one_instance_cannot_take_all_of_controls_time() -> None:
    app, now = server(), LoopClock().mono
    began = now()
    for _ in range(4000):
        await get(f"{ACCOUNT}/token", app)
    assert now() - began < 0.1 and app.tokens.signed == 1
    for _ in range(4000):
        await get(f"{ACCOUNT}/token", app)
    assert now() - began == pytest.approx(2.0, abs=0.2), "2,000 in a second, from here on"
    for number in range(10):
        await get(f"{ACCOUNT}/identity?audience=http://{number}", app)
    assert now() - began == pytest.approx(2.2, abs=0.2), "and 50 signatures"


async def test_other_things_than_requests_are_none_of_its_business() -> None:
    async def never(message: Any = None) -> Any:
        raise AssertionError("nothing is sent or awaited")

    await server()({"type": "websocket"}, never, never)
