"""Jobs, their executions and tasks: made, changed, run with overrides, waited for, cancelled, looked at, deleted."""

from __future__ import annotations

import pytest

from tests.gcloud.conftest import Stored
from tests.support.api import BATCH, FAILING, SLOW
from tests.support.gcloud import Gcloud, needed

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]
NAMES = "--format=value(metadata.name)"
KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"


def test_a_job_with_every_flag(gcloud: Gcloud, stored: Stored) -> None:
    printed = gcloud(
        "jobs", "create", "full", f"--image={BATCH}", "--tasks=3", "--parallelism=2", "--max-retries=1",
        "--task-timeout=10m", "--cpu=2", "--memory=1Gi", "--set-env-vars=A=1", "--labels=team=a",
        "--service-account=me@homerun.iam.gserviceaccount.com", "--command=/bin/x", "--args=a,b", "--vpc-connector=c",
        "--vpc-egress=all-traffic", "--binary-authorization=default", "--breakglass=why", f"--key={KEY}",
    )  # fmt: skip
    assert "Job [full] has successfully been created." in printed
    v1, v2 = stored("jobs/full")
    execution, task = v2["template"], v2["template"]["template"]
    assert (execution["taskCount"], execution["parallelism"], v2["labels"]) == (3, 2, {"team": "a"})
    assert v2["binaryAuthorization"] == {"useDefault": True, "breakglassJustification": "why"}
    [container] = task.pop("containers")
    expected = {
        "maxRetries": 1,
        "timeout": "600s",
        "serviceAccount": "me@homerun.iam.gserviceaccount.com",
        "vpcAccess": {"connector": "c", "egress": "ALL_TRAFFIC"},
        "encryptionKey": KEY,
    }
    assert {key: task.get(key) for key in expected} == expected
    assert (container["command"], container["args"]) == (["/bin/x"], ["a", "b"])
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}
    spec = v1["spec"]["template"]["spec"]
    assert (spec["taskCount"], spec["template"]["spec"]["timeoutSeconds"]) == (3, "600")
    lines = [" ".join(line.split()) for line in gcloud.out("jobs", "describe", "full").splitlines()]
    for line in ("✔ Job full in region us-central1", "Tasks: 3", "Task Timeout: 10m", "Max Retries: 1", "Args: a b"):
        assert line in lines

    assert "Job [full] already exists." in gcloud.refused("jobs", "create", "full", f"--image={BATCH}")
    changes = ("--tasks=2", "--update-env-vars=B=2", "--max-retries=0", "--clear-labels")
    printed = gcloud("jobs", "update", "full", *changes)
    assert "Job [full] has successfully been updated." in printed
    printed = gcloud("jobs", "deploy", "full", f"--image={BATCH}", "--tasks=4", "--parallelism=0", "--clear-env-vars")
    assert "Job [full] has successfully been deployed." in printed
    _, v2 = stored("jobs/full")
    assert (v2["template"]["taskCount"], v2["generation"]) == (4, "3")
    assert "env" not in v2["template"]["template"]["containers"][0] and "labels" not in v2


