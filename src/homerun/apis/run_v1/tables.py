"""Which v1 field is which v2 field. A row is (v1 path, v2 path, codec); adding a field is adding a row.

Paths are below the object that the table is for. An annotation's key, which may hold dots, is in brackets.
"""

from __future__ import annotations

from dataclasses import dataclass

from homerun.apis.run_v1 import codecs
from homerun.apis.run_v1.codecs import (
    BOOL,
    COMMAS,
    HOURS,
    INT,
    NETWORK_INTERFACES,
    SECONDS,
    SECONDS_TEXT,
    TEXT,
    TEXT_MAP,
    TEXTS,
    Codec,
)
from homerun.model.defaults import INSTANCE_SPLIT, TRAFFIC_TARGET

RUN = "run.googleapis.com/"
_RESOURCE = "metadata.annotations"


@dataclass(frozen=True, slots=True)
class Row:
    v1: tuple[str, ...]
    v2: tuple[str, ...]
    codec: Codec = TEXT

    @property
    def v1_path(self) -> str:
        head, *rest = self.v1
        return head + "".join(f"[{key}]" if "/" in key else f".{key}" for key in rest)

    @property
    def v2_path(self) -> str:
        return ".".join(self.v2)


def _row(v1: str, v2: str, codec: Codec = TEXT) -> Row:
    return Row(tuple(v1.split(".")), tuple(v2.split(".")), codec)


def _annotation(at: str, key: str, v2: str, codec: Codec = TEXT) -> Row:
    return Row((*at.split("."), key), tuple(v2.split(".")), codec)


_RESOURCE_ROWS = (
    _annotation(_RESOURCE, RUN + "client-name", "client"),
    _annotation(_RESOURCE, RUN + "client-version", "clientVersion"),
    _annotation(_RESOURCE, RUN + "launch-stage", "launchStage", codecs.LAUNCH_STAGE),
    _annotation(_RESOURCE, RUN + "binary-authorization-breakglass", "binaryAuthorization.breakglassJustification"),
)
_TEMPLATE = "spec.template.metadata.annotations"


def _pod_rows(spec: str, v2: str) -> tuple[Row, ...]:
    """What every template that runs containers has: `spec` is its v1 spec, `v2` its v2 message."""
    return (
        _annotation(_TEMPLATE, RUN + "client-name", "template.client"),
        _annotation(_TEMPLATE, RUN + "client-version", "template.clientVersion"),
        _annotation(_TEMPLATE, RUN + "vpc-access-connector", f"{v2}.vpcAccess.connector"),
        _annotation(_TEMPLATE, RUN + "vpc-access-egress", f"{v2}.vpcAccess.egress", codecs.VPC_EGRESS),
        _annotation(_TEMPLATE, RUN + "network-interfaces", f"{v2}.vpcAccess.networkInterfaces", NETWORK_INTERFACES),
        _annotation(_TEMPLATE, RUN + "encryption-key", f"{v2}.encryptionKey"),
        _annotation(_TEMPLATE, RUN + "gpu-zonal-redundancy-disabled", f"{v2}.gpuZonalRedundancyDisabled", BOOL),
        _annotation(f"{spec}.nodeSelector", RUN + "accelerator", f"{v2}.nodeSelector.accelerator"),
        _row(f"{spec}.serviceAccountName", f"{v2}.serviceAccount"),
    )


def _sandbox_rows(v2: str) -> tuple[Row, ...]:
    """What a worker pool's template does not have."""
    key, codec = RUN + "execution-environment", codecs.EXECUTION_ENVIRONMENT
    identity, certificate = f"{v2}.workloadIdentityConfig.identity", RUN + "enable-workload-certificate"
    return (
        _annotation(_TEMPLATE, key, f"{v2}.executionEnvironment", codec),
        _annotation(_TEMPLATE, RUN + "identity", identity),
        _annotation(_TEMPLATE, certificate, f"{identity}CertificateEnabled", BOOL),
    )


_REVISION_ROWS = (
    _row("spec.template.metadata.name", "template.revision"),
    _annotation(_TEMPLATE, RUN + "mesh", "template.serviceMesh.mesh"),
    _annotation(
        _TEMPLATE, RUN + "post-key-revocation-action-type", "template.encryptionKeyRevocationAction", codecs.REVOCATION
    ),
    _annotation(_TEMPLATE, RUN + "encryption-key-shutdown-hours", "template.encryptionKeyShutdownDuration", HOURS),
    *_pod_rows("spec.template.spec", "template"),
)
"""Of templates that become revisions: a service's, a worker pool's."""

