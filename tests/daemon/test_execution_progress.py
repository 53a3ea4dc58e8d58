from homerun.core.execution import Execution
from homerun.core.task import Task
from homerun.daemon.execution_progress import execution_progress, stored_progress, troubled_first


def machine() -> Execution:
    """Of ten tasks: 0 succeeded at once, 1 in its second attempt, 2 failed once and runs again, 3 and 4 run."""
    made = Execution([Task(index) for index in range(10)], parallelism=5, max_retries=2, timeout=60)
    made.start(3, now=0)
    made.exited(0, 0, 4, code=0, signal=None)
    made.exited(1, 0, 5, code=1, signal=None)
    made.exited(2, 0, 6, code=7, signal=None)
    made.start(2, now=6)
    return made


def test_it_tells_counts_what_runs_what_was_slow_and_what_failed() -> None:
    told = execution_progress(machine(), "", now=16)
    assert told["counts"] == {
        "Pending": 7, "Running": 2, "Succeeded": 1, "Failed": 0, "Cancelled": 0, "Abandoned": 0,
    }  # fmt: skip
    assert told["running"] == [
        {"index": 3, "attempt": 0, "seconds": 10},
        {"index": 4, "attempt": 0, "seconds": 10},
    ]
    assert [(slow["index"], slow["seconds"]) for slow in told["slowest"]] == [(2, 6), (1, 5), (0, 4)]
    assert [(failed["index"], failed["why"]) for failed in told["failures"]] == [
        (1, "The container exited with an error (exit code 1)."),
        (2, "The container exited with an error (exit code 7)."),
    ]


def test_of_one_that_is_over_the_document_tells_what_is_left() -> None:
    told = stored_progress(
        {"taskCount": 5, "succeededCount": 2, "failedCount": 1, "cancelledCount": 2, "retriedCount": 1}
    )
    assert sum(told["counts"].values()) == 5
    assert told["counts"]["Pending"] == 0
    assert told["retried"] == 1


def test_the_troubled_come_first() -> None:
    made = machine()
    made.start(9, now=20)
    made.exited(3, 0, 21, code=0, signal=None)
    made.cancel(now=22)
    made.exited(4, 0, 23, code=None, signal=15)
    assert [task.index for task in sorted(made.tasks, key=troubled_first)][:3] == [1, 2, 4]
    assert sorted(made.tasks, key=troubled_first)[-1].index == 9
