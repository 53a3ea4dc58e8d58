"""Which of several routers a service belongs to.

All host names of a service, its tags and its domains lead to the same revisions, and a revision's slots are counted
exactly only where one process counts them. So each service has one owner, which everybody can work out from its name
alone: nobody has to be asked, and control and all routers agree, whoever of them was started again.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b


def owner(service: str, count: int) -> int:
    """The index of the router, of `count`, that the service with this full name belongs to."""
    if count == 1:
        return 0
    return int.from_bytes(blake2b(service.encode(), digest_size=8).digest(), "big") % count


@dataclass(frozen=True, slots=True)
class Share:
    """One router of `count`: what is its own, and what is not."""

    index: int = 0
    count: int = 1

    def owns(self, service: str) -> bool:
        return owner(service, self.count) == self.index

    def owns_revision(self, revision: str) -> bool:
        """By its full name, which begins with that of its service."""
        return self.owns(revision.partition("/revisions/")[0])
