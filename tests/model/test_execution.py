from homerun.model.execution import ExecutionSpec

NAME = "projects/p/locations/r/jobs/j/executions/j-abcde"


def test_defaults_and_names() -> None:
    spec = ExecutionSpec.parse({"name": NAME, "template": {"containers": [{"image": "i"}]}})
    assert (spec.task_count, spec.parallelism, spec.max_retries, spec.timeout) == (1, 0, 3, 600)
    assert spec.job == "projects/p/locations/r/jobs/j"
    assert spec.task_name(7) == f"{NAME}/tasks/j-abcde-task7"


def test_a_task_finds_its_variables() -> None:
    spec = ExecutionSpec.parse({"name": NAME, "taskCount": 9, "template": {"containers": [{"image": "i"}]}})
    assert spec.environment(3, 1) == {
        "CLOUD_RUN_JOB": "j",
        "CLOUD_RUN_EXECUTION": "j-abcde",
        "CLOUD_RUN_TASK_INDEX": "3",
        "CLOUD_RUN_TASK_ATTEMPT": "1",
        "CLOUD_RUN_TASK_COUNT": "9",
    }
