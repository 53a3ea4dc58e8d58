import json

import pytest

from homerun.engine.base import Exit
from homerun.meter.system_logs import SystemLogs
from homerun.model.revision import RevisionSpec

NAME = "projects/p/locations/r/services/hello/revisions/hello-1"


def spec(**container: object) -> RevisionSpec:
    return RevisionSpec.parse({"name": NAME, "containers": [{"image": "i", **container}]})


def said(logs: SystemLogs) -> list[tuple[str, str]]:
    found = [json.loads(line.text) for line in logs.lines({"service": "projects/p/locations/r/services/hello"})]
    return [(entry["severity"], entry["message"]) for entry in found]


def test_the_life_of_an_instance_is_told_in_the_words_of_cloud_run() -> None:
    logs = SystemLogs()
    logs.starting(spec(), "i1", "demand", "1 waiting", 1)
    logs.ready(spec(), "i1", 2)
    logs.ended(spec(), "i1", Exit(1), "Container called exit(1).", 3)
    assert said(logs) == [
        ("INFO", "Starting new instance. Reason: AUTOSCALING - 1 waiting."),
        ("INFO", 'Default STARTUP TCP probe succeeded after 1 attempt for container "hello-1" on port 8080.'),
        ("WARNING", "Container called exit(1)."),
    ]


@pytest.mark.parametrize(
    ("driver", "why"),
    [("check", "DEPLOYMENT_ROLLOUT"), ("manual", "MANUAL_OR_CUSTOMER_MIN_INSTANCE"), ("cpu", "AUTOSCALING")],
)
def test_why_an_instance_starts(driver: str, why: str) -> None:
    logs = SystemLogs()
    logs.starting(spec(), "i1", driver, "because", 1)
    assert said(logs)[0][1] == f"Starting new instance. Reason: {why} - because."


def test_a_start_that_failed_names_the_probe() -> None:
    logs = SystemLogs()
    logs.not_started(spec(), "i1", 1)
    logs.not_started(spec(name="web", startupProbe={"httpGet": {"path": "/up"}}), "i2", 2)
    assert said(logs) == [
        (
            "ERROR",
            'Default STARTUP TCP probe failed 1 time consecutively for container "hello-1" on port 8080. '
            "The instance was not started.",
        ),
        ("ERROR", 'STARTUP HTTP probe failed for container "web" on path "/up". The instance was not started.'),
    ]


def test_want_of_memory_is_an_error() -> None:
    logs = SystemLogs()
    logs.ended(spec(), "i1", Exit(signal=9, oom=True), "killed", 1)
    [(severity, text)] = said(logs)
    assert severity == "ERROR"
    assert text.startswith("Memory limit of 512 MiB exceeded. Consider increasing the memory limit, see https://")


def test_time_and_labels_select_and_the_limit_keeps_the_last() -> None:
    logs = SystemLogs(kept=5)
    for at in range(1, 8):
        logs.ready(spec(), f"i{at}", at)
    assert [line.time for line in logs.lines({})] == [3, 4, 5, 6, 7]
    assert [line.time for line in logs.lines({}, since=3, until=6, limit=2)] == [5, 6]
    assert [line.instance for line in logs.lines({"instance": "i4"})] == ["i4"]
    assert not logs.lines({"service": "another"})
