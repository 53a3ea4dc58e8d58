"""Worker pools on real containers: deployed, scaled by hand, crashed, replaced, split, adopted after a kill -9."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import LOCATION, ApiError, Daemon
from tests.support.images import app_layer, make_image

pytestmark = pytest.mark.host

POOLS = f"/v2/{LOCATION}/workerPools"


@pytest.fixture(scope="module")
def worker(folder: Path) -> str:
    """The test program, doing nothing until it is told to stop."""
    return f"oci-archive:{make_image(folder / 'worker.tar', [app_layer()], entrypoint=['/app'], cmd=['sleep'])}"


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("own") / "state") as daemon:
        yield daemon


def running(daemon: Daemon, pool: str) -> dict[str, str]:
    """Instance -> its revision, of those that are ready."""
    found = daemon.explain(pool, "workerPools")["instances"]
    return {i["id"]: i["revision"] for i in found if i["phase"] == "ready"}


def scale(daemon: Daemon, pool: str, instances: int) -> dict[str, Any]:
    body = {"scaling": {"manualInstanceCount": instances}}
    return daemon.wait(daemon.call("PATCH", f"{POOLS}/{pool}?updateMask=scaling", body))


def test_a_pool_is_deployed_and_scaled_by_hand_to_three_and_to_nothing(daemon: Daemon, worker: str) -> None:
    pool = daemon.deploy_pool("queue", worker)
    assert pool["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    daemon.until(lambda: len(running(daemon, "queue")) == 1)
    (first,) = running(daemon, "queue")
    scale(daemon, "queue", 3)
    daemon.until(lambda: len(running(daemon, "queue")) == 3)
    assert first in running(daemon, "queue")
    scale(daemon, "queue", 0)
    daemon.until(lambda: not daemon.explain("queue", "workerPools")["instances"])
    assert daemon.explain("queue", "workerPools")["cost"]["billableSeconds"] > 0
    assert daemon.call("GET", f"{POOLS}/queue")["scaling"] == {"manualInstanceCount": 0}


def test_its_containers_find_its_variables_and_their_lines_can_be_read(daemon: Daemon, worker: str) -> None:
    pool = daemon.deploy_pool("talks", worker, args=["cat", "/proc/self/environ"])
    query = {
        "resourceNames": ["projects/homerun"],
        "filter": "resource.type = cloud_run_worker_pool AND resource.labels.worker_pool_name = talks",
    }

    def variables() -> set[str]:
        entries = daemon.call("POST", "/v2/entries:list", query).get("entries", ())
        return {variable for entry in entries for variable in entry["textPayload"].split("\0")}

    revision = pool["latestReadyRevision"].rpartition("/")[2]
    expected = {"CLOUD_RUN_WORKER_POOL=talks", f"CLOUD_RUN_WORKER_POOL_REVISION={revision}"}
    daemon.until(lambda: variables() >= expected)
    assert not [variable for variable in variables() if variable.startswith(("K_", "PORT="))]
    scale(daemon, "talks", 0)


def test_what_crashes_is_started_again_and_explained(daemon: Daemon, worker: str) -> None:
    daemon.deploy_pool("crashes", worker, args=["sleep", "3"])

    def reasons() -> str:
        return " ".join(d["reason"] for d in daemon.explain("crashes", "workerPools")["decisions"])

    daemon.until(lambda: "Another starts at once." in reasons() and "Another starts in 1 s." in reasons())
    scale(daemon, "crashes", 0)


def test_a_new_revision_takes_over_without_a_gap(daemon: Daemon, worker: str) -> None:
    first = daemon.deploy_pool("replaced", worker, 2)["latestReadyRevision"].rpartition("/")[2]
    daemon.until(lambda: list(running(daemon, "replaced").values()) == [first] * 2)
    operation = daemon.call(
        "PATCH", f"{POOLS}/replaced?updateMask=template.labels", {"template": {"labels": {"a": "b"}}}
    )
    second = daemon.call("GET", f"{POOLS}/replaced")

    def taken_over() -> bool:
        nonlocal second
        found = running(daemon, "replaced")
        assert len(found) >= 2
        second = daemon.call("GET", f"{POOLS}/replaced")
        latest = second["latestReadyRevision"].rpartition("/")[2]
        return latest != first and list(found.values()) == [latest] * 2

    daemon.until(taken_over)
    daemon.wait(operation)
    scale(daemon, "replaced", 0)


def test_a_revision_that_does_not_stay_takes_nothing_from_the_old_one(daemon: Daemon, worker: str) -> None:
    first = daemon.deploy_pool("kept", worker)["latestReadyRevision"].rpartition("/")[2]
    with pytest.raises(ApiError, match=r"Container called exit\(3\)") as error:
        daemon.deploy_pool("kept", worker, args=["exit", "3", "no queue here"])
    assert "no queue here" in str(error.value)
    assert list(running(daemon, "kept").values()) == [first]
    daemon.wait(daemon.call("DELETE", f"{POOLS}/kept"))


def test_instances_are_split_between_two_revisions(daemon: Daemon, worker: str) -> None:
    first = daemon.deploy_pool("split", worker, 3)["latestReadyRevision"].rpartition("/")[2]
    body = {
        "template": {"labels": {"a": "b"}},
        "instanceSplits": [{"revision": first, "percent": 34}, {"percent": 66}],
    }
    mask = "template.labels,instanceSplits"
    pool = daemon.wait(daemon.call("PATCH", f"{POOLS}/split?updateMask={mask}", body))
    second = pool["latestReadyRevision"].rpartition("/")[2]
    daemon.until(lambda: Counter(running(daemon, "split").values()) == {first: 1, second: 2})
    scale(daemon, "split", 0)


def test_control_is_killed_and_no_instance_notices(own: Daemon, worker: str) -> None:
    own.deploy_pool("steady", worker, 3)
    own.until(lambda: len(running(own, "steady")) == 3)
    before = running(own, "steady")
    for _ in range(2):
        pid = own.children()["control"]
        own.kill("control")
        own.until(lambda pid=pid: own.children().get("control", pid) != pid)
        own.until(lambda: _answers(own) and running(own, "steady") == before)


def test_everything_is_killed_in_the_middle_of_a_deployment_and_it_ends_well(own: Daemon, worker: str) -> None:
    body = {
        "template": {"containers": [{"image": worker}]},
        "scaling": {"manualInstanceCount": 3},
    }
    own.call("POST", f"{POOLS}?workerPoolId=cut", body)
    own.until(lambda: own.explain("cut", "workerPools")["instances"])
    own.kill_all()
    own.start()
    own.until(lambda: len(running(own, "cut")) == 3)
    assert len(own.explain("cut", "workerPools")["instances"]) == 3


def _answers(daemon: Daemon) -> bool:
    try:
        daemon.call("GET", "/homerun/v1/info")
    except OSError:
        return False
    return True
