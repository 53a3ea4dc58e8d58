"""Under which names the API port answers: to programs on this machine that mean it.

A web page that the user visits can make the browser send requests to 127.0.0.1 (CSRF), also under a host name of its
own that resolves there (DNS rebinding). So the Host must be one of ours, and a browser's Origin, if there is one, too.
The port is also an HTTP proxy, for our own names only: gcloud puts the region in front of the host name, and such names
need no DNS this way.

Where every request needs a token, which no browser adds by itself, the machine may be called by any name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from homerun.apis.failure import failure_response
from homerun.lib.errors import HomerunError, PermissionDenied

OWN_DOMAINS = ("localhost", "googleapis.com")


class NotHere(HomerunError):
    code, status, http = 12, "UNIMPLEMENTED", 405


class Guard:
    """`names`: further host names under which the API is reached, e.g. that of the machine; `any_name`: under all, but
    not as a proxy."""

    def __init__(self, app: ASGIApp, names: Collection[str] = (), *, any_name: bool = False) -> None:
        self._app, self._names, self._any_name = app, frozenset(name.lower() for name in names), any_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                scope = self._admit(scope)
            except HomerunError as error:
                await failure_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> Scope:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] == "CONNECT":
            raise NotHere("this proxy carries plain HTTP to homerun's own names only: it opens no tunnels (CONNECT)")
        direct = scope["path"].startswith("/")
        scope, host = _origin_form(scope, headers.get("host", ""))
        if not self._is_ours(host) and not (self._any_name and direct):
            raise PermissionDenied(
                f"Host {host or '(none)'} is not a name of this API: use 127.0.0.1, localhost or *.localhost. "
                "As a proxy, homerun answers for its own names only: unset http_proxy for other sites"
            )
        origin = headers.get("origin", "")
        if origin and not self._is_ours(urlsplit(origin).netloc):
            raise PermissionDenied(f"pages of {origin} may not use this API (Origin header)")
        return scope

    def _is_ours(self, netloc: str) -> bool:
        try:
            host = (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if host in self._names or any(host == domain or host.endswith(f".{domain}") for domain in OWN_DOMAINS):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def _origin_form(scope: Scope, host: str) -> tuple[Scope, str]:
    """`GET http://host/path` as a proxy gets it -> `GET /path`, with the host that was named there."""
    target = scope["path"]
    if target.startswith(("http://", "https://")):
        parts = urlsplit(target)
        raw = urlsplit(scope.get("raw_path", target.encode()).decode("latin-1")).path
        return {**scope, "path": parts.path or "/", "raw_path": raw.encode("latin-1")}, parts.netloc
    return scope, host
