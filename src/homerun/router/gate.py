"""What stands in front of a service that is not open to everybody (contract §1.12, §13.4, §13.6).

Public services have no gate: that is all that their requests pay for it. Elsewhere the ingress comes first, then the
caller: who they are is proved by an ID token, whether they may is in the service's routes. The container gets the token
without its signature, so that it cannot use it to call others in the caller's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homerun.model import identity
from homerun.router import errors
from homerun.wire.link import RouteSet
from homerun.wire.tokens import BadToken, Claims

if TYPE_CHECKING:
    from homerun.router.errors import Refusal
    from homerun.router.headers import RequestHead
    from homerun.router.origin import Origin
    from homerun.router.passports import Passports

REMOVED = b"SIGNATURE_REMOVED_BY_GOOGLE"
_PREFERRED, _USUAL = b"x-serverless-authorization", b"authorization"


class Gate:
    __slots__ = ("_access", "_audiences", "_domains", "_ingress", "_service", "_subjects")

    def __init__(self, route: RouteSet) -> None:
        self._service, self._access, self._ingress = route.service, route.access, route.ingress
        access = route.access
        self._audiences = frozenset(access.audiences) if access is not None else frozenset()
        self._subjects = frozenset(access.subjects) if access is not None else frozenset()
        self._domains = frozenset(access.domains) if access is not None else frozenset()

    def __repr__(self) -> str:
        return f"<Gate {self._service} ingress {self._ingress}, {self._access or 'public'}>"

    def check(self, head: RequestHead, origin: Origin, passports: Passports, now: float) -> RequestHead | Refusal:
        """The head that the container gets, in which the token has lost its signature. `now`: seconds since 1970."""
        if self._ingress != "all" and (self._ingress == "none" or not origin.private):
            return errors.blocked(head.host.decode("latin-1"))
        if self._access is None:
            return head
        found = _find(head.lines, _PREFERRED) or _find(head.lines, _USUAL)
        if not found:
            return errors.UNAUTHENTICATED
        if len(found) > 1:
            return errors.bad_token("the request has more than one such header")
        at = found[0]
        scheme, _, token = head.lines[at].strip(b" \t").partition(b" ")
        token = token.strip(b" \t")
        if scheme.lower() != b"bearer" or not token:
            return errors.bad_token("the header is not of the form `Bearer TOKEN`")
        try:
            claims = passports.check(token, now)
        except BadToken as error:
            return errors.bad_token(str(error))
        unsigned = b"%b %b.%b" % (scheme, token.rpartition(b".")[0], REMOVED)
        return self._admit(claims) or head.replaced(at, unsigned)

    def _admit(self, claims: Claims) -> Refusal | None:
        access = self._access
        assert access is not None
        if claims.aud not in self._audiences and claims.aud.removesuffix("/") not in self._audiences:
            expected = access.audiences[0] if access.audiences else "its URL"
            return errors.bad_token(f"its audience is {claims.aud!r}, and this service expects {expected}")
        if access.known or claims.sub in self._subjects:
            return None
        if self._domains and identity.domain_of(claims.email) in self._domains:
            return None
        return errors.not_permitted(claims.who, self._service.rpartition("/")[2])


def _find(lines: list[bytes], name: bytes) -> list[int]:
    """Where in a head's lines (name, ": ", value, CRLF, …) the values of a header are."""
    return [at + 2 for at in range(0, len(lines), 4) if lines[at].lower() == name]
