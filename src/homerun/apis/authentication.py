"""The first thing that happens to a request: who sends it is found out, or it ends here."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from homerun.apis.access import CALLER, Access
from homerun.apis.failure import failure_response
from homerun.apis.identity.handlers import PUBLIC_PATHS
from homerun.lib.errors import Unauthenticated


class Authentication:
    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in PUBLIC_PATHS:
            sent = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"authorization"]
            try:
                caller = self._access.authenticate(", ".join(sent))
            except Unauthenticated as error:
                response = failure_response(error)
                response.headers["WWW-Authenticate"] = 'Bearer realm="homerun"'
                await response(scope, receive, send)
                return
            scope = {**scope, CALLER: caller}
        await self._app(scope, receive, send)
