"""Unmodified gcloud: what it is told, what it prints, what it exits with. Real containers are in tests/e2e.

Most of what can go wrong between gcloud and an API needs no container, so here the engine is a fake and each command
costs about a second.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from homerun.model.environment import gcloud_environment
from tests.clients.conftest import Server
from tests.support.api import BATCH, FAILING, SLOW, WEB

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.gcloud,
    pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed (it is no package of a registry)"),
]


_BOLD = re.compile(r"\x1b\[[0-9;]*m")


class Gcloud:
    """`gcloud`, told by nothing but the exports of `homerun env` where to go."""

    def __init__(self, server: Server, folder: Path) -> None:
        environment = gcloud_environment("127.0.0.1", server.port, "homerun", "us-central1")
        self._environment = {**os.environ, **environment, "CLOUDSDK_CONFIG": str(folder), "NO_COLOR": "1"}

    def __call__(self, *arguments: str) -> str:
        """What it prints on both streams. Fails the test with its own words."""
        code, printed = self.attempt(*arguments)
        assert code == 0, printed
        return printed

    def attempt(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            ["gcloud", *arguments], env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, _BOLD.sub("", done.stdout + done.stderr)

    def output(self, *arguments: str) -> str:
        """What it prints on standard output alone."""
        done = subprocess.run(["gcloud", *arguments], env=self._environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def json(self, *arguments: str) -> Any:
        done = subprocess.run(
            ["gcloud", *arguments, "--format=json"], env=self._environment, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def gcloud(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Gcloud:
    return Gcloud(server, tmp_path_factory.mktemp("gcloud"))


def test_a_service_from_deploy_to_delete(gcloud: Gcloud) -> None:
    printed = gcloud("run", "deploy", "hello", f"--image={WEB}", "--allow-unauthenticated")
    assert "has been deployed and is serving" in printed
    assert "http://hello-100000000001.us-central1.run.localhost:8080" in printed
    gcloud("run", "deploy", "hello", f"--image={WEB}", "--set-env-vars=A=1", "--memory=1Gi", "--cpu-boost")
    gcloud("run", "services", "update", "hello", "--concurrency=10", "--no-cpu-throttling", "--labels=team=a")
    described = gcloud.json("run", "services", "describe", "hello")
    template = described["spec"]["template"]
    assert template["spec"]["containerConcurrency"] == 10
    assert template["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    assert "@sha256:" in template["spec"]["containers"][0]["image"], "an update pins the image that runs"
    assert described["metadata"]["labels"]["team"] == "a"
    assert "CPU is always allocated" in gcloud("run", "services", "describe", "hello")
    assert "hello" in [s["metadata"]["name"] for s in gcloud.json("run", "services", "list")]
    assert len(gcloud.json("run", "revisions", "list", "--service=hello")) == 3
    assert gcloud.json("run", "services", "get-iam-policy", "hello")["bindings"][0]["members"] == ["allUsers"]
    gcloud("run", "services", "delete", "hello")
    code, printed = gcloud.attempt("run", "services", "describe", "hello")
    assert (code, "Cannot find service [hello]" in printed) == (1, True)


def test_traffic_is_moved_by_hand_and_back(gcloud: Gcloud) -> None:
    gcloud("run", "deploy", "moved", f"--image={WEB}", "--no-allow-unauthenticated", "--tag=blue")
    gcloud("run", "deploy", "moved", f"--image={WEB}", "--no-traffic", "--tag=green", "--set-env-vars=A=2")
    printed = gcloud("run", "services", "update-traffic", "moved", "--to-tags=green=10")
    assert "90%" in printed and "10%" in printed
    assert "http://green---moved-100000000001.us-central1.run.localhost:8080" in printed
    printed = gcloud("run", "services", "update-traffic", "moved", "--to-latest")
    assert "100% LATEST" in printed
    code, printed = gcloud.attempt("run", "services", "update-traffic", "moved", "--to-revisions=none=100")
    assert (code, "Revision 'none' referenced in traffic does not exist." in printed) == (1, True)


def test_a_deploy_that_fails_says_why(gcloud: Gcloud) -> None:
    code, printed = gcloud.attempt(
        "run", "deploy", "broken", "--image=registry.test/none:1", "--no-allow-unauthenticated"
    )
    assert code == 1
    assert "ERROR: (gcloud.run.deploy) Revision 'broken-00001-" in printed
    assert "image registry.test/none:1 does not exist" in printed


def test_what_is_wrong_with_a_deploy_is_said_at_once(gcloud: Gcloud) -> None:
    code, printed = gcloud.attempt(
        "run", "deploy", "bad", f"--image={WEB}", "--cpu=3", "--timeout=4000", "--set-env-vars=K_SERVICE=x"
    )
    assert code == 1
    for field in ("resources.limits[cpu]", "spec.template.spec.timeoutSeconds", "env[0].name: K_SERVICE is reserved"):
        assert field in printed


def test_a_job_from_create_to_delete(gcloud: Gcloud) -> None:
    gcloud("run", "jobs", "create", "work", f"--image={BATCH}", "--tasks=3", "--parallelism=2")
    assert "has successfully completed" in gcloud("run", "jobs", "execute", "work", "--wait")
    gcloud("run", "jobs", "update", "work", "--max-retries=1", "--set-env-vars=X=2")
    assert "work" in [j["metadata"]["name"] for j in gcloud.json("run", "jobs", "list")]
    assert "Max Retries:     1" in gcloud("run", "jobs", "describe", "work")
    (execution,) = gcloud.json("run", "jobs", "executions", "list", "--job=work")
    name = execution["metadata"]["name"]
    assert "3 tasks completed successfully" in gcloud("run", "jobs", "executions", "describe", name)
    tasks = gcloud.json("run", "jobs", "executions", "tasks", "list", f"--execution={name}")
    assert sorted(task["status"].get("index", 0) for task in tasks) == [0, 1, 2]
    assert "working" in gcloud("run", "jobs", "logs", "read", "work")
    filter = "resource.type=cloud_run_job resource.labels.job_name=work severity>=ERROR"
    found = gcloud.json("logging", "read", filter, "--limit=2")
    assert [entry["textPayload"] for entry in found] == ["no", "no"]
    gcloud("run", "jobs", "executions", "delete", name)
    gcloud("run", "jobs", "delete", "work")
    assert "work" not in [j["metadata"]["name"] for j in gcloud.json("run", "jobs", "list")]


def test_executions_that_do_not_end_well(gcloud: Gcloud) -> None:
    gcloud("run", "jobs", "create", "failing", f"--image={FAILING}", "--max-retries=0")
    code, printed = gcloud.attempt("run", "jobs", "execute", "failing", "--wait")
    assert (code, "The execution failed" in printed) == (1, True)
    gcloud("run", "jobs", "create", "slow", f"--image={SLOW}")
    gcloud("run", "jobs", "execute", "slow", "--async")
    (execution,) = gcloud.json("run", "jobs", "executions", "list", "--job=slow")
    assert "Cancelled execution" in gcloud("run", "jobs", "executions", "cancel", execution["metadata"]["name"])


def test_traffic_to_the_latest_revision_by_both_its_names(gcloud: Gcloud) -> None:
    gcloud("run", "deploy", "both", f"--image={WEB}", "--no-allow-unauthenticated")
    named = ("run", "deploy", "both", f"--image={WEB}", "--revision-suffix=two")
    gcloud(*named, "--set-env-vars=A=2")
    printed = gcloud("run", "services", "update-traffic", "both", "--to-revisions=LATEST=70,both-two=30")
    assert re.search(r"30% +both-two\s+70% +LATEST \(currently both-two\)", printed), printed
    listed = gcloud.json("run", "revisions", "list", "--service=both")
    conditions = [(r["metadata"]["name"], c) for r in listed for c in r["status"]["conditions"]]
    active = {name: condition["status"] for name, condition in conditions if condition["type"] == "Active"}
    assert sorted(active.values()) == ["False", "True"] and active["both-two"] == "True"
    code, printed = gcloud.attempt(*named, "--set-env-vars=A=3")
    assert (code, "'both-two' with different configuration already exists" in printed) == (1, True)
    code, printed = gcloud.attempt("run", "revisions", "delete", "both-two")
    assert (code, "is the latest of its service" in printed) == (1, True)
    (old,) = (name for name in active if name != "both-two")
    gcloud("run", "revisions", "delete", old)


def test_tasks_of_an_execution_by_their_state(gcloud: Gcloud) -> None:
    gcloud("run", "jobs", "deploy", "stately", f"--image={BATCH}", "--tasks=2", "--execute-now", "--wait")
    (execution,) = gcloud.json("run", "jobs", "executions", "list", "--job=stately")
    name = execution["metadata"]["name"]
    listing = ("run", "jobs", "executions", "tasks", "list", f"--execution={name}")
    assert len(gcloud.json(*listing, "--succeeded")) == 2
    assert gcloud.json(*listing, "--failed") == gcloud.json(*listing, "--no-completed") == []
    assert f"{name}-task1" in gcloud("run", "jobs", "executions", "tasks", "describe", f"{name}-task1")
    assert "working" in gcloud("beta", "run", "jobs", "executions", "logs", "read", name)


def test_a_domain_of_one_s_own(gcloud: Gcloud) -> None:
    gcloud("run", "deploy", "mapped", f"--image={WEB}", "--no-allow-unauthenticated")
    domain, region = "--domain=www.example.com", "--region=us-central1"
    printed = gcloud("beta", "run", "domain-mappings", "create", "--service=mapped", domain, region)
    assert re.search(r"www +A +127\.0\.0\.1", printed), printed
    (found,) = gcloud.json("beta", "run", "domain-mappings", "list", region)
    assert found["spec"]["routeName"] == "mapped"
    assert "DomainRoutable" in gcloud("beta", "run", "domain-mappings", "describe", domain, region)
    code, printed = gcloud.attempt("beta", "run", "domain-mappings", "create", "--service=mapped", domain, region)
    assert (code, "already exists in this region" in printed) == (1, True)
    gcloud("beta", "run", "domain-mappings", "delete", domain, region)
    assert gcloud.json("beta", "run", "domain-mappings", "list", region) == []


def test_the_address_of_a_service_can_be_taken_away(gcloud: Gcloud) -> None:
    flags = ("--no-allow-unauthenticated", "--no-default-url")
    printed = gcloud("beta", "run", "deploy", "hidden", f"--image={WEB}", *flags)
    assert "run.localhost" not in printed
    assert gcloud.json("run", "services", "describe", "hidden")["status"].get("url") is None


def test_regions(gcloud: Gcloud) -> None:
    gcloud("run", "deploy", "abroad", f"--image={WEB}", "--region=europe-west1", "--no-allow-unauthenticated")
    assert [r["locationId"] for r in gcloud.json("run", "regions", "list")] == ["europe-west1", "us-central1"]
    everywhere = gcloud.json("run", "services", "list", "--filter=metadata.name=abroad")
    assert everywhere[0]["metadata"]["labels"]["cloud.googleapis.com/location"] == "europe-west1"
