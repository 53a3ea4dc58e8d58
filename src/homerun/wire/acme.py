"""What an ACME server is asked (RFC 8555), through certbot's library: one account, orders for one name each, http-01.

Every method is a few HTTP requests, and blocks for them: whoever calls does so in a thread, and decides how long to
wait in between. An order is JSON that can be kept, so that another process may go on with it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import requests
from acme import challenges, errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from josepy.jwk import JWKRSA

from homerun import __version__
from homerun.lib.errors import FailedPrecondition, Unavailable

T = TypeVar("T")

_TIMEOUT = 15
"""Seconds for each HTTP request."""
_MOMENT = datetime.timedelta(milliseconds=500)
"""The library looks once, after a second, and not again when this has passed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An order whose name is still to be proved: `proofs` by token are to be found at
    `http://NAME/.well-known/acme-challenge/TOKEN`."""

    order: messages.OrderResource
    proofs: dict[str, str]


class Acme:
    """Not for two threads at once. Methods raise Unavailable if the server cannot be reached, FailedPrecondition with
    its reason if it refuses."""

    def __init__(self, directory: str, email: str, account_key: Callable[[Callable[[], bytes]], bytes]) -> None:
        """`directory`: the server's URL. `account_key` reads the key; given is what makes one at the first time."""
        self.directory, self._email, self._account_key = directory, email, account_key
        self._client: ClientV2 | None = None

    def __repr__(self) -> str:
        return f"<Acme {self.directory} {'known' if self._client else 'not asked yet'}>"

    def begin(self, domain: str, request: bytes) -> Opened:
        """Order a certificate for `request` (CSR, PEM), which is for `domain`."""
        with _explained(self.directory):
            client = self._known()
            order = client.new_order(request)
            proofs = {}
            for challenge in _open_challenges(order):
                token = challenge.chall.encode("token")
                proofs[token] = str(challenge.chall.validation(self._key))
            return Opened(order, proofs)

    def answer(self, opened: Opened) -> None:
        """Tell the server that the proofs can be found."""
        with _explained(self.directory):
            client = self._known()
            for challenge in _open_challenges(opened.order):
                client.answer_challenge(challenge, challenge.response(self._key))

    def proved(self, opened: Opened) -> bool:
        """Has it found them all?"""
        with _explained(self.directory):
            client = self._known()
            for authorization in opened.order.authorizations:
                found, _ = client.poll(authorization)
                if found.body.status not in (
                    messages.STATUS_PENDING,
                    messages.STATUS_PROCESSING,
                    messages.STATUS_VALID,
                ):
                    raise errors.ValidationError([found])
                if found.body.status != messages.STATUS_VALID:
                    return False
            return True

    def keep(self, opened: Opened) -> str:
        """As JSON, for `finish`."""
        return str(opened.order.json_dumps())

    def finish(self, kept: str) -> str | None:
        """Of an order that is proved: the certificate with its chain (PEM), None if the server has not made it yet."""
        with _explained(self.directory):
            client = self._known()
            order = messages.OrderResource.from_json(json.loads(kept))
            until = datetime.datetime.now() + _MOMENT  # noqa: TID251 - the library compares it with the same
            try:
                return str(client.poll_finalization(order, until).fullchain_pem)
            except errors.TimeoutError:
                return None

    def _known(self) -> ClientV2:
        """To the server, by an account: the same for the same key."""
        if self._client is None:
            content = self._account_key(_new_key)
            self._key = JWKRSA.load(content)
            network = ClientNetwork(self._key, user_agent=f"homerun/{__version__}", timeout=_TIMEOUT)
            client = ClientV2(ClientV2.get_directory(self.directory, network), network)
            wanted = messages.NewRegistration.from_data(email=self._email, terms_of_service_agreed=True)
            try:
                client.new_account(wanted)
            except errors.ConflictError as known:
                network.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())
            self._client = client
        return self._client


def _open_challenges(order: messages.OrderResource) -> Iterator[messages.ChallengeBody]:
    for authorization in order.authorizations:
        if authorization.body.status == messages.STATUS_VALID:
            continue  # it remembers an earlier proof
        found = [each for each in authorization.body.challenges if isinstance(each.chall, challenges.HTTP01)]
        if not found:
            raise FailedPrecondition("the ACME server does not offer http-01, the only challenge that homerun answers")
        yield found[0]


def _new_key() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@contextmanager
def _explained(directory: str) -> Iterator[None]:
    try:
        yield
    except errors.ValidationError as error:
        raise FailedPrecondition(_why(error)) from None
    except (messages.Error, errors.Error) as error:
        raise FailedPrecondition(f"the ACME server refuses: {_text(error)}") from None
    except (requests.RequestException, OSError, ValueError) as error:
        raise Unavailable(f"the ACME server at {directory} cannot be reached: {error}") from None


def _why(error: errors.ValidationError) -> str:
    reasons = [
        _text(challenge.error)
        for authorization in error.failed_authzrs
        for challenge in authorization.body.challenges
        if challenge.error is not None
    ]
    return f"the ACME server could not verify the domain: {'; '.join(reasons) or 'it gives no reason'}"


def _text(error: object) -> str:
    return str(getattr(error, "detail", None) or error)
