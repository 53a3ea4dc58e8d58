"""A copy of the job's template, with overrides."""

from typing import Any

from homerun.model.new_execution import execution_body, with_latest

CONTAINERS = [{"name": "main", "args": ["x"], "env": [{"name": "A", "value": "1"}]}, {"name": "side", "args": ["y"]}]
JOB: dict[str, Any] = {
    "name": "projects/p/locations/r/jobs/work",
    "labels": {"team": "a", "of": "job"},
    "template": {
        "taskCount": 5,
        "parallelism": 4,
        "labels": {"of": "template"},
        "template": {"containers": CONTAINERS, "timeout": "600s"},
    },
}


def made(**overrides: Any) -> dict[str, Any]:
    return execution_body(JOB, "work-abcde", overrides, 0, "me")


def test_it_is_the_job_s_template_and_belongs_to_it() -> None:
    body = made()
    assert body["name"] == "projects/p/locations/r/jobs/work/executions/work-abcde"
    assert (body["job"], body["taskCount"], body["parallelism"], body["creator"]) == ("work", 5, 4, "me")
    assert body["labels"] == {"team": "a", "of": "template"}
    assert body["template"] == JOB["template"]["template"]


def test_overrides_do_not_touch_the_job() -> None:
    body = made(taskCount=2, timeout="60s", containerOverrides=[{"name": "side", "args": ["z"]}])
    assert (body["taskCount"], body["parallelism"], body["template"]["timeout"]) == (2, 2, "60s")
    assert [c["args"] for c in body["template"]["containers"]] == [["x"], ["z"]]
    assert JOB["template"]["template"]["containers"][1]["args"] == ["y"]


def test_env_merges_and_arguments_can_be_cleared() -> None:
    env = [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]
    main = made(containerOverrides=[{"name": "main", "clearArgs": True, "env": env}])["template"]["containers"][0]
    assert (main["args"], main["env"]) == ([], env)


def test_a_job_counts_its_executions_and_knows_the_latest() -> None:
    job = with_latest({**JOB, "executionCount": 7}, made())
    assert job["executionCount"] == 8
    assert job["latestCreatedExecution"]["name"] == "work-abcde"
    assert job["latestCreatedExecution"]["completionStatus"] == "EXECUTION_PENDING"
