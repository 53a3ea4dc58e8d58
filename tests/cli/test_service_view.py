import click

from homerun.cli.service_view import cold_starts, decisions, instances, observations, revisions, standbys
from homerun.lib.timestamps import from_rfc3339

NOW = from_rfc3339("2024-11-24T11:01:00Z")


def test_revisions_are_newest_first_with_traffic_tags_and_the_cause_of_a_failure() -> None:
    service = {
        "trafficStatuses": [{"revision": "s-1", "percent": 90}, {"revision": "s-1", "percent": 10, "tag": "blue"}]
    }
    ready = {"type": "Ready", "state": "CONDITION_SUCCEEDED"}
    failed = {"type": "Ready", "state": "CONDITION_FAILED", "message": "exit(3)\nlast line"}
    made = [
        {"name": "x/s-1", "createTime": "2024-11-24T11:00:00Z", "conditions": [ready], "containers": [{"image": "i"}]},
        {"name": "x/s-2", "createTime": "2024-11-24T11:00:30Z", "conditions": [failed]},
    ]
    lines = click.unstyle(revisions(service, made, NOW)).splitlines()
    assert lines[1].split() == ["✗", "s-2", "-", "30", "s", "ago"]
    assert lines[2].split() == ["✓", "s-1", "100", "%", "blue", "i", "60", "s", "ago"]
    assert lines[3:] == ["  s-2: exit(3)", "      last line"]


def test_an_instance_shows_what_its_start_took() -> None:
    ready = {
        "id": "0123456789abcdef",
        "revision": "s-1",
        "phase": "ready",
        "inFlight": 2,
        "startTime": "2024-11-24T11:00:00Z",
        "readyTime": "2024-11-24T11:00:00.025Z",
        "phases": {"mount": 0.001, "create": 0.012},
    }
    starting = {**ready, "readyTime": None, "phase": "starting"}
    text = instances([ready, starting], NOW)
    assert "0123456789ab  s-1       ready     2          60 s ago  25 ms (mount 1 ms, create 12 ms)" in text
    assert text.splitlines()[2].endswith(" -")


def test_decisions_are_newest_first_and_not_endless() -> None:
    made = [
        {"time": f"2024-11-24T11:00:{i:02}Z", "revision": "s-1", "want": i, "ready": 0, "reason": f"because {i}"}
        for i in range(30)
    ]
    lines = decisions(made).splitlines()
    assert lines[1].endswith("because 29")
    assert len(lines) == 11


def test_cold_starts_are_newest_first_with_what_they_took_and_who_waited() -> None:
    first = {
        "time": "2024-11-24T11:00:00Z", "revision": "s-1", "instance": "0123456789abcdef", "seconds": 0.025,
        "origin": "image", "phases": {"mount": 0.001, "create": 0.024}, "waited": 2, "longestWait": 0.03,
    }  # fmt: skip
    second = {**first, "time": "2024-11-24T11:00:05Z", "origin": "standby", "phases": {}, "waited": 0}
    lines = cold_starts([first, second]).splitlines()
    assert lines[1].split() == ["11:00:05", "s-1", "0123456789ab", "25", "ms", "standby", "-", "-", "-"]
    assert lines[2].endswith("25 ms  image    mount 1 ms, create 24 ms  2       30 ms")
    assert len(cold_starts([first, second], 1).splitlines()) == 2


def test_standbys_are_told_with_their_revision_and_age() -> None:
    assert standbys([], 0) == "  none"
    made = "2024-11-24T11:00:00Z"
    found = standbys([{"revision": "s-1", "since": made}], from_rfc3339(made) + 60)
    assert found.splitlines()[1].split() == ["s-1", "60", "s", "ago"]


def test_a_decision_shows_all_that_it_was_made_from() -> None:
    plain = {"time": "2024-11-24T11:00:00Z", "revision": "s-1", "want": 2, "ready": 1, "reason": "why"}
    seen = {"inFlight": 3, "waiting": 4, "concurrency": 5.5, "cpu": 0.25}
    full = {**plain, "time": "2024-11-24T11:00:01Z", "driver": "cpu", "asked": 3, "starting": 1, "observed": seen}
    lines = observations([plain, full]).splitlines()
    assert lines[1].split() == ["11:00:01", "s-1", "cpu", "3", "2", "1", "1", "3", "4", "5.5", "0.25", "why"]
    assert lines[2].split() == ["11:00:00", "s-1", "-", "2", "2", "1", "0", "-", "-", "-", "-", "why"]


def test_nothing_is_said_to_be_nothing() -> None:
    assert cold_starts([]) == observations([]) == "  none yet"
    assert (revisions({}, [], NOW), instances([], NOW), decisions([])) == ("  none", "  none", "  none yet")


def test_a_worker_pool_shows_shares_of_instances_and_no_requests() -> None:
    pool = {"instanceSplitStatuses": [{"revision": "q-1", "percent": 100}]}
    text = click.unstyle(revisions(pool, [{"name": "x/q-1"}], NOW))
    assert text.splitlines()[0].split() == ["REVISION", "INSTANCES", "IMAGE", "CREATED"]
    instance = {"id": "0123", "revision": "q-1", "phase": "ready", "startTime": "2024-11-24T11:00:00Z", "phases": {}}
    assert "IN FLIGHT" not in instances([instance], NOW)
