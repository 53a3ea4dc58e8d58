from homerun.core.execution import Execution
from homerun.core.task import Task, TaskState
from homerun.engine.base import Ready
from homerun.meter.cold_starts import ColdStarts
from homerun.meter.metrics import Metrics
from homerun.wire.link import RequestLog

REVISION = "projects/p/locations/r/services/s/revisions/v"
JOB = "projects/p/locations/r/jobs/j"


def request(status: int = 200, latency: float = 0.25, waited: float = 0.0) -> RequestLog:
    return RequestLog(REVISION, "i1", 10, latency, b"GET", b"http://s/", status, 1, 1, b"", "ip", b"", "", waited)


def made() -> Metrics:
    return Metrics(lambda revision: revision == REVISION)


def test_requests_are_counted_by_the_class_of_their_status() -> None:
    metrics = made()
    for status in (200, 204, 404, 503, 499):
        metrics.answered(request(status), None)
    latencies = metrics.revisions[REVISION].latencies
    assert {digit: histogram.count for digit, histogram in latencies.items()} == {2: 2, 4: 2, 5: 1}
    assert latencies[2].seconds == 0.5


def test_only_those_that_waited_have_a_wait() -> None:
    metrics = made()
    metrics.answered(request(), None)
    metrics.answered(request(waited=0.75), None)
    waits = metrics.revisions[REVISION].waits
    assert (waits.count, waits.seconds) == (1, 0.75)


def test_a_start_is_cold_once_however_many_requests_wait_for_it() -> None:
    metrics, starts = made(), ColdStarts()
    start = starts.ready(REVISION, Ready("i1", None, 11.0, {"create": 0.02, "listen": 0.5}))
    metrics.started(start, 0.6)
    for waited in (1.1, 1.05):
        log = request(waited=waited)
        assert start.delayed(log)
        metrics.answered(log, start)
    mine = metrics.revisions[REVISION]
    assert (mine.cold_starts, mine.startups.count, mine.startups.seconds) == (1, 1, 0.6)
    phases = {name: (phase.count, phase.seconds) for name, phase in mine.phases.items()}
    assert phases == {"create": (1, 0.02), "listen": (1, 0.5), "request": (1, 1.1)}


def test_a_revision_that_is_gone_leaves_nothing_and_does_not_come_back_by_a_late_log() -> None:
    exists = {REVISION}
    metrics = Metrics(exists.__contains__)
    metrics.not_started(REVISION)
    assert metrics.revisions[REVISION].failed_starts == 1
    exists.clear()
    metrics.gone(REVISION)
    metrics.answered(request(), None)
    metrics.not_started(REVISION)
    assert not metrics.revisions
    assert repr(metrics) == "<Metrics of 0 revisions, 0 jobs>"


def test_tasks_of_executions_that_ended_add_up_until_their_job_is_gone() -> None:
    metrics = made()
    tasks = [Task(0, TaskState.SUCCEEDED), Task(1, TaskState.SUCCEEDED), Task(2, TaskState.FAILED)]
    machine = Execution(tasks, parallelism=0, max_retries=0, timeout=10)
    metrics.completed(f"{JOB}/executions/a", machine)
    metrics.completed(f"{JOB}/executions/b", machine)
    assert (metrics.tasks[JOB][TaskState.SUCCEEDED], metrics.tasks[JOB][TaskState.FAILED]) == (4, 2)
    metrics.job_gone(JOB)
    assert not metrics.tasks
