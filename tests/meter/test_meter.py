import pytest

from homerun.core.task import Attempt, Outcome, Task, TaskState
from homerun.meter.meter import execution_bill
from homerun.model.container import Container


def test_every_attempt_of_an_execution_is_billed_rounded_up() -> None:
    tasks = [
        Task(
            0, TaskState.SUCCEEDED, [Attempt(0, 0, 1.01, Outcome.EXITED, code=1), Attempt(1, 2, 3, Outcome.EXITED, 0)]
        ),
        Task(1, TaskState.RUNNING, [Attempt(0, 0)]),
        Task(2),
    ]
    bill = execution_bill(Container("", "i", cpu=2, memory=1 << 30), tasks, now=0.5)
    assert bill.billable_seconds == pytest.approx(1.1 + 1.0 + 0.5)
    assert bill.vcpu_seconds == pytest.approx(5.2)
    assert bill.gib_seconds == pytest.approx(2.6)
