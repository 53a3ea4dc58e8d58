"""Instances of an earlier run of control that wait for whoever will own them.

Between the first look at the engine and the moment at which a controller gets to its object, an instance may become
ready or end, and nobody who hears of it knows whose it is. So only names are kept here: what is taken is as it is then.
"""

from __future__ import annotations

from homerun.engine.base import Engine, InstanceState


class Orphans:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: dict[str, set[str]] = {}
        """Ids of instances, by the name of the object that they belong to."""

    def add(self, owner: str, id: str) -> None:
        self._waiting.setdefault(owner, set()).add(id)

    def take(self, owner: str) -> list[InstanceState]:
        """Those of `owner`, as they are now; from then on they are its business."""
        ids = self._waiting.pop(owner, None)
        return [state for state in self._engine.instances() if state.id in ids] if ids else []
