"""The machine by itself, then thousands of lives with crashes at random moments."""

import pytest

from homerun.core.execution import Execution, Result, Start, Stop
from homerun.core.task import Task, TaskState
from tests.support.lives import live


def execution(tasks: int = 1, parallelism: int = 0, retries: int = 3, timeout: float = 600) -> Execution:
    return Execution([Task(i) for i in range(tasks)], parallelism=parallelism, max_retries=retries, timeout=timeout)


def exit(machine: Execution, index: int, attempt: int, now: float, code: int | None = 0, signal: int | None = None):  # type: ignore[no-untyped-def]
    return machine.exited(index, attempt, now, code=code, signal=signal)


def test_tasks_start_in_order_within_parallelism_and_slots() -> None:
    machine = execution(tasks=5, parallelism=3)
    assert machine.start(2, now=0) == [Start(0, 0), Start(1, 0)]
    assert machine.start(2, now=0) == [Start(2, 0)]
    assert machine.start(2, now=0) == []
    exit(machine, 1, 0, now=1)
    assert machine.start(2, now=1) == [Start(3, 0)]


def test_all_tasks_succeed() -> None:
    machine = execution(tasks=2)
    machine.start(9, now=0)
    exit(machine, 0, 0, now=1)
    assert machine.result is Result.RUNNING
    exit(machine, 1, 0, now=2)
    assert machine.result is Result.SUCCEEDED
    assert repr(machine) == "<Execution succeeded: 2 Succeeded>"


def test_a_failed_attempt_is_retried_after_the_tasks_that_never_ran() -> None:
    machine = execution(tasks=2, parallelism=1)
    machine.start(9, now=0)
    exit(machine, 0, 0, now=1, code=1)
    assert machine.start(9, now=1) == [Start(1, 0)]
    exit(machine, 1, 0, now=2)
    assert machine.start(9, now=2) == [Start(0, 1)]
    exit(machine, 0, 1, now=3)
    assert machine.result is Result.SUCCEEDED


def test_every_task_that_is_out_of_retries_has_failed_and_the_first_one_is_named() -> None:
    machine = execution(tasks=3, retries=0)
    machine.start(9, now=0)
    for now, index in ((1, 2), (2, 0), (3, 1)):
        exit(machine, index, 0, now=now, code=index + 1)
    assert machine.count(TaskState.FAILED) == 3
    again = Execution(machine.tasks, parallelism=0, max_retries=0, timeout=600)
    for each in (machine, again):
        assert each.failed_task is each.tasks[2]


def test_out_of_retries_fails_the_execution_and_abandons_the_rest() -> None:
    machine = execution(tasks=3, parallelism=2, retries=1)
    machine.start(9, now=0)
    exit(machine, 0, 0, now=1, code=7)
    machine.start(9, now=1)
    exit(machine, 1, 0, now=1)
    machine.start(9, now=1)
    exit(machine, 0, 1, now=2, code=7)
    assert [t.state for t in machine.tasks] == [TaskState.FAILED, TaskState.SUCCEEDED, TaskState.RUNNING]
    assert machine.failed_task is machine.tasks[0]
    exit(machine, 2, 0, now=3, code=1)
    assert machine.tasks[2].state is TaskState.ABANDONED
    assert machine.result is Result.FAILED


def test_pending_tasks_of_a_failed_execution_are_never_started() -> None:
    machine = execution(tasks=3, parallelism=1, retries=0)
    machine.start(9, now=0)
    exit(machine, 0, 0, now=1, code=1)
    assert machine.start(9, now=1) == []
    assert machine.result is Result.FAILED
    assert machine.count(TaskState.ABANDONED) == 2


def test_every_attempt_gets_the_whole_timeout() -> None:
    machine = execution(timeout=10, retries=1)
    machine.start(9, now=0)
    assert machine.wake == 10
    assert machine.tick(now=9.9) == []
    assert machine.tick(now=10) == [Stop(0, 0)]
    assert machine.tick(now=11) == []
    assert machine.wake is None
    exit(machine, 0, 0, now=12, code=0)
    assert machine.tasks[0].attempts[0].outcome == "timeout"
    assert machine.start(9, now=12) == [Start(0, 1)]
    assert machine.wake == 22


def test_cancelling_stops_what_runs_and_never_starts_the_rest() -> None:
    machine = execution(tasks=3, parallelism=1)
    machine.start(9, now=0)
    assert machine.cancel(now=1) == [Stop(0, 0)]
    assert machine.is_stopping(0, 0)
    assert not machine.is_stopping(0, 1)
    exit(machine, 0, 0, now=2, code=None, signal=15)
    assert machine.result is Result.CANCELLED
    assert machine.count(TaskState.CANCELLED) == 3
    assert machine.start(9, now=2) == []


