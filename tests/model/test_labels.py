from homerun.model import labels
from homerun.model.execution import ExecutionSpec
from homerun.model.revision import RevisionSpec
from homerun.model.worker_pool import WorkerSpec
from tests.support.identity import ROBOT


def test_an_instance_of_a_service_says_whose_it_is() -> None:
    name = "projects/p/locations/r/services/s/revisions/v"
    spec = RevisionSpec.parse({"name": name, "containers": [{"image": "i"}], "serviceAccount": ROBOT})
    assert labels.of_revision(spec, "abc") == {
        "service": "projects/p/locations/r/services/s",
        "revision": name,
        "instance": "abc",
        "service_account": ROBOT,
    }


def test_an_instance_of_a_worker_pool_says_whose_it_is() -> None:
    name = "projects/p/locations/r/workerPools/w/revisions/v"
    spec = WorkerSpec.parse({"name": name, "containers": [{"image": "i"}], "serviceAccount": ROBOT})
    assert labels.of_worker(spec, "abc") == {
        "worker_pool": "projects/p/locations/r/workerPools/w",
        "revision": name,
        "instance": "abc",
        "service_account": ROBOT,
    }


def test_an_attempt_says_which_it_is() -> None:
    name = "projects/p/locations/r/jobs/j/executions/e"
    spec = ExecutionSpec.parse({"name": name, "template": {"containers": [{"image": "i"}], "serviceAccount": ROBOT}})
    assert labels.of_attempt(spec, 3, 1, "abc") == {
        "job": "projects/p/locations/r/jobs/j",
        "execution": name,
        "task": "3",
        "attempt": "1",
        "instance": "abc",
        "service_account": ROBOT,
    }
