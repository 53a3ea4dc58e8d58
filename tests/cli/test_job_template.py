from typing import Any

from homerun.cli.flags import ContainerFlags
from homerun.cli.job_template import NONCE, JobFlags, wanted

NONE = {name: None for name in JobFlags.__dataclass_fields__}


def job(existing: dict[str, Any] | None = None, image: str = "i", **flags: Any) -> dict[str, Any]:
    return wanted(existing, ContainerFlags(), image, JobFlags(**{**NONE, **flags}))


def test_a_new_job_holds_what_was_given_and_no_more() -> None:
    made = job(tasks=20, parallelism=4, max_retries=0, task_timeout="10m")
    assert made["template"].pop("labels")[NONCE]
    assert made == {
        "client": "homerun",
        "template": {
            "taskCount": 20,
            "parallelism": 4,
            "template": {"containers": [{"image": "i"}], "maxRetries": 0, "timeout": "600s"},
        },
    }


def test_flags_that_are_not_given_leave_what_is_there() -> None:
    existing = {"template": {"taskCount": 7, "template": {"maxRetries": 1, "containers": [{"image": "old"}]}}}
    assert job(existing, image="", tasks=8)["template"] == {
        "taskCount": 8,
        "template": {"maxRetries": 1, "containers": [{"image": "old"}]},
    }


def test_the_overlap_policy_is_an_annotation_of_the_job() -> None:
    made = job({"annotations": {"a": "b"}}, overlap="forbid", delay_execution=True)
    assert made["annotations"] == {"a": "b", "homerun-overlap": "forbid"}
    assert made["template"]["delayExecution"] is True
