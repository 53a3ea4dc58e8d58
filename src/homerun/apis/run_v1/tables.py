"""Which v1 field is which v2 field. A row is (v1 path, v2 path, codec); adding a field is adding a row.

Paths are below the object that the table is for. An annotation's key, which may hold dots, is in brackets.
"""

from __future__ import annotations

from dataclasses import dataclass

from homerun.apis.run_v1 import codecs
from homerun.apis.run_v1.codecs import BOOL, INT, JSON_LIST, SECONDS, SECONDS_TEXT, TEXT, Codec

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
    _annotation(_RESOURCE, RUN + "binary-authorization", "binaryAuthorization.policy"),
    _annotation(_RESOURCE, RUN + "binary-authorization-breakglass", "binaryAuthorization.breakglassJustification"),
)


def _vpc_rows(annotations: str, v2: str) -> tuple[Row, ...]:
    return (
        _annotation(
            annotations, RUN + "execution-environment", f"{v2}executionEnvironment", codecs.EXECUTION_ENVIRONMENT
        ),
        _annotation(annotations, RUN + "vpc-access-connector", f"{v2}vpcAccess.connector"),
        _annotation(annotations, RUN + "vpc-access-egress", f"{v2}vpcAccess.egress", codecs.VPC_EGRESS),
        _annotation(annotations, RUN + "network-interfaces", f"{v2}vpcAccess.networkInterfaces", JSON_LIST),
        _annotation(annotations, RUN + "encryption-key", f"{v2}encryptionKey"),
    )


_TEMPLATE = "spec.template.metadata.annotations"

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
    _annotation(_RESOURCE, RUN + "custom-audiences", "customAudiences", JSON_LIST),
    _row("spec.template.metadata.name", "template.revision"),
    _annotation(_TEMPLATE, "autoscaling.knative.dev/minScale", "template.scaling.minInstanceCount", INT),
    _annotation(_TEMPLATE, "autoscaling.knative.dev/maxScale", "template.scaling.maxInstanceCount", INT),
    _annotation(_TEMPLATE, RUN + "sessionAffinity", "template.sessionAffinity", BOOL),
    _annotation(_TEMPLATE, RUN + "health-check-disabled", "template.healthCheckDisabled", BOOL),
    _annotation(_TEMPLATE, RUN + "gpu-zonal-redundancy-disabled", "template.gpuZonalRedundancyDisabled", BOOL),
    _annotation(
        _TEMPLATE, RUN + "post-key-revocation-action-type", "template.encryptionKeyRevocationAction", codecs.REVOCATION
    ),
    *_vpc_rows(_TEMPLATE, "template."),
    _row("spec.template.spec.containerConcurrency", "template.maxInstanceRequestConcurrency"),
    _row("spec.template.spec.timeoutSeconds", "template.timeout", SECONDS),
    _row("spec.template.spec.serviceAccountName", "template.serviceAccount"),
)

JOB = (
    *_RESOURCE_ROWS,
    *_vpc_rows(_TEMPLATE, "template.template."),
    _row("spec.startExecutionToken", "startExecutionToken"),
    _row("spec.runExecutionToken", "runExecutionToken"),
    _row("spec.template.spec.taskCount", "template.taskCount"),
    _row("spec.template.spec.parallelism", "template.parallelism"),
    _row("spec.template.spec.template.spec.maxRetries", "template.template.maxRetries"),
    _row("spec.template.spec.template.spec.timeoutSeconds", "template.template.timeout", SECONDS_TEXT),
    _row("spec.template.spec.template.spec.serviceAccountName", "template.template.serviceAccount"),
)

CPU_IDLE = RUN + "cpu-throttling"
STARTUP_BOOST = RUN + "startup-cpu-boost"
"""Annotations of the template in v1, fields of the container in v2."""

PREFIXES = {
    "Service": (
        ("template.containers", "spec.template.spec.containers"),
        ("template.labels", "spec.template.metadata.labels"),
        ("template.annotations", "spec.template.metadata.annotations"),
        ("template.volumes", "spec.template.spec.volumes"),
        ("template", "spec.template.spec"),
        ("traffic", "spec.traffic"),
        ("labels", "metadata.labels"),
        ("annotations", "metadata.annotations"),
        ("name", "metadata.name"),
    ),
    "Job": (
        ("template.template.containers", "spec.template.spec.template.spec.containers"),
        ("template.template", "spec.template.spec.template.spec"),
        ("template.labels", "spec.template.metadata.labels"),
        ("template.annotations", "spec.template.metadata.annotations"),
        ("template", "spec.template.spec"),
        ("labels", "metadata.labels"),
        ("annotations", "metadata.annotations"),
        ("name", "metadata.name"),
    ),
}
"""Where a v2 path leads in v1, for what no row says; the first that fits."""

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

TABLES = {"Service": SERVICE, "Job": JOB}


def v1_path(kind: str, v2_path: str) -> str:
    """A field path as a v1 caller knows the field."""
    for row in sorted(TABLES[kind], key=lambda row: -len(row.v2_path)):
        if v2_path == row.v2_path or v2_path.startswith((f"{row.v2_path}[", f"{row.v2_path}.")):
            return row.v1_path + v2_path[len(row.v2_path) :]
    for v2, v1 in PREFIXES[kind]:
        if v2_path == v2 or v2_path.startswith((f"{v2}[", f"{v2}.")):
            rest = v2_path[len(v2) :]
            return v1 + (rest.replace(".revision", ".revisionName") if v2 == "traffic" else rest)
    return v2_path
