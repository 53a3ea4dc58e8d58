"""The whole API behind the door, listening for everybody."""

from __future__ import annotations

import pytest

from homerun.model.identity import OWNER
from tests.support.api import V2, Api, api
from tests.support.identity import ROBOT

pytestmark = pytest.mark.looptime

EVERYWHERE = "0.0.0.0:8787"


def bearer(a: Api, email: str = OWNER) -> dict[str, str]:
    token = a.world.control.issuer.access_token(email, a.world.control.clock.now())
    return {"authorization": f"Bearer {token.text}"}


async def test_without_a_token_nothing_is_answered_but_how_to_get_one() -> None:
    async with api(api=EVERYWHERE) as a:
        for method, path in (
            ("GET", f"{V2}/services"),
            ("GET", "/apis/serving.knative.dev/v1/namespaces/homerun/services"),
            ("GET", "/homerun/v1/info"),
            ("POST", "/homerun/v1:shutdown"),
            ("POST", "/homerun/v1:generateAccessToken"),
            ("POST", f"/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken"),
            ("GET", "/no/such/path"),
        ):
            answer = await a.send(method, path)
            assert answer.status == 401, path
            error = answer.json()["error"]
            assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")
            assert "homerun auth print-access-token --state DIR" in error["message"]
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_with_one_everything_is_under_any_name_of_the_machine() -> None:
    async with api(api=EVERYWHERE) as a:
        for host in ("box.example:8787", "10.1.2.3:8787", "localhost:8787"):
            answer = await a.send("GET", f"{V2}/services", host=host, **bearer(a))
            assert answer.status == 200


async def test_but_not_as_a_proxy_to_other_names() -> None:
    async with api(api=EVERYWHERE) as a:
        answer = await a.send("GET", "http://example.com/", **bearer(a))
        assert answer.status in (403, 404)


async def test_pages_of_other_sites_stay_out_even_with_one() -> None:
    async with api(api=EVERYWHERE) as a:
        answer = await a.send("GET", f"{V2}/services", origin="https://example.com", **bearer(a))
        assert answer.status == 403


async def test_the_keys_are_for_everybody() -> None:
    async with api(api=EVERYWHERE) as a:
        for path in ("/.well-known/openid-configuration", "/oauth2/v1/certs", "/oauth2/v3/certs"):
            assert (await a.send("GET", path, host="box.example")).status == 200
        assert (await a.send("GET", "/oauth2/v3/certs/", host="box.example")).status == 401


async def test_two_headers_are_not_one() -> None:
    async with api(api=EVERYWHERE) as a:
        good = bearer(a)["authorization"]
        assert (await a.send("GET", f"{V2}/services", authorization=f"{good}, {good}")).status == 401


async def test_on_loopback_none_is_needed_and_an_expired_one_is_refused() -> None:
    async with api() as a:
        assert (await a.send("GET", f"{V2}/services")).status == 200
        assert (await a.send("GET", f"{V2}/services", authorization="Bearer ya29.abc")).status == 200
        old = a.world.control.issuer.access_token(OWNER, a.world.control.clock.now() - 4000).text
        assert (await a.send("GET", f"{V2}/services", authorization=f"Bearer {old}")).status == 401
