"""The plain port when there is a secure one: it redirects, and proves to an ACME server whose domain it is.

Only a router that does either has these connections; all others pay nothing for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homerun.router import errors
from homerun.router.errors import Refusal
from homerun.router.exchange import Exchange
from homerun.router.protocol import ClientConnection

if TYPE_CHECKING:
    from homerun.router.routes import Routes
    from homerun.router.server import Router

_CHALLENGE = b"/.well-known/acme-challenge/"
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True, slots=True)
class Front:
    """`secure_port`: where to redirect to, None if that is not wanted. `challenges`: folder with a file for each token
    of an ACME challenge that is being answered (RFC 8555 §8.3), None if none ever is."""

    secure_port: int | None = None
    challenges: Path | None = None

    def answer(self, exchange: Exchange, routes: Routes) -> Refusal | None:
        """Instead of the service's."""
        target, host = exchange.target, exchange.head.host
        if self.challenges is not None and target.startswith(_CHALLENGE):
            proof = _read(self.challenges, target.removeprefix(_CHALLENGE))
            if proof is not None:
                return Refusal(200, proof)
        if self.secure_port is None or not target.startswith(b"/") or routes.find(host) is None:
            return None
        name = host.decode("latin-1").partition(":")[0]
        port = "" if self.secure_port == 443 else f":{self.secure_port}"
        return errors.moved_to(f"https://{name}{port}{target.decode('latin-1')}")


class FrontConnection(ClientConnection):
    __slots__ = ("_front",)
    _front: Front

    def __init__(self, router: Router, front: Front) -> None:
        super().__init__(router)
        self._front = front

    def _begin(self, exchange: Exchange) -> None:
        if exchange.refusal is None:
            exchange.refusal = self._front.answer(exchange, self._router.routes)
        super()._begin(exchange)


def _read(folder: Path, token: bytes) -> str | None:
    """Anybody may ask for anything: a token has no slash and no dot in it."""
    if not _TOKEN.fullmatch(token):
        return None
    try:
        return (folder / token.decode()).read_text()
    except OSError:
        return None
