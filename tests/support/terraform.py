"""What Terraform's google provider does with a resource of Cloud Run or Cloud Scheduler, as its public schemas say.

A resource's fields are a table: what has a default, what the API may fill in (`computed`), what is sent even if it is
empty. From it follow the three things that matter to an API: the body that a configuration becomes (`expand`), what of
an answer the provider looks at, and the fields for which a second plan would not be empty (`plan`).
Names are the API's (`minInstanceCount`, in HCL `min_instance_count`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Json = dict[str, Any]
Fields = Mapping[str, "Field"]


@dataclass(frozen=True, slots=True)
class Field:
    """`fields`: of a block; `many`: a list of them; `by_name`: a set. `own_keys`: labels of others do not count."""

    default: Any = None
    computed: bool = False
    send_empty: bool = False
    fields: Fields | None = None
    many: bool = False
    by_name: bool = False
    own_keys: bool = False


def expand(fields: Fields, config: Json) -> Json:
    """The request's body. Zero, false and empty text are not sent, unless the schema says so."""
    body: Json = {}
    for name, field in fields.items():
        value = config.get(name, field.default)
        if value is None:
            continue
        if field.fields is not None:
            value = [expand(field.fields, each) for each in value] if field.many else expand(field.fields, value)
        if value or field.send_empty:
            body[name] = value
    return body


def plan(fields: Fields, config: Json, read: Json, path: str = "") -> list[str]:
    """The fields that differ between the configuration and what was read."""
    found: list[str] = []
    for name, field in fields.items():
        wanted, there = config.get(name), read.get(name)
        if wanted is None and field.computed:
            continue
        here = f"{path}.{name}" if path else name
        found += _difference(field, field.default if wanted is None else wanted, there, here)
    return found


def _difference(field: Field, wanted: Any, there: Any, path: str) -> list[str]:
    if field.fields is None:
        if field.own_keys:
            there = {key: value for key, value in (there or {}).items() if key in (wanted or {})}
        return [] if (wanted or None) == (there or None) else [path]
    if field.many:
        if len(wanted or ()) != len(there or ()):
            return [path]
        pairs = enumerate(zip(_ordered(field, wanted), _ordered(field, there), strict=True))
        return [d for index, (a, b) in pairs for d in plan(field.fields, a, b, f"{path}[{index}]")]
    if wanted is None or there is None:
        return [] if not wanted and not there and (wanted is None or not field.send_empty) else [path]
    return plan(field.fields, wanted, there, path)


def _ordered(field: Field, values: Any) -> list[Json]:
    return sorted(values or (), key=lambda value: value["name"]) if field.by_name else list(values or ())


PLAIN, COMPUTED = Field(), Field(computed=True)
LABELS = Field(own_keys=True)


def block(fields: Fields, **more: Any) -> Field:
    return Field(fields=fields, **more)


def plain(*names: str) -> dict[str, Field]:
    return dict.fromkeys(names, PLAIN)


_PORT = {"port": COMPUTED}
_HEADERS = block({"name": PLAIN, "value": Field(default="", send_empty=True)}, many=True)
_PROBE: dict[str, Field] = {
    "initialDelaySeconds": Field(default=0),
    "timeoutSeconds": Field(default=1),
    "periodSeconds": Field(default=10),
    "failureThreshold": Field(default=3),
    "httpGet": block({"path": Field(default="/"), **_PORT, "httpHeaders": _HEADERS}, send_empty=True),
    "tcpSocket": block(_PORT, send_empty=True),
    "grpc": block({**_PORT, "service": PLAIN}, send_empty=True),
}
_SECRET = block(plain("secret", "version"))
_CONTAINER: dict[str, Field] = {
    **plain("name", "image", "command", "args", "workingDir", "dependsOn"),
    "env": block(
        {"name": PLAIN, "value": Field(default=""), "valueSource": block({"secretKeyRef": _SECRET})},
        many=True,
        by_name=True,
    ),
    "resources": block({"limits": COMPUTED, **plain("cpuIdle", "startupCpuBoost")}, computed=True),
    "ports": block({"name": COMPUTED, "containerPort": PLAIN}, many=True, computed=True),
    "volumeMounts": block(plain("name", "mountPath", "subPath"), many=True),
    "livenessProbe": block(_PROBE),
    "startupProbe": block(_PROBE, computed=True),
}
_VOLUME: dict[str, Field] = {
    "name": PLAIN,
    "secret": block(
        {"secret": PLAIN, "defaultMode": PLAIN, "items": block(plain("path", "version", "mode"), many=True)}
    ),
    "cloudSqlInstance": block(plain("instances")),
    "emptyDir": block({"medium": Field(default="MEMORY"), "sizeLimit": PLAIN}),
    "gcs": block(plain("bucket", "readOnly", "mountOptions")),
    "nfs": block(plain("server", "path", "readOnly")),
}
_INTERFACE = {"network": COMPUTED, "subnetwork": COMPUTED, "tags": PLAIN}
_VPC = block({"connector": PLAIN, "egress": COMPUTED, "networkInterfaces": block(_INTERFACE, many=True)})
_RESOURCE: dict[str, Field] = {
    **plain("description", "client", "clientVersion", "customAudiences"),
    "labels": LABELS,
    "annotations": LABELS,
    "launchStage": COMPUTED,
    "binaryAuthorization": block(plain("breakglassJustification", "useDefault", "policy")),
}
_TEMPLATE: dict[str, Field] = {
    **plain("revision", "labels", "annotations", "encryptionKey"),
    "vpcAccess": _VPC,
    "serviceAccount": COMPUTED,
    "volumes": block(_VOLUME, many=True),
    "nodeSelector": block(plain("accelerator")),
    "gpuZonalRedundancyDisabled": PLAIN,
}
_TARGET = {"type": PLAIN, "revision": PLAIN, "percent": COMPUTED}

