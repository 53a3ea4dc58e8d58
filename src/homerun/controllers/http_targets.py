"""HTTP targets of schedules, called: with the token of the account that they name, within their deadline.

What is homerun's own does not go over the network: its API is called in this process, as anybody with that token could
call it, and its services at the router's port on this machine. Tokens that open the API go to nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from homerun.core.destination import Destinations
from homerun.core.egress import Reach, reach_of, refusal
from homerun.core.http_attempt import (
    DEADLINE_EXCEEDED,
    HttpAttempt,
    Outcome,
    Place,
    Step,
    authority,
    origin_of,
    request_target,
)
from homerun.lib.clock import Clock
from homerun.lib.errors import FailedPrecondition, HomerunError, Unavailable
from homerun.model.schedule import HttpRequest, deadline, http_request
from homerun.wire.http_client import Answer, CannotConnect, Peer, exchange

Json = Mapping[str, Any]
Headers = tuple[tuple[str, str], ...]
_CREDENTIALS = ("authorization", "x-serverless-authorization", "cookie")
LOOKUP = 10.0
"""Seconds to find the addresses of a name: of the deadline, not beside it."""


class Token(Protocol):
    @property
    def text(self) -> str: ...


class Tokens(Protocol):
    """homerun's issuer."""

    def id_token(self, email: str, audience: str, now: float) -> Token: ...
    def access_token(self, email: str, now: float) -> Token: ...


OwnApi = Callable[[HttpRequest, Headers], Awaitable[int]]
"""Calls homerun's API in this process, with these headers; the HTTP status of its answer."""
Exchange = Callable[[Peer, str, str, Headers, bytes], Awaitable[Answer]]
Lookup = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Doors:
    """Ports of the router on this machine: `secure` where it speaks TLS, if it does."""

    host: str
    plain: int
    secure: int | None = None

    def peer(self, scheme: str, host: str) -> Peer:
        if scheme == "https" and self.secure is not None:
            return Peer(self.host, self.secure, tls=host, verify=False)
        return Peer(self.host, self.plain)


