"""A service's life on real containers: deployed, woken, at zero again, updated, deleted."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.support.daemon import LOCATION, ApiError, Daemon

pytestmark = pytest.mark.host


def test_a_request_wakes_a_service_at_zero_and_it_goes_back_to_zero(daemon: Daemon, app: str) -> None:
    service = daemon.deploy("wakes", app)
    assert service["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    assert service["uri"] == f"http://{daemon.host('wakes')}"
    daemon.wait_for_zero("wakes")
    began = time.monotonic()
    status, body = daemon.get("wakes", "/env")
    assert status == 200, body
    print(f"woken in {(time.monotonic() - began) * 1000:.1f} ms")
    assert b"K_SERVICE=wakes" in body
    assert b"PORT=8080" in body
    daemon.wait_for_zero("wakes")


def test_a_cold_start_is_explained_where_people_look(daemon: Daemon, app: str) -> None:
    daemon.deploy("cold", app)
    daemon.wait_for_zero("cold")
    trace = "105445aa7843bc8bf206b12000100000"
    assert daemon.get("cold", "/env", traceparent=f"00-{trace}-00f067aa0ba902b7-01")[0] == 200
    query = {
        "resourceNames": ["projects/homerun"],
        "filter": f"resource.labels.service_name = cold AND log_id(run.googleapis.com/requests) AND trace:{trace}",
    }
    found: list[dict[str, Any]] = []
    daemon.until(lambda: found.extend(daemon.call("POST", "/v2/entries:list", query)["entries"]) or found)
    [entry] = found
    assert entry["resource"]["labels"]["configuration_name"] == "cold"
    assert (entry["spanId"], entry["traceSampled"]) == ("00f067aa0ba902b7", True)
    assert entry["httpRequest"].keys() >= {"serverIp", "latency", "protocol"}
    phases = [part.partition("=")[0] for part in entry["labels"]["coldStart"].split()]
    start = daemon.explain("cold")["coldStarts"][-1]
    # Which of them it is depends on the machine's memory.
    made = ["network", "mount", "create"] if start["origin"] == "image" else []
    assert phases == ["queue", *made, "start", "listen", "request"]
    assert (start["waited"], start["instance"]) == (1, entry["labels"]["instanceId"])
    page = daemon.text("/homerun/v1/metrics")
    labels = f'project="homerun",location="us-central1",service="cold",revision="{start["revision"]}"'
    assert f"homerun_cold_starts_total{{{labels}}} 1\n" in page
    assert 'homerun_process_cpu_seconds_total{process="router"' in page


def test_a_burst_on_concurrency_one_is_served_by_many_instances_and_nobody_is_refused(daemon: Daemon, app: str) -> None:
    daemon.deploy("burst", app, maxInstanceRequestConcurrency=1)
    answers: list[tuple[int, bytes]] = []
    threads = [threading.Thread(target=lambda: answers.append(daemon.get("burst", "/sleep?ms=200"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer for answer in answers if answer[0] != 200] == []
    assert len(answers) == 12
    # Not those that are there now: on a slow machine the first ones may be idle for long enough already.
    assert max(decision["want"] for decision in daemon.explain("burst")["decisions"]) > 2


def test_an_update_moves_traffic_without_refusing_a_request(daemon: Daemon, app: str) -> None:
    daemon.deploy("moves", app)
    stop = threading.Event()
    bad: list[tuple[int, bytes]] = []
    seen: set[bytes] = set()

    def load() -> None:
        while not stop.is_set():
            status, body = daemon.get("moves", "/env")
            if status != 200:
                bad.append((status, body))
            seen.add(next(line for line in body.splitlines() if line.startswith(b"K_REVISION=")))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(3):
        env = [{"name": "N", "value": str(number)}]
        template = {"containers": [{"image": app, "env": env}]}
        operation = daemon.call("PATCH", f"/v2/{LOCATION}/services/moves", {"template": template})
        daemon.wait(operation)
        time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert bad == []
    assert len(seen) == 4


def test_a_deleted_service_is_unknown_to_api_and_router(daemon: Daemon, app: str) -> None:
    daemon.deploy("gone", app)
    daemon.wait(daemon.call("DELETE", f"/v2/{LOCATION}/services/gone"))
    with pytest.raises(ApiError) as error:
        daemon.call("GET", f"/v2/{LOCATION}/services/gone")
    assert error.value.status == 404
    assert daemon.get("gone")[0] == 404


def test_an_instance_that_crashes_under_a_request_costs_that_request_only(daemon: Daemon, app: str) -> None:
    daemon.deploy("crashes", app)
    assert daemon.get("crashes", "/exit?code=3")[0] == 503
    assert daemon.get("crashes", "/")[0] == 200


def test_its_log_lines_can_be_read(daemon: Daemon, app: str) -> None:
    daemon.deploy("talks", app)
    daemon.get("talks", "/")
    query = {
        "resourceNames": ["projects/homerun"],
        "filter": "resource.type = cloud_run_revision AND resource.labels.service_name = talks AND severity >= DEFAULT",
        "orderBy": "timestamp desc",
        "pageSize": 100,
    }

    def entries() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = daemon.call("POST", "/v2/entries:list", query).get("entries", [])
        assert {entry["resource"]["labels"]["service_name"] for entry in found} <= {"talks"}
        return found

    # What the container wrote, and the request that it answered; either may be there first.
    daemon.until(lambda: any(entry["logName"].endswith("stdout") for entry in entries()))
    daemon.until(lambda: any(entry.get("httpRequest", {}).get("status") == 200 for entry in entries()))


def test_a_domain_of_one_s_own_leads_to_a_service_whose_own_address_is_taken_away(daemon: Daemon, app: str) -> None:
    daemon.deploy("mapped", app)
    domains = f"/v1/{LOCATION}/domainmappings"
    daemon.call("POST", domains, {"metadata": {"name": "www.example.com"}, "spec": {"routeName": "mapped"}})
    daemon.until(lambda: daemon.get("mapped", Host="www.example.com")[0] == 200)
    hide = f"/v2/{LOCATION}/services/mapped?updateMask=defaultUriDisabled"
    daemon.wait(daemon.call("PATCH", hide, {"defaultUriDisabled": True}))
    daemon.until(lambda: daemon.get("mapped")[0] == 404)
    assert daemon.get("mapped", Host="www.example.com")[0] == 200
    daemon.call("DELETE", f"{domains}/www.example.com")
    daemon.until(lambda: daemon.get("mapped", Host="www.example.com")[0] == 404)
