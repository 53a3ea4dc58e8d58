"""`gcloud run services|jobs replace`: manifests as people have them, given to unmodified gcloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.gcloud import Gcloud, needed

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]
MANIFESTS = Path(__file__).resolve().parent.parent / "conformance" / "knative"
RUN = "run.googleapis.com/"


def replace(gcloud: Gcloud, kind: str, name: str, *flags: str) -> tuple[int, str]:
    ran = gcloud.run(kind, "replace", str(MANIFESTS / f"{name}.yaml"), *flags)
    return ran.code, ran.printed


def test_a_service_of_nothing_but_an_image(gcloud: Gcloud) -> None:
    code, printed = replace(gcloud, "services", "minimal")
    assert (code, "New configuration has been applied to service [minimal]." in printed) == (0, True), printed
    template = gcloud.json("services", "describe", "minimal")["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "registry.test/web:1"
    assert template["spec"]["containerConcurrency"] == 80


def test_everything_that_a_manifest_says_is_read_back(gcloud: Gcloud) -> None:
    code, printed = replace(gcloud, "services", "annotated")
    assert code == 0, printed
    described = gcloud.json("services", "describe", "annotated")
    metadata, template = described["metadata"], described["spec"]["template"]
    assert metadata["labels"] | {"team": "a", "tier": "web"} == metadata["labels"]
    assert metadata["annotations"][RUN + "description"] == "A service that is described over two lines"
    assert metadata["annotations"][RUN + "custom-audiences"] == '["https://one.example", "https://two.example"]'
    assert metadata["annotations"]["owner"] == "somebody"
    annotations = template["metadata"]["annotations"]
    assert annotations[RUN + "cpu-throttling"] == "false"
    assert annotations[RUN + "network-interfaces"] == ('[{"network":"default","subnetwork":"default","tags":["web"]}]')
    assert annotations["autoscaling.knative.dev/maxScale"] == "10"
    container = template["spec"]["containers"][0]
    assert container["args"] == ["--greeting", "two\nlines\n"]
    assert {v["name"]: v.get("value", "") for v in container["env"]} == {
        "LOG_LEVEL": "debug",
        "EMPTY": "",
        "NUMBER": "007",
    }
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": 9000}
    assert "homerun.dev" not in str(described), "v1 has words for all of it"
    assert "http://current---annotated-" in str(described["status"]["traffic"])


def test_what_was_exported_can_be_given_back_and_changes_nothing(gcloud: Gcloud, tmp_path: Path) -> None:
    code, printed = replace(gcloud, "services", "exported")
    assert code == 0, printed
    exported = tmp_path / "again.yaml"
    exported.write_text(gcloud.out("services", "describe", "exported", "--format=export"))
    before = gcloud.json("services", "describe", "exported")
    assert "urls" not in str(before["metadata"]["annotations"]) or "run.app" not in str(
        before["metadata"]["annotations"]
    )
    gcloud("services", "replace", str(exported))
    after = gcloud.json("services", "describe", "exported")
    assert after["spec"] == before["spec"]
    assert len(gcloud.json("revisions", "list", "--service=exported")) == 1


def test_a_dry_run_says_what_would_be_and_changes_nothing(gcloud: Gcloud, tmp_path: Path) -> None:
    never = tmp_path / "never.yaml"
    never.write_text((MANIFESTS / "minimal.yaml").read_text().replace("minimal", "never"))
    printed = gcloud("services", "replace", str(never), "--dry-run")
    assert "has been validated" in printed
    assert "never" not in [s["metadata"]["name"] for s in gcloud.json("services", "list")]
    code, printed = replace(gcloud, "services", "wrong", "--dry-run")
    assert (code, "containerConcurrency" in printed) == (1, True)


def test_an_unknown_field_is_named(gcloud: Gcloud) -> None:
    code, printed = replace(gcloud, "services", "unknown-field")
    assert code == 1
    assert "replicas" in printed


def test_everything_that_is_wrong_is_named_at_once_as_the_manifest_has_it(gcloud: Gcloud) -> None:
    code, printed = replace(gcloud, "services", "wrong")
    assert code == 1
    for field in (
        f"metadata.annotations[{RUN}minScale]",
        f"spec.template.metadata.annotations[{RUN}cpu-throttling]",
        f"spec.template.metadata.annotations[{RUN}network-interfaces]",
        f"spec.template.metadata.annotations[{RUN}container-dependencies]",
        "spec.template.spec.containerConcurrency",
        "spec.template.spec.containers[0].env[0].name",
        "spec.template.spec.containers[0].resources.limits[cpu]",
        "spec.traffic",
    ):
        assert field in printed, f"{field} is not in {printed}"


def test_a_job_is_replaced_run_and_given_back(gcloud: Gcloud, tmp_path: Path) -> None:
    code, printed = replace(gcloud, "jobs", "job")
    assert code == 0, printed
    described = gcloud.json("jobs", "describe", "batch")
    execution = described["spec"]["template"]
    assert (execution["spec"]["taskCount"], execution["spec"]["parallelism"]) == (4, 2)
    task = execution["spec"]["template"]["spec"]
    assert (task["maxRetries"], task["timeoutSeconds"]) == (0, "1200")
    assert task["containers"][0]["env"] == [{"name": "MODE", "value": "fast\nand safe"}]
    assert execution["metadata"]["annotations"][RUN + "vpc-access-connector"].endswith("/connectors/c")
    gcloud("jobs", "execute", "batch", "--wait")
    exported = tmp_path / "job.yaml"
    exported.write_text(gcloud.out("jobs", "describe", "batch", "--format=export"))
    gcloud("jobs", "replace", str(exported))
    assert gcloud.json("jobs", "describe", "batch")["spec"] == described["spec"]
