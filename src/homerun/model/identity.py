"""Who somebody is: an e-mail address, and the number by which tokens name it.

homerun has no accounts. Whoever owns the machine is `OWNER`, who may do everything; all other identities are names that
the owner may speak for, as an administrator of a Google project may impersonate its service accounts.
"""

from __future__ import annotations

import hashlib
import re

OWNER = "homerun@localhost"
ANY_SERVICE = "32555940559.apps.googleusercontent.com"
"""The audience of a token for which no audience was asked: gcloud's own client id. Every service takes it, as Cloud
Run does, so that `curl -H "Authorization: Bearer $(… auth print-identity-token)"` works."""

_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def is_service_account(email: str) -> bool:
    return email.lower().endswith(".gserviceaccount.com")


def domain_of(email: str) -> str:
    return email.lower().rpartition("@")[2]


def subject_of(email: str) -> str:
    """The `sub` of its tokens: 21 digits, always the same. Upper and lower case do not matter."""
    digest = int.from_bytes(hashlib.sha256(email.lower().encode()).digest()[:16])
    return f"1{digest % 10**20:020d}"
