"""`gcloud run services update-traffic` in each of its forms, and revisions."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.gcloud.conftest import Stored
from tests.support.api import WEB
from tests.support.gcloud import Gcloud, needed

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]
UPDATE = ("services", "update-traffic", "split")


@pytest.fixture
def split(gcloud: Gcloud) -> Iterator[None]:
    """A service of three revisions: split-one serves, split-two waits, split-three is the latest and tagged green.

    Made anew for each test: each of them moves its traffic.
    """
    deploy = ("deploy", "split", f"--image={WEB}", "--no-allow-unauthenticated")
    gcloud(*deploy, "--revision-suffix=one")
    gcloud(*deploy, "--revision-suffix=two", "--no-traffic")
    printed = gcloud(*deploy, "--revision-suffix=three", "--no-traffic", "--tag=green")
    assert "revision [split-three] has been deployed and is serving 0 percent of traffic" in printed
    assert "http://green---split-100000000001.us-central1.run.localhost:8080" in printed
    yield
    gcloud("services", "delete", "split")


def shares(stored: Stored) -> dict[str, int]:
    """Percent by revision, of what is carried out; v1 and v2 say the same."""
    v1, v2 = stored("services/split")
    found: dict[str, int] = {}
    for status in v2["trafficStatuses"]:
        found[status["revision"]] = found.get(status["revision"], 0) + status.get("percent", 0)
    in_v1: dict[str, int] = {}
    for status in v1["status"]["traffic"]:
        in_v1[status["revisionName"]] = in_v1.get(status["revisionName"], 0) + status.get("percent", 0)
    assert in_v1 == found
    return {revision.removeprefix("split-"): percent for revision, percent in found.items() if percent}


def tags(stored: Stored) -> dict[str, str]:
    _, v2 = stored("services/split")
    return {status["tag"]: status["revision"] for status in v2["trafficStatuses"] if "tag" in status}


@pytest.mark.usefixtures("split")
def test_traffic_moves_by_revision_by_tag_and_to_the_latest(gcloud: Gcloud, stored: Stored) -> None:
    assert shares(stored) == {"one": 100}
    printed = gcloud(*UPDATE, "--to-revisions=split-two=20,LATEST=10")
    assert "70% split-one" in printed and "20% split-two" in printed
    assert "10% LATEST (currently split-three)" in printed
    assert shares(stored) == {"one": 70, "two": 20, "three": 10}

    printed = gcloud(*UPDATE, "--to-tags=green=50")
    assert "green" in printed
    found = shares(stored)
    assert found["three"] >= 50 and sum(found.values()) == 100

    printed = gcloud(*UPDATE, "--to-revisions=split-one=100")
    assert "100% split-one" in printed
    assert shares(stored) == {"one": 100}, "back to where it was"
    assert "100% LATEST (currently split-three)" in gcloud(*UPDATE, "--to-latest")
    assert shares(stored) == {"three": 100}


@pytest.mark.usefixtures("split")
def test_tags_are_set_added_moved_removed_and_cleared(gcloud: Gcloud, stored: Stored) -> None:
    gcloud(*UPDATE, "--set-tags=a=split-one,b=split-two")
    assert tags(stored) == {"a": "split-one", "b": "split-two"}
    printed = gcloud(*UPDATE, "--update-tags=b=LATEST,c=split-one")
    assert "http://c---split-100000000001.us-central1.run.localhost:8080" in printed
    assert tags(stored) == {"a": "split-one", "b": "split-three", "c": "split-one"}
    gcloud(*UPDATE, "--remove-tags=a,b")
    assert tags(stored) == {"c": "split-one"}
    gcloud(*UPDATE, "--clear-tags")
    assert tags(stored) == {}


@pytest.mark.usefixtures("split")
def test_traffic_to_nowhere_leaves_traffic_where_it_is(gcloud: Gcloud, stored: Stored) -> None:
    before = shares(stored)
    printed = gcloud.refused(*UPDATE, "--to-revisions=split-none=100")
    assert "Revision 'split-none' referenced in traffic does not exist." in printed
    assert shares(stored) == before
    assert "is not between 0 and 100" in gcloud.refused(*UPDATE, "--to-revisions=LATEST=150")


@pytest.mark.usefixtures("split")
def test_revisions_are_listed_described_and_deleted(gcloud: Gcloud) -> None:
    names = "--format=value(metadata.name)"
    assert gcloud.out("revisions", "list", "--service=split", "--sort-by=metadata.name", names).split() == [
        "split-one",
        "split-three",
        "split-two",
    ]
    assert gcloud.out("revisions", "list", "--filter=metadata.name~split-two", names).split() == ["split-two"]
    rows = gcloud.out("revisions", "list", "--service=split").splitlines()
    assert rows[0].split()[:3] == ["REVISION", "ACTIVE", "SERVICE"]
    assert [row.split()[:4] for row in rows if "split-three" in row] == [["✔", "split-three", "yes", "split"]]
    described = gcloud.json("revisions", "describe", "split-two")
    assert described["status"]["imageDigest"].startswith("registry.test/web@sha256:")
    assert described["metadata"]["labels"]["serving.knative.dev/service"] == "split"
    assert "✔ Revision split-two" in gcloud("revisions", "describe", "split-two")
    assert "Deleted revision [split-two]." in gcloud("revisions", "delete", "split-two")
    assert "Cannot find revision [split-two]" in gcloud.refused("revisions", "describe", "split-two")
    printed = gcloud.refused("revisions", "delete", "split-three")
    assert "is the latest of its service and cannot be deleted" in printed


def test_traffic_to_the_latest_revision_by_both_its_names(gcloud: Gcloud) -> None:
    gcloud("deploy", "both", f"--image={WEB}", "--no-allow-unauthenticated", "--revision-suffix=one")
    named = ("deploy", "both", f"--image={WEB}", "--revision-suffix=two")
    gcloud(*named, "--set-env-vars=A=2")
    printed = gcloud("services", "update-traffic", "both", "--to-revisions=LATEST=70,both-two=30")
    assert re.search(r"30% +both-two\s+70% +LATEST \(currently both-two\)", printed), printed
    listed = gcloud.json("revisions", "list", "--service=both")
    conditions = [(r["metadata"]["name"], c) for r in listed for c in r["status"]["conditions"]]
    active = {name: condition["status"] for name, condition in conditions if condition["type"] == "Active"}
    assert active == {"both-one": "False", "both-two": "True"}
    printed = gcloud.refused(*named, "--set-env-vars=A=3")
    assert "'both-two' with different configuration already exists" in printed
