"""What the API's schema has and homerun cannot do yet: refused with its path, never silently ignored.

A pattern is a field path with `[]` for any element. Fields that have no effect on one machine of your own (CMEK, VPC,
binary authorization, ingress, service mesh) are not here: they are stored and handed back (contract §13.9).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from homerun.lib.errors import Violation
from homerun.model.paths import find

_CONTAINER = {
    "sourceCode": "deploying from source code without a build is not supported: give an image",
    "sandboxLauncher": "sandboxes are not supported",
}
_TEMPLATE = {
    **{f"containers[].{path}": why for path, why in _CONTAINER.items()},
    "sandboxes": "sandboxes are not supported",
    "nodeSelector.accelerator": "GPUs are not supported yet",
    "volumes[].filestore": "Filestore is not supported: give its server and share as nfs",
}
SERVICE = {
    **{f"template.{path}": why for path, why in _TEMPLATE.items()},
    "sshEnabled": "SSH into instances is not supported: leave it out or false",
    "multiRegionSettings": "services in several regions are not supported",
    "iapEnabled": "Identity-Aware Proxy is not supported: leave it out or false",
}
WORKER_POOL = {
    **{f"template.{path}": why for path, why in _TEMPLATE.items()},
    "template.containers[].readinessProbe": "a worker pool takes no requests that could be held back: leave it out",
}
JOB = {
    **{f"template.template.{path}": why for path, why in _TEMPLATE.items()},
    "template.template.containers[].livenessProbe": "jobs have startup probes only: leave it out",
    "template.template.containers[].readinessProbe": "jobs have startup probes only: leave it out",
}

_NEVER = "is not supported by Cloud Run"
_V1_CONTAINER = {
    "env[].valueFrom.configMapKeyRef": f"{_NEVER}: give a plain value",
    "envFrom": f"{_NEVER}: list the variables in env",
    "livenessProbe.exec": f"{_NEVER}: use httpGet, tcpSocket or grpc",
    "readinessProbe.exec": f"{_NEVER}: use httpGet or grpc",
    "startupProbe.exec": f"{_NEVER}: use httpGet, tcpSocket or grpc",
    "securityContext": f"{_NEVER}: name the user in the image",
}
_V1_SPEC = {
    **{f"containers[].{path}": why for path, why in _V1_CONTAINER.items()},
    "volumes[].configMap": f"{_NEVER}: put the files into the image",
}
_V1_OBJECT = {"metadata.generateName": f"{_NEVER}: give metadata.name"}
V1_SERVICE = {
    **_V1_OBJECT,
    **{f"spec.template.spec.{path}": why for path, why in _V1_SPEC.items()},
    "spec.template.spec.enableServiceLinks": _NEVER,
    "spec.template.spec.imagePullSecrets": f"{_NEVER}: give the host's image tools the credentials",
    "spec.traffic[].configurationName": f"{_NEVER}: name a revision, or set latestRevision",
}
V1_WORKER_POOL = {**_V1_OBJECT, **{f"spec.template.spec.{path}": why for path, why in _V1_SPEC.items()}}
V1_JOB = {**_V1_OBJECT, **{f"spec.template.spec.template.spec.{path}": why for path, why in _V1_SPEC.items()}}
"""Fields that only v1's schema has. Those that v2 has as well are looked at after the conversion."""


def unsupported(body: Mapping[str, Any], table: Mapping[str, str]) -> Iterator[Violation]:
    """Empty values (null, false, 0, empty text, list or object) ask for nothing and are no violation."""
    for pattern, why in table.items():
        for path, value in find(body, pattern):
            if value:
                yield Violation(path, why)


def refused(patterns: Iterable[str]) -> str:
    """These fields, for documentation."""
    return "refused: " + ", ".join(f"`{pattern}`" for pattern in dict.fromkeys(patterns))
