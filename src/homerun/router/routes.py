"""Host name -> service -> revision.

The share of a revision is exact over every hundred requests, and well mixed within: the n-th request takes seat
61·n mod 100 of a row of a hundred seats in which each revision has as many neighbouring seats as it has percent.
61 has no divisor in common with 100, so each seat is taken once, and is close to the golden section, so neighbours in
time are far apart in the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homerun.core.ownership import Share, owner
from homerun.router.gate import Gate
from homerun.wire.link import RouteSet, Target

_STRIDE = 61
_SEEN = 10_000


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """In the place of a gate: the service belongs to another router, the one with this index."""

    owner: int


class Misdirected(Exception):
    """A request for a host of another router, the one with this index."""

    def __init__(self, owner: int) -> None:
        self.owner = owner


class Route:
    """What one host name leads to. `seats` has one entry per percent, or one alone; empty: not ready. `gate` None: open
    to everybody, and our own."""

    __slots__ = ("_seat", "gate", "seats", "service")

    def __init__(self, service: str, seats: Sequence[str], gate: Gate | Elsewhere | None = None) -> None:
        self.service = service
        self.seats = seats
        self.gate = gate
        self._seat = 0

    def pick(self) -> str | None:
        """The revision for the next request."""
        seats = self.seats
        count = len(seats)
        if count <= 1:
            return seats[0] if count else None
        self._seat = seat = (self._seat + _STRIDE) % count
        return seats[seat]

    @property
    def any_revision(self) -> str:
        """For the log of a request that gets to none."""
        return self.seats[0] if self.seats else f"{self.service}/revisions/"

    def __repr__(self) -> str:
        return f"<Route {self.service} {dict.fromkeys(self.seats)}>"


class Routes:
    def __init__(self, share: Share = Share()) -> None:  # noqa: B008 - frozen
        self._share = share
        self._by_host: dict[bytes, Route] = {}
        self._hosts: dict[str, list[bytes]] = {}
        """Of each service, its host names and those of its tags."""
        self._seen: dict[bytes, Route] = {}
        """Host headers as they are sent, most of them with a port."""

    def set(self, message: RouteSet) -> None:
        self.drop(message.service)
        gate: Gate | Elsewhere | None = None
        if not self._share.owns(message.service):
            gate = Elsewhere(owner(message.service, self._share.count))
        elif message.access is not None or message.ingress != "all":
            gate = Gate(message)
        found = {_key(host): Route(message.service, _seats(message.targets), gate) for host in message.hosts}
        for target in message.targets:
            if target.tag:
                tagged = Route(message.service, [target.revision], gate)
                found.update({_key(f"{target.tag}---{host}"): tagged for host in message.hosts})
        self._by_host.update(found)
        self._seen.clear()
        self._hosts[message.service] = list(found)

    def drop(self, service: str) -> None:
        self._seen.clear()
        for host in self._hosts.pop(service, ()):
            route = self._by_host.get(host)
            # The name may have passed to another service meanwhile.
            if route is not None and route.service == service:
                del self._by_host[host]

    def services(self) -> list[str]:
        return list(self._hosts)

    def find(self, host: bytes) -> Route | None:
        """By the value of a Host header: case and port do not matter."""
        route = self._seen.get(host)
        if route is not None:
            return route
        route = self._by_host.get(_without_port(host).lower().removesuffix(b"."))
        if route is not None and len(self._seen) < _SEEN:
            self._seen[host] = route
        return route

    def __repr__(self) -> str:
        return f"<Routes {len(self._hosts)} services, {len(self._by_host)} hosts>"


def _key(host: str) -> bytes:
    return host.lower().encode("idna" if not host.isascii() else "ascii")


def _without_port(host: bytes) -> bytes:
    name, colon, port = host.rpartition(b":")
    return name if colon and (port.isdigit() or not port) else host


def _seats(targets: Sequence[Target]) -> list[str]:
    shares = [(target.revision, target.percent) for target in targets if target.percent]
    if len(shares) == 1:
        return [shares[0][0]]
    return [revision for revision, percent in shares for _ in range(percent)]
