"""What handlers need: the store, the clock, whose projects these are, and where services answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from homerun.lib.clock import Clock
from homerun.lib.timestamps import to_rfc3339
from homerun.model.project import Projects, check_project
from homerun.model.urls import Addresses
from homerun.store.base import ABSENT, Conflict, Document, Put, Store
from homerun.store.project_ids import project_id


@dataclass(frozen=True, slots=True)
class Backend:
    """`region`: the location of requests that name none. `host`: where users' requests are taken, address or name.
    `acme`: certificates for domains are asked for."""

    store: Store
    clock: Clock
    projects: Projects
    addresses: Addresses
    region: str
    host: str = "127.0.0.1"
    acme: bool = False
    _known: set[str] = field(default_factory=set)

    def now(self) -> str:
        return to_rfc3339(self.clock.now())

    async def project_id(self, project: str) -> str:
        """Documents are stored under the id; callers may use the number. Raises Invalid."""
        check_project(project)
        return await project_id(self.store, self.projects, project)

    async def remember(self, project: str) -> None:
        """So that its number leads back to it."""
        if project in self._known or project in (self.projects.id,) or project.isdigit():
            return
        number = self.projects.number_of(project)
        put = Put("Project", f"projects/{number}", {"projectId": project, "projectNumber": number}, if_version=ABSENT)
        try:
            await self.store.apply(put)
        except Conflict:
            pass  # remembered already
        self._known.add(project)

    async def until(
        self, kind: str, name: str, done: Callable[[Document | None], bool], seconds: float
    ) -> Document | None:
        """The document as soon as `done` with it, or as it is after `seconds`. No polling: it watches the store."""
        version = await self.store.version()
        document = await self.store.get(kind, name)
        if done(document) or seconds <= 0:
            return document
        try:
            async with asyncio.timeout(seconds):
                async for change in self.store.watch(version, kinds={kind}):
                    if change.name == name:
                        document = None if change.deleted else change
                        if done(document):
                            break
        except TimeoutError:
            pass
        return document
