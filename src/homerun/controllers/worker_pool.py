"""WorkerPool: its rollout shares out instances; the outcome is the size of a crew and its split (contract §1.9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from homerun.controllers import targets
from homerun.controllers.rollout import Shape
from homerun.controllers.targets import Resolved
from homerun.model.defaults import INSTANCE_SPLIT, WORKERS


class Crews(Protocol):
    """Who has the instances."""

    def share_out(self, pool: str, total: int, percents: Mapping[str, int], *, settled: bool) -> None:
        """`percents` by full revision name; `settled`: no revision is on its way to be among them."""
        ...

    def dismiss(self, pool: str) -> None: ...


def resolve(pool: Mapping[str, Any], latest_ready: str, ready: Collection[str], known: Collection[str]) -> Resolved:
    """v2 instanceSplitStatuses; see controllers.targets.resolve."""
    splits = pool.get("instanceSplits") or [{"type": f"{INSTANCE_SPLIT}LATEST", "percent": 100}]
    return targets.resolve(pool["name"], splits, latest_ready, ready, known, _status, "instance splits")


def _status(split: Mapping[str, Any], revision: str) -> dict[str, Any]:
    return {
        "type": split.get("type", f"{INSTANCE_SPLIT}LATEST"),
        "revision": revision,
        "percent": split.get("percent", 0),
    }


SHAPE = Shape("WorkerPool", (), "instanceSplits", "instanceSplitStatuses", resolve)


class PoolSize:
    """Implements controllers.rollout.Outcome."""

    def __init__(self, crews: Crews) -> None:
        self._crews = crews

    def settle(self, owner: Mapping[str, Any]) -> None:
        percents: Counter[str] = Counter()
        for status in owner.get(SHAPE.statuses, ()):
            percents[f"{owner['name']}/revisions/{status['revision']}"] += status["percent"]
        total = owner.get("scaling", {}).get("manualInstanceCount", WORKERS)
        self._crews.share_out(owner["name"], total, percents, settled=not owner.get("reconciling"))

    def drop(self, owner: str) -> None:
        self._crews.dismiss(owner)
