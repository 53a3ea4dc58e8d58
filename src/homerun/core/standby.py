"""Which revisions have a standby: an instance that is made ahead, so that a request only has to let it go.

One for each revision that was used lately and may have another instance. There is room for so many, which the last used
ones get, and for none while memory is short. Whoever waits for an instance comes first: a standby is made when its
revision has started nothing for a moment, and one after the other.

    id = standbys.take(revision, now)           # of the next instance: that of its standby, if there is one
    for command in standbys.plan(now, free):    # soon after an event, and at `wake`
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

KEPT = 3600.0
"""Seconds after its last use for which a revision keeps its standby."""
CALM = 1.0
"""Seconds after its last start until one is made."""
SCARCE, ENOUGH = 0.10, 0.15
"""Shares of the machine's memory: with less than the first available there are none, until there is the second."""
SHARE = 0.01
"""Of the machine's memory, that all of them together may take."""
SIZE = 4 << 20
"""Bytes that one takes: its monitor, the runtime's process, and what the kernel keeps for them."""

REMEMBERED = 4
"""Revisions for each standby that there may be, of which it is known when they were used."""


@dataclass(frozen=True, slots=True)
class Prepare:
    revision: str
    id: str


@dataclass(frozen=True, slots=True)
class Dismiss:
    id: str


Command = Prepare | Dismiss


@dataclass(slots=True)
class Standby:
    """A revision's. Times are monotonic."""

    revision: str
    used: float
    calm: float
    """When one may be made."""
    allowed: bool = False
    id: str = ""
    """Of the one that there is, or that is being made."""
    since: float | None = None
    """When it was made."""
    failed: bool = False
    """It could not be made: not again before the next use."""


def room(total: int) -> int:
    """How many this machine has memory for; `total` in bytes."""
    return int(total * SHARE / SIZE)


class Standbys:
    """`most`: how many there may be. `new_id` names new instances."""

    def __init__(self, most: int, new_id: Callable[[], str]) -> None:
        self.most = most
        self.scarce = False
        """Memory is short."""
        self._new_id = new_id
        self._standbys: dict[str, Standby] = {}
        """Of the revisions that were used lately, the last used ones last."""
        self._making = ""
        self._wake: float | None = None

    def __repr__(self) -> str:
        there = sum(standby.since is not None for standby in self._standbys.values())
        return f"<Standbys {there} of {self.most}{', memory is short' if self.scarce else ''}>"

    @property
    def wake(self) -> float | None:
        """When to call `plan` next."""
        return self._wake

    def __iter__(self) -> Iterator[Standby]:
        """Of the revisions that were used lately, with or without one."""
        return iter(list(self._standbys.values()))

    def of(self, revision: str) -> Standby | None:
        return self._standbys.get(revision)

    def take(self, revision: str, now: float) -> str:
        """The id of the revision's next instance."""
        standby = self._use(revision, now)
        id, standby.id, standby.since = standby.id, "", None
        standby.calm, standby.failed = now + CALM, False
        if id == self._making:
            self._making = ""
        return id or self._new_id()

    def used(self, revision: str, now: float) -> None:
        """It has requests."""
        self._use(revision, now)

    def allow(self, revision: str, allowed: bool) -> None:
        """Whether it may have another instance that can be made ahead."""
        if (standby := self._standbys.get(revision)) is not None:
            standby.allowed = allowed

    def made(self, id: str, now: float) -> None:
        if id == self._making:
            self._making = ""
        if (standby := self._having(id)) is not None:
            standby.since = now

    def failed(self, id: str) -> None:
        """Making it came to nothing."""
        if id == self._making:
            self._making = ""
        if (standby := self._having(id)) is not None:
            standby.id, standby.since, standby.failed = "", None, True

    def gone(self, revision: str) -> list[Command]:
        """The revision is."""
        standby = self._standbys.pop(revision, None)
        return list(self._dismiss(standby)) if standby is not None else []

    def plan(self, now: float, free: float) -> list[Command]:
        """`free`: the share of the machine's memory that is available."""
        self.scarce = free < (ENOUGH if self.scarce else SCARCE)
        for standby in [each for each in self._standbys.values() if each.used + KEPT <= now and not each.id]:
            del self._standbys[standby.revision]
        chosen = self._chosen(now)
        commands = [
            command
            for standby in self._standbys.values()
            if standby.revision not in chosen
            for command in self._dismiss(standby)
        ]
        for standby in chosen.values():
            if not standby.id and not standby.failed and standby.calm <= now and not self._making:
                standby.id = self._making = self._new_id()
                commands.append(Prepare(standby.revision, standby.id))
        self._wake = min(self._times(chosen, now), default=None)
        return commands

    def _use(self, revision: str, now: float) -> Standby:
        standby = self._standbys.pop(revision, None) or Standby(revision, now, now + CALM)
        standby.used = now
        self._standbys[revision] = standby
        if len(self._standbys) > REMEMBERED * self.most:
            # Whoever has been used less lately than so many others will not get one.
            forgotten = next((name for name, each in self._standbys.items() if not each.id), revision)
            del self._standbys[forgotten]
        return standby

    def wanted(self, id: str) -> bool:
        """Nobody has taken it yet, and it is not to go."""
        return self._having(id) is not None

    def _having(self, id: str) -> Standby | None:
        return next((standby for standby in self._standbys.values() if standby.id == id), None)

    def _chosen(self, now: float) -> dict[str, Standby]:
        """Revisions that are to have one, the last used ones first."""
        if self.scarce or not self.most:
            return {}
        deserving = (s for s in reversed(self._standbys.values()) if s.allowed and s.used + KEPT > now)
        return {standby.revision: standby for standby, _ in zip(deserving, range(self.most), strict=False)}

    def _dismiss(self, standby: Standby) -> Iterator[Command]:
        id, standby.id, standby.since = standby.id, "", None
        if id:
            if id == self._making:
                self._making = ""
            yield Dismiss(id)

    def _times(self, chosen: dict[str, Standby], now: float) -> Iterator[float]:
        """When something will be due that nobody tells: it has been unused for long, or calm for a moment."""
        for standby in chosen.values():
            if standby.id:
                yield standby.used + KEPT
            elif not standby.failed and standby.calm > now:
                yield standby.calm
