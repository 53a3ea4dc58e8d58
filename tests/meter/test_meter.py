import pytest

from homerun.core.task import Attempt, Outcome, Task, TaskState
from homerun.meter.meter import execution_bill, worker_bill
from homerun.model.container import Container
from homerun.model.worker_pool import WorkerSpec


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


def test_an_instance_of_a_worker_pool_is_billed_from_start_to_stop_at_its_own_price() -> None:
    name = "projects/p/locations/r/workerPools/w/revisions/v"
    resources = {"limits": {"cpu": "2", "memory": "1Gi"}}
    spec = WorkerSpec.parse({"name": name, "containers": [{"image": "i", "resources": resources}]})
    bill = worker_bill(spec, [10.01, 5])
    assert (bill.billable_seconds, bill.requests) == (pytest.approx(15.1), 0)
    assert bill.usd == pytest.approx(15.1 * (2 * 0.000011244 + 0.000001235))
