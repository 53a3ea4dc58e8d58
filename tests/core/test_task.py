from homerun.core.task import Attempt, Outcome, Task, TaskState


def test_only_real_failures_count_against_the_retries() -> None:
    task = Task(
        0,
        TaskState.RUNNING,
        [
            Attempt(0, 0, 1, Outcome.EXITED, code=1),
            Attempt(1, 1, 2, Outcome.INTERRUPTED),
            Attempt(2, 2, 3, Outcome.LOST),
            Attempt(3, 3),
        ],
    )
    assert task.failures == 2
    assert task.retried == 3
    assert task.running is task.attempts[3]


def test_exit_code_zero_is_success_only_of_an_attempt_that_was_left_alone() -> None:
    assert Attempt(0, 0, 1, Outcome.EXITED, code=0).ok
    assert not Attempt(0, 0, 1, Outcome.TIMEOUT, code=0).ok
    assert not Attempt(0, 0, 1, Outcome.EXITED, signal=9).ok


def test_a_task_that_never_ran_was_not_retried() -> None:
    assert Task(0).retried == 0
    assert Task(0).running is None
    assert repr(Task(3)) == "<Task 3 Pending, 0 attempts>"


def test_terminal_states() -> None:
    assert [s for s in TaskState if not s.terminal] == [TaskState.PENDING, TaskState.RUNNING]
