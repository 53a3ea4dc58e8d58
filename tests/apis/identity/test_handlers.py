from __future__ import annotations

from typing import Any

import jwt
import pytest

from homerun.lib.timestamps import from_rfc3339
from homerun.model.identity import ANY_SERVICE, OWNER
from tests.support.api import Api, Refused, api
from tests.support.identity import ROBOT

pytestmark = pytest.mark.looptime

ACCOUNT = f"/v1/projects/-/serviceAccounts/{ROBOT}"


async def proved(a: Api, token: str, audience: str) -> dict[str, Any]:
    """The claims, as somebody finds them who knows nothing but where the issuer is."""
    about = await a("GET", "/.well-known/openid-configuration")
    keys = await a("GET", about["jwks_uri"].removeprefix(about["issuer"]))
    now = a.world.control.clock.now()
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=audience, issuer=about["issuer"], options={"verify_exp": False,
        "verify_iat": False}
    )  # fmt: skip
    assert claims["iat"] == pytest.approx(now, abs=2)
    assert claims["exp"] == claims["iat"] + 3600
    return claims


async def test_an_id_token_for_the_owner_and_for_others() -> None:
    async with api() as a:
        made = await a("POST", "/homerun/v1:generateIdToken", {})
        assert (await proved(a, made["token"], ANY_SERVICE))["email"] == OWNER
        body = {"email": "ann@example.com", "audience": "http://hello"}
        made = await a("POST", "/homerun/v1:generateIdToken", body)
        assert (await proved(a, made["token"], "http://hello"))["email"] == "ann@example.com"
        assert from_rfc3339(made["expireTime"]) == pytest.approx(a.world.control.clock.now() + 3600, abs=2)


async def test_google_s_way_to_a_service_account_s_id_token() -> None:
    async with api() as a:
        made = await a("POST", f"{ACCOUNT}:generateIdToken", {"audience": "http://hello", "includeEmail": True})
        assert (await proved(a, made["token"], "http://hello"))["email"] == ROBOT
        made = await a("POST", f"{ACCOUNT}:generateIdToken", {"audience": "http://hello", "delegates": []})
        assert "email" not in await proved(a, made["token"], "http://hello")


async def test_google_s_way_to_its_access_token() -> None:
    async with api() as a:
        body = {"scope": ["https://www.googleapis.com/auth/cloud-platform"], "lifetime": "60s"}
        made = await a("POST", f"{ACCOUNT}:generateAccessToken", body)
        assert a.world.control.issuer.bearer(made["accessToken"], a.world.control.clock.now()) == ROBOT
        assert "." not in made["expireTime"], "google-auth reads no fractions"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/homerun/v1:generateIdToken", {"email": "ann"}, "email"),
        ("/homerun/v1:generateIdToken", {"email": 3}, "email"),
        ("/homerun/v1:generateIdToken", {"audiences": "x"}, "audiences"),
        ("/homerun/v1:generateAccessToken", {"lifetime": "long"}, "lifetime"),
        ("/homerun/v1:generateAccessToken", {"lifetime": "43201s"}, "lifetime"),
        ("/homerun/v1:generateAccessToken", {"lifetime": "infs"}, "lifetime"),
        (f"{ACCOUNT}:generateIdToken", {}, "audience"),
        (f"{ACCOUNT}:generateAccessToken", {"lifetime": "-5s"}, "lifetime"),
        ("/v1/projects/-/serviceAccounts/ann@example.com:generateIdToken", {"audience": "x"}, "name"),
        ("/v1/projects/-/serviceAccounts/1234567:generateAccessToken", {}, "name"),
    ],
)
async def test_what_is_wrong_is_named(path: str, body: dict[str, Any], field: str) -> None:
    async with api() as a:
        with pytest.raises(Refused) as refused:
            await a("POST", path, body)
        assert (refused.value.http, refused.value.fields) == (400, [field])


async def test_only_the_owner_speaks_for_others() -> None:
    async with api() as a:
        token = (await a("POST", "/homerun/v1:generateAccessToken", {"email": ROBOT}))["accessToken"]
        mine = {"authorization": f"Bearer {token}"}
        made = await a("POST", "/homerun/v1:generateIdToken", {"audience": "http://x"}, **mine)
        assert (await proved(a, made["token"], "http://x"))["email"] == ROBOT
        await a("POST", f"{ACCOUNT}:generateIdToken", {"audience": "http://x"}, **mine)
        for path, body in (
            ("/homerun/v1:generateIdToken", {"email": OWNER}),
            ("/homerun/v1:generateAccessToken", {"email": OWNER}),
            ("/homerun/v1:generateAccessToken", {}),
            (f"{ACCOUNT}:generateAccessToken", {}),
            ("/v1/projects/-/serviceAccounts/o@p.iam.gserviceaccount.com:generateIdToken", {"audience": "http://x"}),
        ):
            with pytest.raises(Refused, match="PERMISSION_DENIED"):
                await a("POST", path, body, **mine)


async def test_what_of_that_api_is_missing_says_so() -> None:
    async with api() as a:
        with pytest.raises(Refused, match=r"UNIMPLEMENTED.*signBlob"):
            await a("POST", f"{ACCOUNT}:signBlob", {"payload": "eA=="})
