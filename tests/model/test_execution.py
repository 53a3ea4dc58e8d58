from typing import Any

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


def test_the_work_is_done_by_the_first_container_that_serves_no_other() -> None:
    def main(*containers: dict[str, Any]) -> str:
        bodies = [{"image": "i", **container} for container in containers]
        return ExecutionSpec.parse({"name": NAME, "template": {"containers": bodies}}).main

    assert main({}) == main({}, {}) == "j-1"
    assert main({"name": "proxy"}, {"name": "work", "dependsOn": ["proxy"]}) == "work"
    assert main({"name": "work"}, {"name": "log"}, {"name": "proxy", "dependsOn": ["log"]}) == "work"
