"""Unmodified gcloud against the real daemon and real containers, in the order in which a user would go."""

from __future__ import annotations

import pytest

from tests.support.daemon import Daemon
from tests.support.gcloud import Gcloud, needed

pytestmark = [pytest.mark.host, pytest.mark.gcloud, pytest.mark.timeout(300), needed]


@pytest.fixture(scope="module")
def gcloud(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Gcloud:
    return Gcloud(daemon.call("GET", "/homerun/v1/info")["environment"], tmp_path_factory.mktemp("gcloud"))


def test_a_service_is_deployed_described_updated_listed_and_deleted(gcloud: Gcloud, daemon: Daemon, app: str) -> None:
    gcloud("deploy", "gsvc", "--image", app, "--allow-unauthenticated")
    assert daemon.get("gsvc")[0] == 200
    assert daemon.host("gsvc") in gcloud("services", "describe", "gsvc", "--format=value(status.url)")
    gcloud("services", "update", "gsvc", "--update-env-vars", "COLOUR=green")
    assert b"COLOUR=green" in daemon.get("gsvc", "/env")[1]
    gcloud("deploy", "gsvc", "--image", app, "--concurrency", "7", "--no-traffic")
    assert gcloud.out("services", "list", "--format=value(metadata.name)").split() == ["gsvc"]
    assert len(gcloud.out("revisions", "list", "--service", "gsvc", "--format=value(metadata.name)").split()) == 3
    gcloud("services", "update-traffic", "gsvc", "--to-latest")
    assert gcloud("services", "logs", "read", "gsvc", "--limit", "5")
    # v1 and v2 show the same object.
    v2 = daemon.call("GET", "/v2/projects/homerun/locations/us-central1/services/gsvc")
    assert v2["template"]["maxInstanceRequestConcurrency"] == 7
    concurrency = "--format=value(spec.template.spec.containerConcurrency)"
    assert gcloud.out("services", "describe", "gsvc", concurrency).strip() == "7"
    gcloud("services", "delete", "gsvc", "--quiet")
    assert daemon.get("gsvc")[0] == 404


def test_a_failed_deployment_tells_the_cause(gcloud: Gcloud) -> None:
    printed = gcloud.refused("deploy", "gbad", "--image=oci-archive:/no/such/file.tar", "--no-allow-unauthenticated")
    assert "/no/such/file.tar was not found" in printed
    gcloud("services", "delete", "gbad", "--quiet")


def test_a_wrong_name_is_refused_with_the_field(gcloud: Gcloud, app: str) -> None:
    assert "Bad_Name" in gcloud.refused("jobs", "create", "Bad_Name", "--image", app)


def test_a_job_is_created_executed_listed_and_deleted(gcloud: Gcloud, app: str) -> None:
    gcloud("jobs", "create", "gjob", "--image", app, "--command", "/app", "--args", "exit,0,hi", "--tasks", "3")
    gcloud("jobs", "execute", "gjob", "--wait")
    assert gcloud.out("jobs", "list", "--format=value(metadata.name)").split() == ["gjob"]
    [execution] = gcloud.out("jobs", "executions", "list", "--job", "gjob", "--format=value(metadata.name)").split()
    succeeded = gcloud.out("jobs", "executions", "describe", execution, "--format=value(status.succeededCount)")
    assert succeeded.strip() == "3"
    gcloud("jobs", "update", "gjob", "--args", "exit,3", "--max-retries", "0")
    gcloud.refused("jobs", "execute", "gjob", "--wait")
    gcloud("jobs", "delete", "gjob", "--quiet")
    assert gcloud.out("jobs", "list", "--format=value(metadata.name)").split() == []