async def lookup(host: str, port: int) -> list[str]:
    """The addresses of a name, or of an address itself. Raises Unavailable."""
    if host.endswith(".localhost"):
        return ["127.0.0.1"]  # RFC 6761; not every resolver knows it
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    try:
        async with asyncio.timeout(LOOKUP):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise Unavailable(f"nobody said within {LOOKUP:g} s where {host} is") from None
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"there is no address for {host}: {getattr(error, 'strerror', None) or error}") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class HttpTargets:
    """`exchange` and `lookup`: what touches the network; tests put others in their place."""

    def __init__(
        self,
        tokens: Tokens,
        clock: Clock,
        destinations: Destinations,
        doors: Doors,
        own_api: OwnApi,
        exchange: Exchange = exchange,
        lookup: Lookup = lookup,
    ) -> None:
        self._tokens, self._clock, self._destinations, self._doors = tokens, clock, destinations, doors
        self._own_api, self.exchange, self.lookup = own_api, exchange, lookup

    async def attempt(self, job: Json, id: str, scheduled: str) -> Outcome:
        """`job`: the body of the schedule `id`; `scheduled`: the time that the attempt stands for, RFC 3339."""
        target = job["httpTarget"]
        seconds = deadline(job)
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(target, http_request(target, id, scheduled))
        except TimeoutError:
            return Outcome(DEADLINE_EXCEEDED, f"the target did not answer within {seconds:g} s")
        except HomerunError as error:
            return Outcome(error.code, error.message)

    async def _follow(self, target: Json, request: HttpRequest) -> Outcome:
        attempt = HttpAttempt(request, self._destinations.place)
        while True:
            step = attempt.step
            answer, reach = await self._take(step, target)
            outcome = attempt.answered(answer.status, answer.location, reach)
            if outcome is not None:
                hint = _hint(outcome, step, target)
                return replace(outcome, message=f"{outcome.message}: {hint}") if hint else outcome

    async def _take(self, step: Step, target: Json) -> tuple[Answer, Reach]:
        """The answer, and how deep the address is that gave it. Raises HomerunError."""
        request = step.request
        scheme, host, port = origin_of(request.url)
        headers = self._headers(step, target, host)
        if step.place is Place.API:
            return Answer(await self._own_api(request, headers)), Reach.PUBLIC
        if step.place is Place.ROUTER:
            return await self._send([self._doors.peer(scheme, host)], request, headers), Reach.PUBLIC
        addresses = self._checked(await self.lookup(host, port), step.reach, port)
        peers = [Peer(address, port, tls=host if scheme == "https" else None) for address in addresses]
        return await self._send(peers, request, headers), min(map(reach_of, addresses))

    async def _send(self, peers: list[Peer], request: HttpRequest, headers: Headers) -> Answer:
        """To the first of them that lets itself be connected to."""
        *others, last = peers
        for peer in others:
            with contextlib.suppress(CannotConnect):
                return await self._ask(peer, request, headers)
        return await self._ask(last, request, headers)

    async def _ask(self, peer: Peer, request: HttpRequest, headers: Headers) -> Answer:
        return await self.exchange(peer, request.method, request_target(request.url), headers, request.body)

    def _checked(self, addresses: list[str], reach: Reach, port: int) -> list[str]:
        """A name with an address that may not be reached is not called at any. Raises FailedPrecondition."""
        for address in addresses:
            if problem := refusal(address, reach):
                raise FailedPrecondition(problem)
            if reach_of(address) is Reach.MACHINE and port == self._destinations.api_port:
                raise FailedPrecondition("this is homerun's own API: name it by https://run.googleapis.com/…")
        return addresses

    def _headers(self, step: Step, target: Json, host: str) -> Headers:
        """The request's own, with the token in place of its Authorization. Elsewhere than at the target, without any
        credentials."""
        token = self._authorization(step, target, host) if step.authorized else ""
        dropped = _CREDENTIALS if not step.authorized else _CREDENTIALS[:1] if token else ()
        kept = tuple(header for header in step.request.headers if header[0].lower() not in dropped)
        own = ("Host", authority(step.request.url))
        return (own, *kept, ("Authorization", token)) if token else (own, *kept)

    def _authorization(self, step: Step, target: Json, host: str) -> str:
        """The value of the header; empty: the target has no token. Raises HomerunError."""
        now = self._clock.now()
        if (oauth := target.get("oauthToken")) is not None:
            if step.place is not Place.API:
                raise FailedPrecondition(f"{host} is no API of homerun's, and its access tokens are for no other")
            return f"Bearer {self._tokens.access_token(oauth['serviceAccountEmail'], now).text}"
        if (oidc := target.get("oidcToken")) is None:
            return ""
        audience = oidc.get("audience") or self._audience(step, target["uri"])
        return f"Bearer {self._tokens.id_token(oidc['serviceAccountEmail'], audience, now).text}"

    def _audience(self, step: Step, uri: str) -> str:
        """The URI as it is given; of a service of homerun's without the path, because services insist on that."""
        return f"{uri.partition('://')[0]}://{authority(uri)}" if step.place is Place.ROUTER else uri


def _hint(outcome: Outcome, step: Step, target: Json) -> str:
    """What to do when something of homerun's own has turned an attempt away; empty: nothing of that kind."""
    if step.place is Place.OUTSIDE or outcome.http not in (401, 403):
        return ""
    token = target.get("oidcToken") or target.get("oauthToken")
    if token is None:
        return "it wants a token: name an account in " + ("oauthToken" if step.place is Place.API else "oidcToken")
    if outcome.http == 401:
        return "the audience of the token must be a URL of the service" if "oidcToken" in target else ""
    return f"{token['serviceAccountEmail']} needs roles/run.invoker there"
