"""The folder of certificates: what ACME has brought, and what it needs on its way.

    NAME.crt, NAME.key       the user's own
    acme/NAME.pem            key and chain in one file, so that nobody sees one without the other
    acme/NAME.order          an order that the server works on, with its key: paid for, and lost if it were forgotten
    acme/challenges/TOKEN    answers to challenges; the router gives them to whoever asks
    acme/account-….pem       the key of the account, one for each server

Each file is there whole or not at all, mode 0600. The router reads them, so either process may die at any moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from homerun.store.secret_file import read_or_make, replace


class CertificateFiles:
    """All methods block. Raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._acme = folder / "acme"
        self.challenges = self._acme / "challenges"

    def open(self) -> None:
        """Challenges of an earlier life are nobody's: their orders begin anew."""
        for folder in (self._folder, self._acme, self.challenges):
            folder.mkdir(mode=0o700, exist_ok=True)
        for left in self.challenges.iterdir():
            left.unlink()

    def is_own(self, domain: str) -> bool:
        """The user has put one there."""
        siblings = f"*.{domain.partition('.')[2]}"
        return any((self._folder / f"{name}.crt").exists() for name in (domain, siblings))

    def certificate(self, domain: str) -> bytes | None:
        return _read(self._acme / f"{domain}.pem")

    def keep_certificate(self, domain: str, content: bytes) -> None:
        """It takes the place of its order."""
        replace(self._acme / f"{domain}.pem", content)
        self.drop_order(domain)

    def order(self, domain: str) -> bytes | None:
        return _read(self._acme / f"{domain}.order")

    def keep_order(self, domain: str, content: bytes) -> None:
        replace(self._acme / f"{domain}.order", content)

    def drop_order(self, domain: str) -> None:
        (self._acme / f"{domain}.order").unlink(missing_ok=True)

    def answer(self, proofs: Mapping[str, str]) -> None:
        """By token, from now on."""
        for token, proof in proofs.items():
            replace(self.challenges / token, proof.encode())

    def stop_answering(self, proofs: Mapping[str, str]) -> None:
        for token in proofs:
            (self.challenges / token).unlink(missing_ok=True)

    def account_key(self, directory: str, make: Callable[[], bytes]) -> bytes:
        """For the server whose `directory` this is; `make` at the first time."""
        mark = hashlib.sha256(directory.encode()).hexdigest()[:16]
        return read_or_make(self._acme / f"account-{mark}.pem", make)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
