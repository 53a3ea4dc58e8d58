"""Tokens of service accounts, kept until they are nearly over: to sign one costs a thousand times what finding it does.

Google's server does the same, and its clients know: they ask again when less than four minutes are left.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from homerun.apis.identity.issuer import Issuer, Token

LEAST_LEFT = 300
"""Seconds that a token which is handed out is good for, at least."""
MOST = 4096
"""Tokens that are kept: audiences are the callers' to choose."""


class Tokens:
    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._kept: OrderedDict[tuple[str, ...], Token] = OrderedDict()
        self.signed = 0
        """How often one had to be made."""

    def access(self, account: str, now: float) -> Token:
        return self._find(("access", account), now, lambda: self._issuer.access_token(account, now))

    def identity(self, account: str, audience: str, now: float, *, full: bool) -> Token:
        """`full`: with the account's address in it, not only its number."""

        def make() -> Token:
            return self._issuer.id_token(account, audience, now, include_email=full)

        return self._find(("identity", account, audience, "full" if full else ""), now, make)

    def _find(self, key: tuple[str, ...], now: float, make: Callable[[], Token]) -> Token:
        token = self._kept.get(key)
        if token is None or token.expires - now < LEAST_LEFT:
            token = make()
            self.signed += 1
        self._kept[key] = token
        self._kept.move_to_end(key)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return token
