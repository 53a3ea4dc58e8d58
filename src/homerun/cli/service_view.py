"""The parts of `homerun services describe` and `homerun worker-pools describe` as text. Pure."""

from __future__ import annotations

from typing import Any

from homerun.cli.output import ago, clock_time, duration, last, mark, table
from homerun.lib.timestamps import from_rfc3339

Json = dict[str, Any]

SHOWN_DECISIONS = 10
SHOWN_STARTS = 5


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
    return f"{took} ({_phases(instance)})" if instance["phases"] else took


def _phases(start: Json) -> str:
    return ", ".join(f"{name} {duration(seconds)}" for name, seconds in start["phases"].items())


def cold_starts(made: list[Json], shown: int = SHOWN_STARTS) -> str:
    """The last ones, newest first, also of instances that are gone: what each took, and who waited for it."""
    rows = [
        (clock_time(start["time"]), start["revision"], start["instance"][:12], duration(start["seconds"]),
         start["origin"], _phases(start) or "-", start["waited"] or "-",
         duration(start["longestWait"]) if start["waited"] else "-")
        for start in made[-shown:][::-1]
    ]  # fmt: skip
    columns = ("UTC", "REVISION", "INSTANCE", "TOOK", "FROM", "OF WHICH", "WAITED", "UP TO")
    return table(columns, rows, "  ") if rows else "  none yet"


def standbys(made: list[Json], now: float) -> str:
    """Of which revisions the next instance is made already."""
    rows = [(standby["revision"], ago(standby["since"], now)) for standby in made]
    return table(("REVISION", "MADE"), rows, "  ") if rows else "  none"


def checkpoints(made: list[Json]) -> str:
    """Which revisions go on from one, and which cannot."""
    rows = [(each["revision"], each.get("whyNot", "made")) for each in made]
    return table(("REVISION", "CHECKPOINT"), rows, "  ")


def decisions(made: list[Json], shown: int = SHOWN_DECISIONS) -> str:
    """The last ones, newest first."""
    newest = sorted(made, key=lambda d: d["time"], reverse=True)[:shown]
    rows = [(clock_time(d["time"]), last(d["revision"]), d["ready"], d["want"], d["reason"]) for d in newest]
    return table(("UTC", "REVISION", "READY", "WANTED", "BECAUSE"), rows, "  ") if rows else "  none yet"


def observations(made: list[Json]) -> str:
    """Each decision with all that it was made from, newest first."""
    rows = [
        (clock_time(d["time"]), last(d["revision"]), d.get("driver", "-"), d.get("asked", d["want"]), d["want"],
         d["ready"], d.get("starting", 0), *_observed(d.get("observed")), d["reason"])
        for d in sorted(made, key=lambda d: d["time"], reverse=True)
    ]  # fmt: skip
    columns = ("UTC", "REVISION", "DRIVER", "ASKED", "WANTED", "READY", "STARTING", "IN FLIGHT", "WAITING", "AVERAGE",
               "CORES", "BECAUSE")  # fmt: skip
    return table(columns, rows, "  ") if rows else "  none yet"


def _observed(seen: Json | None) -> tuple[object, object, object, object]:
    if seen is None:
        return "-", "-", "-", "-"
    return seen["inFlight"], seen["waiting"], f"{seen['concurrency']:g}", f"{seen['cpu']:g}"
