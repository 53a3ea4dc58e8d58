import pytest

from homerun.engine.base import Exit, Probed
from homerun.meter.system_logs import SystemLogs
from homerun.model.probe import Check
from homerun.model.revision import RevisionSpec
from homerun.model.severity import severity_name
from homerun.store.log_base import LogRow

NAME = "projects/p/locations/r/services/hello/revisions/hello-1"


def spec(**container: object) -> RevisionSpec:
    return RevisionSpec.parse({"name": NAME, "containers": [{"image": "i", **container}]})


class Told(list[tuple[str, LogRow]]):
    def __call__(self, project: str, row: LogRow) -> None:
        self.append((project, row))


def said(told: Told) -> list[tuple[str, str | None]]:
    return [(severity_name(row.severity), row.text) for _, row in told]


def test_the_life_of_an_instance_is_told_in_the_words_of_cloud_run() -> None:
    told = Told()
    logs = SystemLogs(told)
    logs.starting(spec(), "i1", "demand", "1 waiting", 1)
    logs.probed(spec(), probed(Check.STARTUP, True, 1, at=2))
    logs.ended(spec(), "i1", Exit(1), "Container called exit(1).", 3)
    assert said(told) == [
        ("INFO", "Starting new instance. Reason: AUTOSCALING - 1 waiting."),
        ("INFO", 'Default STARTUP TCP probe succeeded after 1 attempt for container "hello-1" on port 8080.'),
        ("WARNING", "Container called exit(1)."),
    ]


@pytest.mark.parametrize(
    ("driver", "why"),
    [("check", "DEPLOYMENT_ROLLOUT"), ("manual", "MANUAL_OR_CUSTOMER_MIN_INSTANCE"), ("cpu", "AUTOSCALING")],
)
def test_why_an_instance_starts(driver: str, why: str) -> None:
    told = Told()
    logs = SystemLogs(told)
    logs.starting(spec(), "i1", driver, "because", 1)
    assert said(told)[0][1] == f"Starting new instance. Reason: {why} - because."


def test_that_there_is_no_cloud_sql_is_said_once_for_each_instance() -> None:
    told = Told()
    logs = SystemLogs(told)
    body = {"name": NAME, "containers": [{"image": "i"}]}
    logs.starting(
        RevisionSpec.parse({**body, "volumes": [{"name": "q", "cloudSqlInstance": {"instances": ["p:r:i", "p:r:j"]}}]}),
        "i1", "demand", "1 waiting", 1,
    )  # fmt: skip
    [_, (severity, text)] = said(told)
    assert severity == "WARNING" and text is not None
    assert text.startswith("There is no Cloud SQL here: the folder for p:r:i, p:r:j is empty.")


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
    told = Told()
    logs = SystemLogs(told)
    logs.probed(spec(**container), event)
    assert said(told) == [line]


def test_what_never_ran_is_said_to_have_failed_to_start() -> None:
    told = Told()
    logs = SystemLogs(told)
    logs.not_started(spec(), "i1", "no such command", 1)
    assert said(told) == [("ERROR", "Application failed to start: no such command")]


def test_want_of_memory_is_an_error() -> None:
    told = Told()
    logs = SystemLogs(told)
    logs.ended(spec(), "i1", Exit(signal=9, oom=True), "killed", 1)
    [(severity, text)] = said(told)
    assert severity == "ERROR"
    assert (text or "").startswith(
        "Memory limit of 512 MiB exceeded. Consider increasing the memory limit, see https://"
    )


def test_entries_are_of_the_instance_and_in_the_log_of_the_system() -> None:
    told = Told()
    SystemLogs(told).probed(spec(), probed(Check.STARTUP, True, 1, at=1.5))
    [(project, row)] = told
    assert (project, row.time, row.origin.log) == ("p", 1_500_000, "run.googleapis.com/varlog/system")
    assert row.origin.labels == (("instanceId", "i1"),)
    assert dict(row.origin.resource)["revision_name"] == "hello-1"