def test_runs_with_overrides_and_each_way_of_waiting(gcloud: Gcloud, stored: Stored) -> None:
    printed = gcloud("jobs", "deploy", "work", f"--image={BATCH}", "--execute-now", "--wait", "--set-env-vars=A=1")
    assert "Job [work] has successfully been deployed and completed execution [work-" in printed
    flags = ("--tasks=2", "--task-timeout=60", "--args=over", "--update-env-vars=C=3")
    assert "has successfully completed." in gcloud("jobs", "execute", "work", "--wait", *flags)
    newest = gcloud.out("jobs", "executions", "list", "--job=work", "--limit=1", NAMES).strip()
    described = gcloud.json("jobs", "executions", "describe", newest)
    [container] = described["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["over"]
    assert container["env"] == [{"name": "A", "value": "1"}, {"name": "C", "value": "3"}]
    assert (described["spec"]["taskCount"], described["status"]["succeededCount"]) == (2, 2)
    assert described["spec"]["template"]["spec"]["timeoutSeconds"] == "60"
    assert stored("jobs/work")[1]["template"]["taskCount"] == 1, "overrides are for one run only"

    assert "is being started asynchronously" in gcloud("jobs", "execute", "work", "--async")
    assert "has successfully started running" in gcloud("jobs", "execute", "work")
    rows = gcloud.out("jobs", "executions", "list", "--job=work").splitlines()
    assert rows[0].split()[:3] == ["JOB", "EXECUTION", "REGION"] and len(rows) == 5
    assert "work" in gcloud.out("jobs", "list", "--sort-by=~metadata.name", "--limit=1", NAMES).split()
    assert "✔  work" in gcloud.out("jobs", "list", "--region=us-central1")
    assert gcloud.json("jobs", "list", "--filter=metadata.name=work")[0]["status"]["executionCount"] == 4


def test_tasks_by_their_state(gcloud: Gcloud) -> None:
    gcloud("jobs", "deploy", "stately", f"--image={BATCH}", "--tasks=2", "--execute-now", "--wait")
    name = gcloud.out("jobs", "executions", "list", "--job=stately", NAMES).strip()
    listing = ("jobs", "executions", "tasks", "list", f"--execution={name}")
    assert len(gcloud.json(*listing, "--succeeded")) == 2
    assert gcloud.json(*listing, "--failed") == gcloud.json(*listing, "--no-completed") == []
    assert f"{name}-task1" in gcloud("jobs", "executions", "tasks", "describe", f"{name}-task1")
    assert "working" in gcloud("jobs", "executions", "logs", "read", name, track="beta")


def test_a_run_that_fails(gcloud: Gcloud) -> None:
    create = ("jobs", "create", "failing", f"--image={FAILING}", "--max-retries=0", "--tasks=2")
    printed = gcloud.refused(*create, "--execute-now", "--wait")
    assert "ERROR: (gcloud.run.jobs.create) The execution failed." in printed
    name = gcloud.out("jobs", "executions", "list", "--job=failing", NAMES).strip()
    printed = gcloud("jobs", "executions", "describe", name)
    assert f"X Execution {name} in region us-central1" in printed and "failed with message:" in printed
    tasks = ("jobs", "executions", "tasks", "list", f"--execution={name}")
    assert "Failed" in gcloud.out(*tasks)
    assert gcloud.out(*tasks, "--succeeded", NAMES).split() == []
    described = gcloud.json("jobs", "executions", "tasks", "describe", f"{name}-task0")
    assert described["status"]["lastAttemptResult"]["exitCode"] == 3
    assert described["metadata"]["labels"]["run.googleapis.com/execution"] == name


def test_a_run_that_is_cancelled_and_deleted(gcloud: Gcloud) -> None:
    printed = gcloud("jobs", "create", "slow", f"--image={SLOW}", "--tasks=2", "--execute-now")
    assert "started running execution [slow-" in printed
    name = gcloud.out("jobs", "executions", "list", "--job=slow", NAMES).strip()
    assert "2 tasks currently running" in gcloud("jobs", "executions", "describe", name)
    rows = gcloud.out("jobs", "executions", "tasks", "list", f"--execution={name}").splitlines()
    assert rows[0].split()[:3] == ["INDEX", "STATE", "TASK"]
    assert [row.split()[1:4] for row in rows[1:]] == [
        ["0", "Running", f"{name}-task0"],
        ["1", "Running", f"{name}-task1"],
    ]
    assert f"Cancelled execution [{name}]." in gcloud("jobs", "executions", "cancel", name)
    assert "has ended already: there is nothing to cancel" in gcloud.refused("jobs", "executions", "cancel", name)
    assert "2 tasks cancelled" in gcloud("jobs", "executions", "describe", name)
    assert f"Deleted execution [{name}]." in gcloud("jobs", "executions", "delete", name)
    assert f"Execution [{name}] could not be found." in gcloud.refused("jobs", "executions", "delete", name)


def test_policies_logs_and_the_end_of_a_job(gcloud: Gcloud) -> None:
    gcloud("jobs", "create", "told", f"--image={BATCH}", "--execute-now", "--wait")
    binding = ("--member=user:a@b.test", "--role=roles/run.invoker")
    assert "Updated IAM policy for job [told]." in gcloud("jobs", "add-iam-policy-binding", "told", *binding)
    assert gcloud.json("jobs", "get-iam-policy", "told")["bindings"][0]["members"] == ["user:a@b.test"]
    assert "bindings" not in gcloud("jobs", "remove-iam-policy-binding", "told", *binding)
    lines = gcloud.out("jobs", "logs", "read", "told", "--limit=5").splitlines()
    assert sorted(line.split()[-1] for line in lines) == ["no", "working"]
    filter = "resource.type=cloud_run_job resource.labels.job_name=told severity>=ERROR"
    read = gcloud.group("logging").run("read", filter, "--format=value(textPayload)")
    assert (read.code, read.out.split()) == (0, ["no"])
    assert "Deleted job [told]." in gcloud("jobs", "delete", "told")
    assert "told" not in gcloud.out("jobs", "list", NAMES).split()
    assert gcloud.out("jobs", "executions", "list", "--job=told", NAMES).split() == []
