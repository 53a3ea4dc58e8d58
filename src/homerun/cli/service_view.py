"""The parts of `homerun services describe` and `homerun worker-pools describe` as text. Pure."""

from __future__ import annotations

from typing import Any

from homerun.cli.output import ago, clock_time, duration, last, mark, table
from homerun.lib.timestamps import from_rfc3339

Json = dict[str, Any]

SHOWN_DECISIONS = 10


def revisions(service: Json, made: list[Json], now: float) -> str:
    """Newest first, each with its share (of traffic, or of instances) and, when it failed, why."""
    rows = []
    failures = []
    for revision in sorted(made, key=lambda r: r.get("createTime", ""), reverse=True):
        id = last(revision["name"])
        ready = next((c for c in revision.get("conditions", ()) if c["type"] == "Ready"), None)
        image = (revision.get("containers") or [{}])[0].get("image", "")
        rows.append((mark(ready), id, _share(service, id), image, ago(revision.get("createTime"), now)))
        if ready and ready.get("state") == "CONDITION_FAILED":
            failures.append(f"  {id}: {ready.get('message', '')}".replace("\n", "\n      "))
    if not rows:
        return "  none"
    share = "INSTANCES" if "instanceSplitStatuses" in service else "TRAFFIC"
    return "\n".join([table(("", "REVISION", share, "IMAGE", "CREATED"), rows, "  "), *failures])


def _share(service: Json, revision: str) -> str:
    targets = [*service.get("trafficStatuses", ()), *service.get("instanceSplitStatuses", ())]
    shares = [t for t in targets if last(t.get("revision", "")) == revision]
    percent = sum(t.get("percent", 0) for t in shares)
    return " ".join([f"{percent} %" if percent else "-", *(t["tag"] for t in shares if t.get("tag"))])


def instances(found: list[Json], now: float) -> str:
    """Each with the time that its start took, and what that went into."""
    if not found:
        return "  none"
    requests = any("inFlight" in i for i in found)
    rows = [
        (i["id"][:12], i["revision"], i["phase"], *([i["inFlight"]] if requests else []), ago(i["startTime"], now),
         _startup(i))
        for i in found
    ]  # fmt: skip
    columns = ("INSTANCE", "REVISION", "STATE", *(["IN FLIGHT"] if requests else []), "STARTED", "START")
    return table(columns, rows, "  ")


def _startup(instance: Json) -> str:
    if not instance.get("readyTime"):
        return "-"
    took = duration(from_rfc3339(instance["readyTime"]) - from_rfc3339(instance["startTime"]))
    phases = ", ".join(f"{name} {duration(seconds)}" for name, seconds in instance["phases"].items())
    return f"{took} ({phases})" if phases else took


def decisions(made: list[Json]) -> str:
    """The last ones, newest first."""
    newest = sorted(made, key=lambda d: d["time"], reverse=True)[:SHOWN_DECISIONS]
    rows = [(clock_time(d["time"]), last(d["revision"]), d["ready"], d["want"], d["reason"]) for d in newest]
    return table(("UTC", "REVISION", "READY", "WANTED", "BECAUSE"), rows, "  ") if rows else "  none yet"
