"""One revision's instances, and what is needed to start one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from homerun.controllers.revision import Checked
from homerun.core.fleet import Fleet
from homerun.core.health import Starting
from homerun.core.instance import State
from homerun.engine.base import Exited, Probed, Ready
from homerun.model import probe_words
from homerun.model.probe import Check
from homerun.model.revision import RevisionSpec
from homerun.wire.link import RevisionSet

QUEUE_STARTUPS = 3.5
"""Requests wait up to max(3.5 x average startup, 10 s) (contract §2.2); the 10 s are `queue_wait`."""


@dataclass(slots=True)
class Group:
    spec: RevisionSpec
    images: Sequence[str]
    fleet: Fleet
    prospect: int = 1
    """Instances that it is to have before it is said to be ready."""
    routed: bool = False
    """Some traffic or a tag leads to it."""
    can_wait: bool = False
    """Requests may come to it, and its instances can be made before they do."""
    checked: Checked | None = None
    timer: asyncio.TimerHandle | None = None
    short: tuple[bool, str] = (False, "")
    """Whether it lacked instances of its minimum, and why, when that was last looked at."""
    ready: dict[str, Ready] = field(default_factory=dict)
    """How the start of each ready instance went."""
    causes: dict[str, str] = field(default_factory=dict)
    """Whom the engine kills because a probe failed, and how it did, until their exit tells the rest."""
    stopping: dict[str, float] = field(default_factory=dict)
    """Who was asked to end, and when."""
    kept: int = -1
    """Ready instances that the minimum keeps, when that was last told."""

    @property
    def keeps(self) -> int:
        """Ready instances that the minimum keeps now."""
        fleet = self.fleet
        return 0 if fleet.closed else min(fleet.minimum, fleet.count(State.READY, State.UNREADY))

    @property
    def expandable(self) -> bool:
        """Another instance could be started at once."""
        fleet = self.fleet
        return len(fleet.instances) < fleet.maximum and not (fleet.closed or fleet.failure or fleet.checking)

    @property
    def holds_others(self) -> bool:
        """It is to have more instances before others give up theirs, and may get them."""
        return bool(self.fleet.short) and not self.fleet.failure and not self.fleet.closed

    def deadline(self, least: float) -> float:
        """Seconds that a request waits for an instance, and `least`."""
        return max(QUEUE_STARTUPS * self.fleet.average_startup, least)

    def announcement(self, queue_wait: float) -> RevisionSet:
        """What routers need to know of it."""
        return RevisionSet(
            revision=self.spec.name,
            concurrency=self.spec.concurrency,
            timeout=self.spec.timeout,
            queue_deadline=self.deadline(queue_wait),
            max_instances=self.fleet.maximum,
            failure=self.fleet.failure if self.fleet.hopeless else "",
            affinity=self.spec.affinity,
            h2c=self.spec.ingress.h2c,
            throttled=self.spec.ingress.cpu_idle,
        )

    def cancelled_probe(self, event: Exited, now: float) -> Probed | None:
        """The startup probe of an instance that ended by itself before it was ready, if it had one."""
        asked = self.spec.containers.named(event.container)
        asked = asked if asked.startup_probe else self.spec.ingress
        instance = self.fleet.instances.get(event.id)
        if instance is None or asked.startup_probe is None:
            return None
        times = Starting(asked.startup_probe, instance.created).attempts(now)
        return Probed(event.id, event.at, asked.name, Check.STARTUP, False, times, probe_words.CANCELLED)
