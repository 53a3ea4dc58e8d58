"""Unmodified gcloud and worker pools: reads and `replace` go over v1, every other write over v2 by gRPC and TLS."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.api import FAILING, WEB
from tests.support.gcloud import Gcloud, needed

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]

Fresh = Callable[[str], str]


@pytest.fixture(scope="module")
def pools(gcloud: Gcloud) -> Gcloud:
    return gcloud.group("run", "worker-pools", track="beta")


def test_a_pool_from_deploy_to_delete(pools: Gcloud) -> None:
    printed = pools("deploy", "crew", f"--image={WEB}")
    assert "Worker pool [crew] revision [crew-00001-" in printed and "has been deployed" in printed
    flags = ("--scaling=3", "--set-env-vars=A=1", "--memory=1Gi", "--cpu=2", "--labels=team=a", "--description=words")
    assert "revision [crew-00002-" in pools("deploy", "crew", f"--image={WEB}", *flags)
    described = pools("describe", "crew")
    for text in ("Manual (Instances: 3)", "team:a", "1Gi", "Description: words", "100% LATEST (currently crew-00002-"):
        assert text in described
    stored = pools.json("describe", "crew")
    assert stored["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    assert "crew" in pools("list")
    assert "crew" in [p["metadata"]["name"] for p in pools.json("list", "--region=us-central1")]
    assert "Deleted worker pool [crew]." in pools("delete", "crew")
    assert "Cannot find worker pool [crew]" in pools.refused("describe", "crew")
    assert "Cannot find worker pool [crew]" in pools.refused("delete", "crew")


def test_a_number_alone_makes_no_revision(pools: Gcloud) -> None:
    pools("deploy", "scaled", f"--image={WEB}", "--scaling=0")
    assert "revision [scaled-00001-" in pools("update", "scaled", "--scaling=2")
    assert len(pools.json("revisions", "list", "--worker-pool=scaled")) == 1
    assert "revision [scaled-00003-" in pools("update", "scaled", "--update-env-vars=B=2")


def test_instances_are_split_and_moved_back(pools: Gcloud) -> None:
    pools("deploy", "split", f"--image={WEB}", "--scaling=0", "--revision-suffix=one")
    pools("deploy", "split", f"--image={WEB}", "--no-promote", "--revision-suffix=two")
    assert pools.json("describe", "split")["status"]["instanceSplits"] == [
        {"percent": 100, "revisionName": "split-one"}
    ]
    printed = pools("update-instance-split", "split", "--to-revisions=split-two=30")
    assert "70% split-one" in printed and "30%" in printed
    assert "100% LATEST (currently split-two)" in pools("update-instance-split", "split", "--to-latest")
    assert "referenced in instance splits does not exist" in pools.refused(
        "update-instance-split", "split", "--to-revisions=split-none=100"
    )


def test_revisions_are_listed_described_and_deleted(pools: Gcloud) -> None:
    for suffix in ("a", "b"):
        pools("deploy", "many", f"--image={WEB}", "--scaling=0", f"--revision-suffix={suffix}")
    printed = pools("revisions", "list", "--worker-pool=many")
    assert re.search(r"many-b +yes +many", printed)
    assert "many-a" in pools("revisions", "describe", "many-a")
    assert "is the latest of its worker pool" in pools.refused("revisions", "delete", "many-b", "--worker-pool=many")
    assert "Deleted revision [many-a]." in pools("revisions", "delete", "many-a", "--worker-pool=many")
    assert [r["metadata"]["name"] for r in pools.json("revisions", "list", "--worker-pool=many")] == ["many-b"]


def test_a_yaml_is_replaced_and_read_back(pools: Gcloud, tmp_path: Path) -> None:
    written = tmp_path / "pool.yaml"
    written.write_text(
        json.dumps(
            {
                "apiVersion": "run.googleapis.com/v1",
                "kind": "WorkerPool",
                "metadata": {
                    "name": "written",
                    "annotations": {
                        "run.googleapis.com/scalingMode": "manual",
                        "run.googleapis.com/manualInstanceCount": "2",
                    },
                },
                "spec": {"template": {"spec": {"containers": [{"image": WEB}]}}},
            }
        )
    )
    assert "New configuration has been applied to worker pool [written]." in pools("replace", str(written))
    exported = tmp_path / "exported.yaml"
    exported.write_text(pools.out("describe", "written", "--format=export"))
    # Of a pool that does not exist yet, gcloud would wait for ever.
    assert "has been validated" in pools("replace", str(exported), "--dry-run")
    pools("replace", str(exported))
    assert "Manual (Instances: 2)" in pools("describe", "written")
    assert len(pools.json("revisions", "list", "--worker-pool=written")) == 1, "nothing had changed"


def test_failures_say_why(pools: Gcloud) -> None:
    assert "Container called exit(3)." in pools.refused("deploy", "broken", f"--image={FAILING}")
    assert "does not exist" in pools.refused("deploy", "missing", "--image=registry.test/none:1")
    assert "limits[cpu]: must be 1, 2, 4, 6, 8" in pools.refused("deploy", "bad", f"--image={WEB}", "--cpu=3")


def test_its_log_is_read(pools: Gcloud) -> None:
    pools("deploy", "talks", f"--image={WEB}")
    assert "listening" in pools("logs", "read", "talks", track="alpha")
    revision = pools.json("describe", "talks")["status"]["latestReadyRevisionName"]
    assert "listening" in pools("revisions", "logs", "read", revision, track="alpha")


def test_without_waiting(pools: Gcloud) -> None:
    assert "is being deployed asynchronously" in pools("deploy", "later", f"--image={WEB}", "--async")
    assert "is being deleted" in pools("delete", "later", "--async")