def test_an_interrupted_attempt_is_repeated_and_costs_no_retry() -> None:
    machine = execution(retries=0)
    machine.start(9, now=0)
    assert machine.interrupt(now=1) == [Stop(0, 0)]
    exit(machine, 0, 0, now=2, code=0)
    assert machine.tasks[0].state is TaskState.PENDING
    assert machine.start(9, now=3) == [Start(0, 1)]


def test_a_lost_attempt_counts_as_failed() -> None:
    machine = execution(retries=0)
    machine.start(9, now=0)
    exit(machine, 0, 0, now=1, code=None)
    assert machine.result is Result.FAILED
    assert machine.tasks[0].attempts[0].outcome == "lost"


def test_an_attempt_that_never_began_costs_no_retry() -> None:
    machine = execution(retries=0)
    machine.start(9, now=0)
    machine.forgotten(0, 0, now=1)
    assert machine.forgotten(0, 0, now=1) == []
    assert machine.start(9, now=2) == [Start(0, 1)]


def test_an_attempt_that_could_not_be_started_says_why() -> None:
    machine = execution(retries=0)
    machine.start(9, now=0)
    machine.unstarted(0, 0, "no such command", now=1)
    assert machine.tasks[0].attempts[0].message == "no such command"
    assert machine.result is Result.FAILED
    assert machine.unstarted(0, 0, "again", now=1) == []


def test_what_no_attempt_can_do_here_fails_at_once_with_the_reason() -> None:
    machine = execution(tasks=3, retries=3)
    machine.impossible("it is too large", now=5)
    assert machine.result is Result.FAILED
    [attempt] = machine.tasks[0].attempts
    assert (attempt.outcome, attempt.message, attempt.ended) == ("unstarted", "it is too large", 5)
    assert machine.count(TaskState.ABANDONED) == 2
    machine.impossible("again", now=6)
    assert machine.count(TaskState.FAILED) == 1


def test_tasks_that_were_begun_again_are_counted_without_looking_at_all_of_them() -> None:
    machine = execution(tasks=3, retries=3)
    machine.start(9, now=0)
    assert (machine.retried, machine.most_retries) == (0, 0)
    for attempt in range(2):
        exit(machine, 1, attempt, now=attempt, code=1)
        machine.start(9, now=attempt)
    assert (machine.retried, machine.most_retries) == (1, 2)
    again = Execution(machine.tasks, parallelism=0, max_retries=3, timeout=600)
    assert (again.retried, again.most_retries) == (1, 2)
    exit(machine, 1, 2, now=5)
    assert (machine.retried, machine.most_retries) == (1, 0)


def test_the_slow_and_the_failed_are_remembered() -> None:
    machine = execution(tasks=9, retries=1)
    machine.start(9, now=0)
    assert [task.index for task in machine.running] == list(range(9))
    for index in range(8):
        exit(machine, index, 0, now=10 - index, code=int(index in (2, 3)))
    assert machine.longest == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)]
    assert list(machine.failures) == [(2, 0), (3, 0)]
    machine.start(9, now=20)
    assert [task.index for task in machine.running] == [8, 2, 3]


def test_news_of_an_attempt_that_is_not_running_is_ignored() -> None:
    machine = execution(retries=0)
    assert exit(machine, 0, 0, now=1) == []
    machine.start(9, now=0)
    exit(machine, 0, 5, now=1)
    assert machine.tasks[0].state is TaskState.RUNNING


def test_an_attempt_that_was_started_but_not_recorded_is_adopted() -> None:
    machine = execution(tasks=2)
    machine.adopt(1, 0, started=5)
    machine.adopt(1, 0, started=6)
    assert [t.state for t in machine.tasks] == [TaskState.PENDING, TaskState.RUNNING]
    assert machine.start(9, now=7) == [Start(0, 0)]


def test_an_attempt_whose_forerunners_nobody_recorded_is_adopted_with_its_number() -> None:
    machine = execution(tasks=1)
    machine.adopt(0, 2, started=6)
    exit(machine, 0, 2, now=9)
    assert [str(a.outcome) for a in machine.tasks[0].attempts] == ["interrupted", "interrupted", "exited"]
    assert machine.result is Result.SUCCEEDED


@pytest.mark.parametrize(("at", "outcome"), [(30, "interrupted"), (601, "timeout")])
def test_how_an_attempt_ends_that_an_earlier_life_had_told_to_is_no_success(at: float, outcome: str) -> None:
    machine = execution(tasks=1)
    machine.adopt(0, 0, started=0)
    assert machine.told_to_stop(0, 0, at) == [Stop(0, 0)]
    exit(machine, 0, 0, now=at + 1)
    assert str(machine.tasks[0].attempts[0].outcome) == outcome
    assert machine.tasks[0].state is TaskState.PENDING
    assert machine.told_to_stop(0, 0, at) == []


