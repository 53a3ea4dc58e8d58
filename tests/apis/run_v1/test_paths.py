"""Where a v1 caller finds what v2 complains about."""

import pytest

from homerun.apis.run_v1.paths import v1_path

TEMPLATE = "spec.template.metadata.annotations[run.googleapis.com/{}]".format
TASK = "spec.template.spec.template.spec"


@pytest.mark.parametrize(
    ("kind", "v2", "v1"),
    [
        ("Service", "template.containers[0].image", "spec.template.spec.containers[0].image"),
        ("Service", "template.timeout", "spec.template.spec.timeoutSeconds"),
        ("Service", "template.revision", "spec.template.metadata.name"),
        ("Service", "template.labels[a]", "spec.template.metadata.labels[a]"),
        ("Service", "scaling.minInstanceCount", "metadata.annotations[run.googleapis.com/minScale]"),
        ("Service", "traffic[0].revision", "spec.traffic[0].revisionName"),
        ("Service", "traffic", "spec.traffic"),
        ("Service", "labels[x]", "metadata.labels[x]"),
        ("Job", "template.taskCount", "spec.template.spec.taskCount"),
        ("Job", "template.template.timeout", "spec.template.spec.template.spec.timeoutSeconds"),
        ("Job", "template.template.containers[1].env", "spec.template.spec.template.spec.containers[1].env"),
        ("Service", "template.containers[0].env[2].valueSource", "spec.template.spec.containers[0].env[2].valueFrom"),
        (
            "Job",
            "template.template.containers[0].env[2].valueSource.secretKeyRef.secret",
            f"{TASK}.containers[0].env[2].valueFrom.secretKeyRef.name",
        ),
        ("Service", "template.containers[1].dependsOn[0]", TEMPLATE("container-dependencies")),
        ("Job", "template.template.containers[1].dependsOn", TEMPLATE("container-dependencies")),
        ("Service", "template.containers[1].resources.cpuIdle", TEMPLATE("cpu-throttling")),
        ("Service", "template.containers[1].sourceCode", TEMPLATE("sources")),
        ("Service", "template.volumes[1].cloudSqlInstance.instances[0]", TEMPLATE("cloudsql-instances")),
        ("Service", "template.volumes[1].secret.secret", "spec.template.spec.volumes[1].secret.secretName"),
        ("Service", "template.volumes[1].secret.items[0].version", "spec.template.spec.volumes[1].secret.items[0].key"),
        ("Service", "template.volumes[1].secret.items[0].path", "spec.template.spec.volumes[1].secret.items[0].path"),
        (
            "Service",
            "template.volumes[1].gcs.bucket",
            "spec.template.spec.volumes[1].csi.volumeAttributes[bucketName]",
        ),
        ("Job", "template.template.volumes[0].gcs", f"{TASK}.volumes[0].csi"),
        ("Service", "template.vpcAccess.networkInterfaces[0]", TEMPLATE("network-interfaces") + "[0]"),
        (
            "Service",
            "template.nodeSelector.accelerator",
            "spec.template.spec.nodeSelector[run.googleapis.com/accelerator]",
        ),
        ("Service", "traffic[1].type", "spec.traffic[1].latestRevision"),
        ("Service", "template.annotations[a]", "spec.template.metadata.annotations[a]"),
        ("Service", "somethingElse", "somethingElse"),
    ],
)
def test_paths_are_translated_for_v1_callers(kind: str, v2: str, v1: str) -> None:
    assert v1_path(kind, v2) == v1
