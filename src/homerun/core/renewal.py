"""When to ask for a certificate: at once if there is none, at two thirds of its life, and later after each failure.

ACME servers count failures (Let's Encrypt: five an hour for each account and name), so the first wait is long already.
"""

from __future__ import annotations

from dataclasses import dataclass

from homerun.core.backoff import delay

_FIRST, _MOST = 300.0, 12 * 3600.0
"""Seconds after the first failure, and after many."""
_SHARE = 2 / 3


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one domain. Unix times; `until` 0: there is no certificate. `failures`: in a row, the last one at `failed`."""

    since: float = 0.0
    until: float = 0.0
    failures: int = 0
    failed: float = 0.0

    def due(self) -> float:
        """When to ask for a new one."""
        return max(self.since + (self.until - self.since) * _SHARE, self.retry())

    def retry(self) -> float:
        """Before this it is not tried again."""
        return self.failed + delay(self.failures, first=_FIRST, most=_MOST) if self.failures else 0.0

    def usable(self, now: float) -> bool:
        return self.since <= now < self.until
