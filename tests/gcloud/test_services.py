"""Services as they are looked at: lists, formats, filters, regions, projects, policies, logs; and taken away."""

from __future__ import annotations

import json
import re

import pytest

from tests.gcloud.conftest import Stored
from tests.support.api import WEB
from tests.support.gcloud import Gcloud, needed
from tests.support.server import Server

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]
NAMES = "--format=value(metadata.name)"


@pytest.fixture(scope="module")
def three(gcloud: Gcloud) -> None:
    """Two services here, one in another region."""
    for name, *flags in (("apple", "--labels=kind=fruit"), ("beet",), ("cherry", "--region=europe-west1")):
        gcloud("deploy", name, f"--image={WEB}", "--no-allow-unauthenticated", *flags)


@pytest.mark.usefixtures("three")
def test_lists(gcloud: Gcloud) -> None:
    rows = gcloud.out("services", "list").splitlines()
    assert rows[0].split()[:3] == ["SERVICE", "REGION", "URL"]
    assert [row.split()[:3] for row in rows[1:]] == [
        ["✔", "apple", "us-central1"],
        ["✔", "beet", "us-central1"],
        ["✔", "cherry", "europe-west1"],
    ]
    assert gcloud.out("services", "list", "--region=us-central1", NAMES).split() == ["apple", "beet"]
    assert gcloud.out("services", "list", "--region=asia-east1", NAMES).split() == []
    assert gcloud.out("services", "list", "--sort-by=~metadata.name", "--limit=2", NAMES).split() == ["cherry", "beet"]
    assert gcloud.out("services", "list", "--filter=metadata.labels.kind=fruit", NAMES).split() == ["apple"]
    uris = gcloud.out("services", "list", "--uri").split()
    assert [uri.rpartition("/")[2] for uri in uris] == ["apple", "beet", "cherry"]
    assert gcloud.out("services", "list", "--project=another-project", NAMES).split() == []


@pytest.mark.usefixtures("three")
def test_formats(gcloud: Gcloud) -> None:
    described = ("services", "describe", "apple")
    assert gcloud.json(*described)["metadata"]["namespace"] == "100000000001"
    assert "name: apple\n" in gcloud.out(*described, "--format=yaml(metadata.name)")
    exported = gcloud.out(*described, "--format=export")
    assert "\nkind: Service\n" in exported and "\nstatus:" not in exported and " uid:" not in exported
    url = "http://apple-100000000001.us-central1.run.localhost:8080"
    assert gcloud.out(*described, "--format=value(status.url)").strip() == url
    table = gcloud.out("services", "list", "--format=table(metadata.name:label=N,spec.traffic[0].percent:label=P)")
    assert [line.split() for line in table.splitlines()][:2] == [["N", "P"], ["apple", "100"]]
    assert json.loads(gcloud.out(*described, "--format=json(metadata.labels)"))["metadata"]["labels"]["kind"] == "fruit"


@pytest.mark.usefixtures("three")
def test_regions_are_those_in_use(gcloud: Gcloud) -> None:
    assert gcloud.out("regions", "list", "--format=value(locationId)").split() == ["europe-west1", "us-central1"]
    printed = gcloud("services", "describe", "cherry", "--region=europe-west1")
    assert "Service cherry in region europe-west1" in printed
    gcloud("deploy", "own", f"--image={WEB}", "--no-allow-unauthenticated", "--region=home")
    assert gcloud.out("services", "list", "--region=home", NAMES).split() == ["own"]
    gcloud("services", "delete", "own", "--region=home")


@pytest.mark.usefixtures("three")
def test_projects_are_apart_and_have_numbers(gcloud: Gcloud, server: Server, stored: Stored) -> None:
    gcloud("deploy", "apple", f"--image={WEB}", "--no-allow-unauthenticated", "--project=third-project")
    described = gcloud.json("services", "describe", "apple", "--project=third-project")
    number = described["metadata"]["namespace"]
    assert number.isdigit() and number != "100000000001"
    by_number = server.get(f"/apis/serving.knative.dev/v1/namespaces/{number}/services/apple")
    assert by_number["metadata"]["uid"] == described["metadata"]["uid"]
    assert stored("services/apple")[0]["metadata"]["uid"] != described["metadata"]["uid"]


@pytest.mark.usefixtures("three")
def test_policies(gcloud: Gcloud) -> None:
    binding = ("--member=user:a@b.test", "--role=roles/run.invoker")
    printed = gcloud("services", "add-iam-policy-binding", "beet", *binding)
    assert "Updated IAM policy for service [beet]." in printed
    policy = gcloud.json("services", "get-iam-policy", "beet")
    assert policy["bindings"] == [{"members": ["user:a@b.test"], "role": "roles/run.invoker"}]
    gcloud("services", "remove-iam-policy-binding", "beet", *binding)
    assert "bindings" not in gcloud.json("services", "get-iam-policy", "beet")
    assert "not found" in gcloud.refused("services", "remove-iam-policy-binding", "beet", *binding)


@pytest.mark.usefixtures("three")
def test_logs(gcloud: Gcloud) -> None:
    lines = gcloud.out("services", "logs", "read", "apple", "--limit=3").splitlines()
    assert lines and all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d listening", line) for line in lines)
    filter = 'resource.type=cloud_run_revision AND resource.labels.service_name=apple AND textPayload:"listen"'
    read = gcloud.group("logging").run("read", filter, "--limit=1", "--format=value(textPayload)")
    assert (read.code, read.out.strip()) == (0, "listening")


def test_a_service_is_deleted_once(gcloud: Gcloud) -> None:
    gcloud("deploy", "brief", f"--image={WEB}", "--no-allow-unauthenticated")
    assert "Deleted service [brief]." in gcloud("services", "delete", "brief")
    assert "Service [brief] could not be found." in gcloud.refused("services", "delete", "brief")


def test_a_domain_of_one_s_own(gcloud: Gcloud) -> None:
    gcloud("deploy", "mapped", f"--image={WEB}", "--no-allow-unauthenticated")
    domain, region = "--domain=www.example.com", "--region=us-central1"
    printed = gcloud("domain-mappings", "create", "--service=mapped", domain, region, track="beta")
    assert re.search(r"www +A +127\.0\.0\.1", printed), printed
    listed = gcloud("domain-mappings", "list", region, "--format=value(spec.routeName)", track="beta")
    assert listed.split() == ["mapped"]
    assert "DomainRoutable" in gcloud("domain-mappings", "describe", domain, region, track="beta")
    again = gcloud.run("domain-mappings", "create", "--service=mapped", domain, region, track="beta")
    assert (again.code, "already exists in this region" in again.printed) == (1, True)
    gcloud("domain-mappings", "delete", domain, region, track="beta")
    assert "mapped" not in gcloud("domain-mappings", "list", region, track="beta")
    gcloud("services", "delete", "mapped")
