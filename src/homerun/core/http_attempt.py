"""One attempt of an HTTP target: what is sent where, which redirects are followed, and what the answer means.

Sans-IO: a Step says what to send, the answer to it is told, and either the next Step or the Outcome comes back.
Destinations are of three kinds, each with a way of its own: homerun's API, its routers, and everything outside.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from homerun.core.egress import Reach
from homerun.model.schedule import HttpRequest

REDIRECTS = 10
_FOLLOWED = frozenset((301, 302, 303, 307, 308))
_SAME_METHOD = frozenset((307, 308))
_ABOUT_BODY = ("content-type", "content-encoding", "content-language")
_SAFE = "/%:@!$&'()*+,;=~-._?[]"

CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED"
).split()
"""Names of google.rpc.Code, by number."""
OK, UNKNOWN, DEADLINE_EXCEEDED, FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 2, 4, 9, 12, 13, 14
_BY_STATUS = {
    400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 409: 10, 412: 9, 416: 11, 429: 8, 499: 1,
    500: 13, 501: 12, 503: 14, 504: 4,
}  # fmt: skip
"""HTTP mapping of google/rpc/code.proto, read backwards."""


class Place(enum.Enum):
    API = "homerun's API"
    ROUTER = "a service of homerun"
    OUTSIDE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`code`: of google.rpc.Code. `http`: the status that the target answered with; 0: it did not."""

    code: int
    message: str = ""
    http: int = 0

    @property
    def ok(self) -> bool:
        return self.code == OK


@dataclass(frozen=True, slots=True)
class Step:
    """Send `request` there. `authorized`: with the target's token. `reach`: to no address deeper than that."""

    place: Place
    request: HttpRequest
    authorized: bool = True
    reach: Reach = Reach.MACHINE


class HttpAttempt:
    """`place_of`: by scheme, host name and port."""

    def __init__(self, request: HttpRequest, place_of: Callable[[str, str, int], Place]) -> None:
        self._place_of = place_of
        self._redirects = 0
        self.step = Step(self._place(request.url), request)
        """The one to take now."""

    def answered(self, status: int, location: str = "", reach: Reach = Reach.PUBLIC) -> Outcome | None:
        """None: take the next `step`. `reach`: of the address that has answered; a service is as good as public."""
        if status not in _FOLLOWED or not location:
            return outcome_of(status)
        self._redirects += 1
        if self._redirects > REDIRECTS:
            return Outcome(UNKNOWN, f"the target redirects more than {REDIRECTS} times", status)
        before = self.step
        try:
            url = urljoin(before.request.url, location)
            place = self._place(url)
        except ValueError:
            return Outcome(
                UNKNOWN, f"the target redirects to {location[:200]!r}, which is no http or https URL", status
            )
        if place is not Place.OUTSIDE and place is not before.place:
            return Outcome(FAILED_PRECONDITION, f"a redirect leads to {place.value}: not followed", status)
        self.step = Step(
            place,
            _redirected(before.request, url, status),
            authorized=before.authorized and _same(url, before.request.url, place),
            reach=min(before.reach, reach),
        )
        return None

    def _place(self, url: str) -> Place:
        """Raises ValueError."""
        return self._place_of(*origin_of(url))


def outcome_of(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome(OK, "", status)
    if status in _BY_STATUS:
        code = _BY_STATUS[status]
    else:
        code = FAILED_PRECONDITION if 400 <= status < 500 else INTERNAL if status >= 500 else UNKNOWN
    return Outcome(code, f"the target answered with HTTP status {status}", status)


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError for what is no URL of HTTP."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url[:200]!r} is no http or https URL")
    host = parts.hostname.rstrip(".")
    if not host.isascii():
        host = host.encode("idna").decode()
    return parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80)


def request_target(url: str) -> str:
    """Path and query, as they stand in the first line of a request."""
    parts: SplitResult = urlsplit(url)
    path = quote(parts.path or "/", safe=_SAFE)
    return f"{path}?{quote(parts.query, safe=_SAFE)}" if parts.query else path


def authority(url: str) -> str:
    """The value of Host."""
    scheme, host, port = origin_of(url)
    name = f"[{host}]" if ":" in host else host
    return name if port == (443 if scheme == "https" else 80) else f"{name}:{port}"


def _same(one: str, other: str, place: Place) -> bool:
    """Whether both are the same server: of services the name says it, at whichever of the router's ports."""
    mine, theirs = origin_of(one), origin_of(other)
    return mine == theirs or (place is Place.ROUTER and mine[1] == theirs[1])


def _redirected(request: HttpRequest, url: str, status: int) -> HttpRequest:
    """Asked to look elsewhere (301 to 303), one GETs, as browsers do."""
    if status in _SAME_METHOD or request.method in ("GET", "HEAD"):
        return replace(request, url=url)
    headers = tuple(header for header in request.headers if header[0].lower() not in _ABOUT_BODY)
    return HttpRequest("GET", url, headers)
