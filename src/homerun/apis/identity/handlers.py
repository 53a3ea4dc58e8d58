"""Tokens over HTTP: our own paths, those of Google's IAM Credentials API, and the keys to check them with.

Only the owner of this homerun speaks for others; everybody may get ID tokens for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from homerun.apis.access import Caller, caller_of
from homerun.apis.identity.issuer import LIFETIME, Issuer, Token
from homerun.apis.rest import Call, Handler, read_json
from homerun.lib.clock import Clock
from homerun.lib.errors import Invalid, PermissionDenied, Violation
from homerun.lib.timestamps import to_rfc3339
from homerun.model import identity
from homerun.model.identity import OWNER
from homerun.wire.discovery import description
from homerun.wire.keys import ALGORITHM
from homerun.wire.schema import parse

PREFIX = "/homerun/v1"
DISCOVERY = "/.well-known/openid-configuration"
CERTS, JWKS = "/oauth2/v1/certs", "/oauth2/v3/certs"
PUBLIC_PATHS = frozenset((DISCOVERY, CERTS, JWKS))
"""Whoever checks our tokens needs none to do it."""

Json = dict[str, Any]


def routes(issuer: Issuer, clock: Clock) -> list[Route]:
    """Bodies: `{"email": …, "audience": …}`, and for access tokens `{"email": …, "lifetime": "3600s"}`; all may be left
    out. The owner is who is meant when no `email` is given."""

    async def discovery(request: Request) -> Response:
        return JSONResponse(configuration(issuer.url))

    async def certs(request: Request) -> Response:
        return JSONResponse(issuer.keys.pems())

    async def jwks(request: Request) -> Response:
        return JSONResponse(issuer.keys.jwks())

    async def id_token(request: Request) -> Response:
        body = _strings(await read_json(request), "email", "audience")
        email = _email(body, caller := caller_of(request.scope))
        _may_speak_for(caller, email)
        return JSONResponse(_answer("token", issuer.id_token(email, body.get("audience", ""), clock.now())))

    async def access_token(request: Request) -> Response:
        body = _strings(await read_json(request), "email", "lifetime")
        email = _email(body, caller := caller_of(request.scope))
        _may_hand_out_access(caller)
        return JSONResponse(_answer("accessToken", issuer.access_token(email, clock.now(), _lifetime(body))))

    return [
        Route(DISCOVERY, discovery, methods=["GET"]),
        Route(CERTS, certs, methods=["GET"]),
        Route(JWKS, jwks, methods=["GET"]),
        Route(f"{PREFIX}:generateIdToken", id_token, methods=["POST"]),
        Route(f"{PREFIX}:generateAccessToken", access_token, methods=["POST"]),
    ]


def configuration(url: str) -> Json:
    """OpenID Connect Discovery 1.0, §3."""
    return {
        "issuer": url,
        "jwks_uri": url + JWKS,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["aud", "azp", "email", "email_verified", "exp", "hd", "iat", "iss", "sub"],
    }


def handlers(issuer: Issuer, clock: Clock) -> dict[str, Handler]:
    """Of the IAM Credentials API, as gcloud and google-auth call it to impersonate a service account."""

    async def generate_id_token(call: Call) -> Any:
        email, body = _account(call), _body(call)
        _may_speak_for(call.caller, email)
        if not body.get("audience"):
            raise Invalid.field("audience", "is required: the URL of the service that the token is for")
        include = bool(body.get("includeEmail"))
        return {"token": issuer.id_token(email, body["audience"], clock.now(), include_email=include).text}

    async def generate_access_token(call: Call) -> Any:
        email, body = _account(call), _body(call)
        _may_hand_out_access(call.caller)
        return _answer("accessToken", issuer.access_token(email, clock.now(), _lifetime(body)))

    prefix = "iamcredentials.projects.serviceAccounts."
    return {
        prefix + "generateIdToken": generate_id_token,
        prefix + "generateAccessToken": generate_access_token,
    }


def _account(call: Call) -> str:
    email = call.variables["serviceAccountsId"]
    if not identity.is_email(email) or not identity.is_service_account(email):
        raise Invalid.field(
            "name", f"{email!r} is no service account: name one by its address, NAME@PROJECT.iam.gserviceaccount.com"
        )
    return email


def _body(call: Call) -> Json:
    body, violations = parse(description("iamcredentials.v1").schemas, call.method.request, call.body)
    if violations:
        raise Invalid("; ".join(f"{v.field}: {v.description}" for v in violations), violations)
    return body


def _strings(body: Any, *names: str) -> dict[str, str]:
    if not isinstance(body, dict):
        raise Invalid("the body must be a JSON object")
    wrong = [Violation(key, "is unknown") for key in body if key not in names]
    wrong += [Violation(key, "must be a string") for key in names if not isinstance(body.get(key, ""), str)]
    if wrong:
        raise Invalid("; ".join(f"{v.field}: {v.description}" for v in wrong), wrong)
    return body


def _email(body: Mapping[str, str], caller: Caller) -> str:
    email = body.get("email") or caller.email
    if email != OWNER and not identity.is_email(email):
        raise Invalid.field("email", f"{email!r} is no e-mail address")
    return email


def _lifetime(body: Mapping[str, Any]) -> int:
    text = body.get("lifetime") or f"{LIFETIME}s"
    try:
        return int(float(text.removesuffix("s")))
    except (ValueError, OverflowError):
        raise Invalid.field("lifetime", f"must be a number of seconds such as '3600s', and is {text!r}") from None


def _may_speak_for(caller: Caller, email: str) -> None:
    if not caller.owner and caller.email.lower() != email.lower():
        raise PermissionDenied(f"{caller.email} may not get tokens for {email}: only {OWNER} speaks for others")


def _may_hand_out_access(caller: Caller) -> None:
    """A token must not be a way to a longer one."""
    if not caller.owner:
        raise PermissionDenied(f"{caller.email} may not hand out access tokens: only {OWNER} may")


def _answer(field: str, token: Token) -> Json:
    """Whole seconds: google-auth reads no fractions."""
    return {field: token.text, "expireTime": to_rfc3339(token.expires).partition(".")[0] + "Z"}
