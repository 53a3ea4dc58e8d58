import json
from dataclasses import replace

import pytest

from homerun.engine.base import Exit, Probed
from homerun.meter.system_logs import SystemLogs
from homerun.model.probe import Check
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
    logs.probed(spec(), probed(Check.STARTUP, True, 1, at=2))
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


PROBES = {
    "livenessProbe": {"httpGet": {"path": "/livez"}},
    "readinessProbe": {"grpc": {"port": 50}},
    "startupProbe": {"httpGet": {"path": "/up", "port": 90}},
}
REFUSED = "Connection failed with status ERROR_CONNECTION_FAILED."


def probed(check: Check, well: bool, times: int, wrong: str = "", at: float = 1) -> Probed:
    return Probed("i1", at, "hello-1", check, well, times, wrong)


@pytest.mark.parametrize(
    ("container", "event", "line"),
    [
        (
            {},
            probed(Check.STARTUP, False, 1, "Connection failed with status DEADLINE_EXCEEDED."),
            (
                "ERROR",
                'Default STARTUP TCP probe failed 1 time consecutively for container "hello-1" on port 8080. '
                "The instance was not started.\nConnection failed with status DEADLINE_EXCEEDED.",
            ),
        ),
        (
            PROBES,
            probed(Check.STARTUP, True, 2),
            ("INFO", 'STARTUP HTTP probe succeeded after 2 attempts for container "hello-1" on port 90 path "/up".'),
        ),
        (
            PROBES,
            probed(Check.STARTUP, False, 3, REFUSED),
            (
                "ERROR",
                'STARTUP HTTP probe failed 3 times consecutively for container "hello-1" on port 90 path "/up". '
                f"The instance was not started.\n{REFUSED}",
            ),
        ),
        (
            PROBES,
            probed(Check.LIVENESS, False, 3, "The answer had status 503."),
            (
                "ERROR",
                'LIVENESS HTTP probe failed 3 times consecutively for container "hello-1" on port 8080 path "/livez". '
                "The instance has been shut down.\nThe answer had status 503.",
            ),
        ),
        (
            PROBES,
            probed(Check.READINESS, False, 3, REFUSED),
            (
                "WARNING",
                'READINESS GRPC probe failed 3 times consecutively for container "hello-1" on port 50. '
                f"The instance gets no new requests until it is ready again.\n{REFUSED}",
            ),
        ),
        (
            PROBES,
            probed(Check.READINESS, True, 2),
            ("INFO", 'READINESS GRPC probe succeeded after 2 attempts for container "hello-1" on port 50.'),
        ),
    ],
)
def test_probes_in_the_words_of_cloud_run(container: dict[str, object], event: Probed, line: tuple[str, str]) -> None:
    logs = SystemLogs()
    logs.probed(spec(**container), event)
    assert said(logs) == [line]


def test_what_never_ran_is_said_to_have_failed_to_start() -> None:
    logs = SystemLogs()
    logs.not_started(spec(), "i1", "no such command", 1)
    assert said(logs) == [("ERROR", "Application failed to start: no such command")]


def test_want_of_memory_is_an_error() -> None:
    logs = SystemLogs()
    logs.ended(spec(), "i1", Exit(signal=9, oom=True), "killed", 1)
    [(severity, text)] = said(logs)
    assert severity == "ERROR"
    assert text.startswith("Memory limit of 512 MiB exceeded. Consider increasing the memory limit, see https://")


def test_time_and_labels_select_and_the_limit_keeps_the_last() -> None:
    logs = SystemLogs(kept=5)
    for at in range(1, 8):
        logs.probed(spec(), replace(probed(Check.STARTUP, True, 1, at=at), id=f"i{at}"))
    assert [line.time for line in logs.lines({})] == [3, 4, 5, 6, 7]
    assert [line.time for line in logs.lines({}, since=3, until=6, limit=2)] == [5, 6]
    assert [line.instance for line in logs.lines({"instance": "i4"})] == ["i4"]
    assert not logs.lines({"service": "another"})
