"""What a service's limits do to real containers: by hand, to none, by minimum, shared among revisions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.daemon import LOCATION, Daemon

pytestmark = pytest.mark.host


def limit(daemon: Daemon, name: str, **scaling: Any) -> None:
    path = f"/v2/{LOCATION}/services/{name}?updateMask=scaling"
    daemon.wait(daemon.call("PATCH", path, {"scaling": scaling}))


def ready(daemon: Daemon, name: str) -> dict[str, int]:
    """Ready instances by revision."""
    found: dict[str, int] = {}
    for instance in daemon.explain(name)["instances"]:
        if instance["phase"] == "ready":
            found[instance["revision"]] = found.get(instance["revision"], 0) + 1
    return found


def test_by_hand_to_three_to_none_and_back(daemon: Daemon, app: str) -> None:
    daemon.deploy("hand", app)
    limit(daemon, "hand", scalingMode="MANUAL", manualInstanceCount=3)
    daemon.until(lambda: sum(ready(daemon, "hand").values()) == 3)
    limit(daemon, "hand", scalingMode="MANUAL", manualInstanceCount=0)
    daemon.until(lambda: not daemon.explain("hand")["instances"])
    status, body = daemon.get("hand", "/env")
    assert (status, b"Service disabled" in body) == (503, True)
    limit(daemon, "hand", scalingMode="AUTOMATIC")
    daemon.until(lambda: daemon.get("hand", "/env")[0] == 200)


def test_a_services_minimum_is_shared_among_its_revisions(daemon: Daemon, app: str) -> None:
    daemon.deploy("shared", app)
    template = {"containers": [{"image": app}], "timeout": "99s"}
    daemon.wait(daemon.call("PATCH", f"/v2/{LOCATION}/services/shared", {"template": template}))
    revisions = daemon.call("GET", f"/v2/{LOCATION}/services/shared/revisions")["revisions"]
    names = sorted(revision["name"].rpartition("/")[2] for revision in revisions)
    kind = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    for percents in ((75, 25), (50, 50)):
        traffic = [{"type": kind, "revision": r, "percent": p} for r, p in zip(names, percents, strict=True)]
        body = {"template": template, "traffic": traffic, "scaling": {"minInstanceCount": 4}}
        daemon.wait(daemon.call("PATCH", f"/v2/{LOCATION}/services/shared", body))
        shares = {name: 4 * percent // 100 for name, percent in zip(names, percents, strict=True)}
        daemon.until(lambda shares=shares: ready(daemon, "shared") == shares)  # type: ignore[misc]
    reasons = [decision["reason"] for decision in daemon.explain("shared")["decisions"]]
    assert "minimum of 3 (75 % of the service's 4)" in reasons
