"""The first thing that happens to a request: who sends it is found out, or it ends here."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from homerun.apis.access import CALLER, Access
from homerun.apis.failure import failure_response
from homerun.apis.identity.handlers import PREFIX, PUBLIC_PATHS
from homerun.lib.errors import PermissionDenied, Unauthenticated
from homerun.model.identity import OWNER

_FOR_ALL = frozenset((f"{PREFIX}/info", f"{PREFIX}:generateIdToken", f"{PREFIX}:generateAccessToken"))
"""Of our own paths, those that show nothing, or ask themselves who it is."""


class Authentication:
    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in PUBLIC_PATHS:
            sent = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"authorization"]
            try:
                caller = self._access.authenticate(", ".join(sent))
                if not caller.owner and scope["path"].startswith(PREFIX) and scope["path"] not in _FOR_ALL:
                    raise PermissionDenied(f"{scope['path']} is for {OWNER} only, and this is {caller.email}")
            except (Unauthenticated, PermissionDenied) as error:
                response = failure_response(error)
                if isinstance(error, Unauthenticated):
                    response.headers["WWW-Authenticate"] = 'Bearer realm="homerun"'
                await response(scope, receive, send)
                return
            scope = {**scope, CALLER: caller}
        await self._app(scope, receive, send)