def test_what_waits_of_an_execution_that_was_recorded_as_failed_is_not_started() -> None:
    failing = execution(tasks=3, parallelism=1, retries=0)
    failing.start(1, now=0)
    exit(failing, 0, 0, now=1, code=1)
    assert failing.take_changed(1) == [0]
    again = Execution([failing.tasks[0], Task(1), Task(2)], parallelism=1, max_retries=0, timeout=600)
    again.reunited()
    assert (again.startable, again.result) == (0, Result.FAILED)


def test_the_task_that_failed_is_recorded_before_those_that_were_abandoned_for_it() -> None:
    machine = execution(tasks=5, retries=0)
    for index in (0, 1, 2, 3):
        machine.adopt(index, 0, started=0)
    machine.changed.clear()
    machine.adopt(4, 0, started=0)
    exit(machine, 4, 0, now=1, code=1)
    for index in (0, 1, 2):
        exit(machine, index, 0, now=2, code=0)
    assert machine.take_changed(2) == [0, 4]
    assert machine.take_changed(2) == [1, 2]
    assert machine.take_changed(2) == []


def test_a_later_attempt_says_that_the_one_that_is_recorded_as_running_never_began() -> None:
    recorded = execution(retries=0)
    recorded.start(9, now=0)
    again = Execution(recorded.tasks, parallelism=0, max_retries=0, timeout=600)
    again.adopt(0, 1, started=5)
    assert [attempt.outcome for attempt in again.tasks[0].attempts] == ["interrupted", None]
    exit(again, 0, 1, now=6)
    assert again.result is Result.SUCCEEDED


def test_an_execution_rebuilt_from_its_tasks_goes_on_where_it_was() -> None:
    first = execution(tasks=3, parallelism=2, retries=0)
    first.start(9, now=0)
    exit(first, 0, 0, now=1)
    again = Execution(first.tasks, parallelism=2, max_retries=0, timeout=600)
    assert again.count(TaskState.SUCCEEDED) == 1
    assert again.start(9, now=2) == [Start(2, 0)]


def test_changed_names_the_tasks_to_record() -> None:
    machine = execution(tasks=3, parallelism=1)
    machine.start(9, now=0)
    assert machine.changed == {0}


@pytest.mark.parametrize("seed", range(300))
def test_whatever_is_killed_when_no_success_is_repeated_and_no_task_forgotten(seed: int) -> None:
    live(seed)


def test_a_task_that_could_not_be_started_for_want_of_room_is_as_if_it_had_not_been_tried() -> None:
    machine = execution(tasks=2, parallelism=2, retries=0)
    machine.start(2, now=0)
    machine.postponed(0, 0)
    machine.postponed(0, 0)
    assert (machine.tasks[0].state, machine.tasks[0].attempts) == (TaskState.PENDING, [])
    assert machine.start(2, now=9) == [Start(0, 0)], "the same attempt, before all others"
    exit(machine, 0, 0, now=10)
    exit(machine, 1, 0, now=10)
    assert machine.result is Result.SUCCEEDED


def test_a_postponed_task_of_an_execution_that_was_cancelled_or_failed_is_not_started_any_more() -> None:
    cancelled, failed = execution(), execution(tasks=2, retries=0)
    cancelled.start(1, now=0)
    cancelled.cancel(now=1)
    cancelled.postponed(0, 0)
    assert cancelled.result is Result.CANCELLED
    failed.start(2, now=0)
    exit(failed, 0, 0, now=1, code=1)
    failed.postponed(1, 0)
    assert (failed.result, failed.tasks[1].state) == (Result.FAILED, TaskState.ABANDONED)


@pytest.mark.parametrize("by", [3600.0, -3600.0])
def test_when_the_clock_is_set_a_task_has_as_much_time_left_as_before(by: float) -> None:
    machine = execution(tasks=2, parallelism=1, timeout=60)
    machine.start(1, now=1000)
    machine.changed.clear()
    machine.clock_set(by)
    assert machine.wake == 1060 + by
    assert machine.changed == {0}
    assert machine.tick(now=1059 + by) == []
    assert machine.tick(now=1060 + by) == [Stop(0, 0)]


def test_the_clock_may_have_been_set_while_nobody_looked() -> None:
    machine = execution(timeout=60)
    machine.start(1, now=1000)
    machine.adopt(0, 0, started=1000.4)
    assert machine.wake == 1060, "that is only how long the start took"
    machine.adopt(0, 0, started=4600)
    assert machine.wake == 4660
