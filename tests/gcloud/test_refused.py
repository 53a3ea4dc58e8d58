"""What is wrong is said by name, with the field and the right exit code, and changes nothing."""

from __future__ import annotations

import pytest

from tests.support.api import BATCH, WEB
from tests.support.gcloud import Gcloud, needed

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]
DEPLOY = ("deploy", "bad", f"--image={WEB}", "--no-allow-unauthenticated")
CONTAINER = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ("--cpu=3", "--concurrency=5000", "--timeout=9000", "--set-env-vars=K_SERVICE=x"),
            ("spec.template.spec.timeoutSeconds: must be between 1 and 3600 seconds, and is 9000",
             f"{CONTAINER}.resources.limits[cpu]: must be 1, 2, 4, 6, 8",
             "spec.template.spec.containerConcurrency: must be between 1 and 1000, and is 5000",
             f"{CONTAINER}.env[0].name: K_SERVICE is reserved"),
        ),
        (("--memory=64Gi",), (f"{CONTAINER}.resources.limits[memory]: must be from",)),
        (("--min-instances=5", "--max-instances=2"), ("minScale]: must not exceed maxInstanceCount (2), and is 5",)),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_a_deploy_at_once(gcloud: Gcloud, flags: tuple[str, ...], said: tuple[str, ...]) -> None:
    printed = gcloud.refused(*DEPLOY, *flags)
    for words in said:
        assert words in printed
    assert "Cannot find service [bad]" in gcloud.refused("services", "describe", "bad")


def test_an_image_that_does_not_exist(gcloud: Gcloud) -> None:
    printed = gcloud.refused("deploy", "broken", "--image=registry.test/none:1", "--no-allow-unauthenticated")
    assert "ERROR: (gcloud.run.deploy) Revision 'broken-00001-" in printed
    assert "is not ready and cannot serve traffic. image registry.test/none:1 does not exist" in printed
    ready = gcloud.out("services", "describe", "broken", "--format=value(status.conditions[0].status)")
    assert ready.strip() == "False"
    printed = gcloud.refused("jobs", "create", "broken", "--image=registry.test/none:1")
    assert "ERROR: (gcloud.run.jobs.create) image registry.test/none:1 does not exist" in printed
    printed = gcloud.refused("jobs", "execute", "broken")
    assert "Job broken cannot run: image registry.test/none:1 does not exist" in printed


def test_a_job_beyond_the_limits(gcloud: Gcloud) -> None:
    printed = gcloud.refused("jobs", "create", "big", f"--image={BATCH}", "--tasks=20000", "--max-retries=50")
    assert "must be between 1 and 10000, and is 20000" in printed
    assert "field: spec.template.spec.template.spec.maxRetries" in printed


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("services", "describe", "none"), "Cannot find service [none]"),
        (("services", "delete", "none"), "Service [none] could not be found."),
        (("services", "update", "none", "--timeout=5"), "Service [none] could not be found."),
        (("services", "update-traffic", "none", "--to-latest"), "Service [none] could not be found."),
        (("revisions", "describe", "none"), "Cannot find revision [none]"),
        (("revisions", "delete", "none"), "Revision [none] could not be found."),
        (("jobs", "describe", "none"), "Cannot find job [none]."),
        (("jobs", "delete", "none"), "Job [none] could not be found."),
        (("jobs", "execute", "none"), "Resource 'none' of kind 'JOB' in region 'us-central1' in project 'homerun'"),
        (("jobs", "executions", "describe", "none"), "Cannot find execution [none]"),
        (("jobs", "executions", "delete", "none"), "Execution [none] could not be found."),
        (("jobs", "executions", "tasks", "describe", "none-task0"), "Cannot find task [none-task0]."),
        (("services", "list", "--project=100000000001"), "set it to PROJECT ID instead"),
        (("deploy", "Bad_Name", f"--image={WEB}"), "Invalid resource name [Bad_Name]"),
        (("jobs", "create", "Bad_Name", f"--image={BATCH}"), "Invalid resource name [Bad_Name]"),
        (("deploy", "new", f"--image={WEB}", "--no-traffic"), "--no-traffic not supported when creating a new service"),
    ],
)
def test_what_is_not_there_or_cannot_be(gcloud: Gcloud, command: tuple[str, ...], said: str) -> None:
    assert said in gcloud.refused(*command)


@pytest.mark.parametrize(
    "command",
    [
        ("services", "update-traffic", "x", "--to-latest", "--to-tags=a=1"),
        ("jobs", "create", "x", f"--image={BATCH}", "--async", "--wait"),
        ("deploy", "x", f"--image={WEB}", "--concurrency=many"),
    ],
)
def test_flags_that_gcloud_itself_refuses(gcloud: Gcloud, command: tuple[str, ...]) -> None:
    assert "ERROR: (gcloud.run." in gcloud.refused(*command, code=2)