SERVICE: dict[str, Field] = {
    **_RESOURCE,
    "ingress": COMPUTED,
    "scaling": block(plain("minInstanceCount", "maxInstanceCount", "scalingMode", "manualInstanceCount")),
    "template": block(
        {
            **_TEMPLATE,
            "scaling": block(plain("minInstanceCount", "maxInstanceCount"), computed=True),
            "timeout": COMPUTED,
            "containers": block(_CONTAINER, many=True),
            **plain("executionEnvironment", "sessionAffinity"),
            "maxInstanceRequestConcurrency": COMPUTED,
        }
    ),
    "traffic": block({**_TARGET, "tag": PLAIN}, many=True, computed=True),
    **plain("invokerIamDisabled", "defaultUriDisabled"),
}
"""google_cloud_run_v2_service"""

JOB: dict[str, Field] = {
    **_RESOURCE,
    "template": block(
        {
            **plain("labels", "annotations"),
            "parallelism": COMPUTED,
            "taskCount": COMPUTED,
            "template": block(
                {
                    **{
                        key: field
                        for key, field in _TEMPLATE.items()
                        if key not in ("revision", "labels", "annotations")
                    },
                    "containers": block(
                        {**_CONTAINER, "ports": block(plain("name", "containerPort"), many=True)},
                        many=True,
                        computed=True,
                    ),
                    "timeout": COMPUTED,
                    "executionEnvironment": COMPUTED,
                    "maxRetries": Field(default=3, send_empty=True),
                }
            ),
        }
    ),
}
"""google_cloud_run_v2_job"""

WORKER_POOL: dict[str, Field] = {
    **_RESOURCE,
    "scaling": block(
        {
            "manualInstanceCount": Field(send_empty=True),
        },
        computed=True,
    ),
    "template": block(
        {
            **_TEMPLATE,
            "containers": block({k: f for k, f in _CONTAINER.items() if "Probe" not in k and k != "ports"}, many=True),
        }
    ),
    "instanceSplits": block(_TARGET, many=True, computed=True),
}
"""google_cloud_run_v2_worker_pool"""

_V1_CONTAINER: dict[str, Field] = {
    **{key: field for key, field in _CONTAINER.items() if key not in ("env", "resources", "dependsOn")},
    "name": COMPUTED,
    "env": block(
        {
            "name": PLAIN,
            "value": Field(default=""),
            "valueFrom": block({"secretKeyRef": block(plain("name", "key"))}),
        },
        many=True,
        by_name=True,
    ),
    "resources": block({"limits": COMPUTED, "requests": PLAIN}, computed=True),
    "ports": block({"name": COMPUTED, **plain("protocol", "containerPort")}, many=True, computed=True),
}
V1_SERVICE: dict[str, Field] = {
    "metadata": block({"labels": LABELS, "annotations": LABELS, "namespace": COMPUTED}, computed=True),
    "spec": block(
        {
            "template": block(
                {
                    "metadata": block(
                        {"labels": COMPUTED, "annotations": COMPUTED, "namespace": COMPUTED, "name": COMPUTED},
                        computed=True,
                    ),
                    "spec": block(
                        {
                            "containers": block(_V1_CONTAINER, many=True, computed=True),
                            "containerConcurrency": COMPUTED,
                            "timeoutSeconds": COMPUTED,
                            "serviceAccountName": COMPUTED,
                            "nodeSelector": PLAIN,
                            "volumes": block(
                                {
                                    "name": PLAIN,
                                    "secret": block(
                                        {
                                            **plain("secretName", "defaultMode"),
                                            "items": block(plain("key", "path", "mode"), many=True),
                                        }
                                    ),
                                    "emptyDir": block(plain("medium", "sizeLimit")),
                                },
                                many=True,
                            ),
                        },
                        computed=True,
                    ),
                },
            ),
            "traffic": block(plain("revisionName", "percent", "tag", "latestRevision"), many=True, computed=True),
        }
    ),
}
"""google_cloud_run_service: v1"""


_TOKEN = {"serviceAccountEmail": PLAIN}
_RETRIES = ("retryCount", "maxRetryDuration", "minBackoffDuration", "maxBackoffDuration", "maxDoublings")
SCHEDULE: dict[str, Field] = {
    **plain("description", "schedule"),
    "timeZone": Field(default="Etc/UTC"),
    "attemptDeadline": Field(default="180s"),
    "retryConfig": block(dict.fromkeys(_RETRIES, COMPUTED), computed=True),
    "pubsubTarget": block(plain("topicName", "data", "attributes")),
    "appEngineHttpTarget": block(plain("relativeUri", "httpMethod", "body", "headers")),
    "httpTarget": block(
        {
            **plain("uri", "httpMethod", "body", "headers"),
            "oauthToken": block({**_TOKEN, "scope": COMPUTED}),
            "oidcToken": block({**_TOKEN, "audience": COMPUTED}),
        }
    ),
}
"""google_cloud_scheduler_job, but for `paused`, which is no field of the API: the provider pauses and resumes."""


def without(fields: Fields, *names: str) -> Fields:
    """For configurations that ignore changes of some fields."""
    return {name: replace(field, computed=True) if name in names else field for name, field in fields.items()}