SERVICE = (
    *_RESOURCE_ROWS,
    _annotation(_RESOURCE, RUN + "description", "description"),
    _annotation(_RESOURCE, RUN + "ingress", "ingress", codecs.INGRESS),
    _annotation(_RESOURCE, RUN + "minScale", "scaling.minInstanceCount", INT),
    _annotation(_RESOURCE, RUN + "maxScale", "scaling.maxInstanceCount", INT),
    _annotation(_RESOURCE, RUN + "scalingMode", "scaling.scalingMode", codecs.SCALING_MODE),
    _annotation(_RESOURCE, RUN + "manualInstanceCount", "scaling.manualInstanceCount", INT),
    _annotation(_RESOURCE, RUN + "invoker-iam-disabled", "invokerIamDisabled", BOOL),
    _annotation(_RESOURCE, RUN + "default-url-disabled", "defaultUriDisabled", BOOL),
    _annotation(_RESOURCE, RUN + "iap-enabled", "iapEnabled", BOOL),
    _annotation(_RESOURCE, RUN + "custom-audiences", "customAudiences", TEXTS),
    _annotation(_RESOURCE, RUN + "regions", "multiRegionSettings.regions", COMMAS),
    _annotation(_RESOURCE, RUN + "build-source-location", "buildConfig.sourceLocation"),
    _annotation(_RESOURCE, RUN + "build-function-target", "buildConfig.functionTarget"),
    _annotation(_RESOURCE, RUN + "build-image-uri", "buildConfig.imageUri"),
    _annotation(_RESOURCE, RUN + "build-base-image", "buildConfig.baseImage"),
    _annotation(_RESOURCE, RUN + "build-enable-automatic-updates", "buildConfig.enableAutomaticUpdates", BOOL),
    _annotation(_RESOURCE, RUN + "build-worker-pool", "buildConfig.workerPool"),
    _annotation(_RESOURCE, RUN + "build-environment-variables", "buildConfig.environmentVariables", TEXT_MAP),
    _annotation(_RESOURCE, RUN + "build-service-account", "buildConfig.serviceAccount"),
    *_REVISION_ROWS,
    *_sandbox_rows("template"),
    _annotation(_TEMPLATE, "autoscaling.knative.dev/minScale", "template.scaling.minInstanceCount", INT),
    _annotation(_TEMPLATE, "autoscaling.knative.dev/maxScale", "template.scaling.maxInstanceCount", INT),
    _annotation(_TEMPLATE, RUN + "sessionAffinity", "template.sessionAffinity", BOOL),
    _annotation(_TEMPLATE, RUN + "health-check-disabled", "template.healthCheckDisabled", BOOL),
    _row("spec.template.spec.containerConcurrency", "template.maxInstanceRequestConcurrency"),
    _row("spec.template.spec.timeoutSeconds", "template.timeout", SECONDS),
)

WORKER_POOL = (
    *_RESOURCE_ROWS,
    _annotation(_RESOURCE, RUN + "description", "description"),
    _annotation(_RESOURCE, RUN + "manualInstanceCount", "scaling.manualInstanceCount", INT),
    _annotation(_RESOURCE, RUN + "custom-audiences", "customAudiences", TEXTS),
    *_REVISION_ROWS,
)

_TASK = "spec.template.spec.template.spec"
JOB = (
    *_RESOURCE_ROWS,
    *_pod_rows(_TASK, "template.template"),
    *_sandbox_rows("template.template"),
    _row("spec.startExecutionToken", "startExecutionToken"),
    _row("spec.runExecutionToken", "runExecutionToken"),
    _row("spec.template.spec.taskCount", "template.taskCount"),
    _row("spec.template.spec.parallelism", "template.parallelism"),
    _row("spec.template.spec.delayExecution", "template.delayExecution"),
    _row(f"{_TASK}.maxRetries", "template.template.maxRetries"),
    _row(f"{_TASK}.timeoutSeconds", "template.template.timeout", SECONDS_TEXT),
)

TABLES = {"Service": SERVICE, "WorkerPool": WORKER_POOL, "Job": JOB}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a kind has the spec with its containers and volumes, in each version, and what it shares out."""

    v1_spec: tuple[str, ...]
    v2_spec: tuple[str, ...]
    throttled: bool
    """CPU may be idle outside of requests."""
    shares: str = ""
    """The field with the targets, called the same in both versions."""
    share_type: str = ""
    """How v2's types of a target begin."""


LAYOUTS = {
    "Service": Layout(("spec", "template", "spec"), ("template",), True, "traffic", TRAFFIC_TARGET),
    "WorkerPool": Layout(("spec", "template", "spec"), ("template",), False, "instanceSplits", INSTANCE_SPLIT),
    "Job": Layout(("spec", "template", "spec", "template", "spec"), ("template", "template"), throttled=False),
}
TEMPLATE_METADATA = ("spec", "template", "metadata")
"""In v1, of every kind; in v2 it is in `template`."""

OUTPUT_ANNOTATIONS = frozenset(
    {
        RUN + "operation-id",
        RUN + "urls",
        RUN + "ingress-status",
        RUN + "creator",
        RUN + "lastModifier",
        "serving.knative.dev/creator",
        "serving.knative.dev/lastModifier",
    }
)
OUTPUT_LABELS = frozenset(
    {
        "cloud.googleapis.com/location",
        "run.googleapis.com/lastUpdatedTime",
        "run.googleapis.com/satisfiesPzs",
    }
)
"""Ours to set: what a client sends back of them is ignored."""

SERVER_METADATA = (
    "name",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
"""Of a v1 object: what they say, the store knows."""
