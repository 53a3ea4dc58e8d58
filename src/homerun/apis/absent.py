"""Published methods that homerun does not have: why, and what to do instead, for the 501 and docs/api-coverage.md."""

from __future__ import annotations

_RUN = "run.projects.locations."
_INSTANCES = (
    "single instances with a lifecycle of their own are not supported: deploy a service with --min=1 --max=1, or a "
    "worker pool of one instance"
)
_EXPORT = "nothing is kept in Google's storage that could be exported: {instead}"

_ROTATION = ("enableManagedRotation", "rotateSecret")

_KEYS = "schedules are not encrypted with keys of Cloud KMS: encrypt the disk of the state folder"

WHY = {
    f"{_RUN}builds.": "images are built on this machine, not by Cloud Build: use homerun deploy --source, which needs "
    "a Dockerfile, or build one yourself and deploy it with --image",
    f"{_RUN}sourceUploads.": "sources are uploaded together with their build: use homerun deploy --source",
    f"{_RUN}instances.": _INSTANCES,
    "run.namespaces.instances.": _INSTANCES,
    f"{_RUN}exportImage": _EXPORT.format(instead="copy the image with skopeo from where it was deployed from"),
    f"{_RUN}exportMetadata": _EXPORT.format(instead="get the resource itself, it is complete"),
    f"{_RUN}exportProjectMetadata": _EXPORT.format(instead="list the services, jobs and worker pools"),
    f"{_RUN}jobs.executions.exportStatus": _EXPORT.format(instead="get the execution"),
    f"{_RUN}services.revisions.exportStatus": _EXPORT.format(instead="get the revision"),
    **dict.fromkeys(
        (f"secretmanager.projects.{where}secrets.{verb}" for where in ("", "locations.") for verb in _ROTATION),
        "secrets are not rotated by themselves: add a version, which running instances see where it is mounted",
    ),
    "cloudscheduler.projects.locations.getCmekConfig": _KEYS,
    "cloudscheduler.projects.locations.updateCmekConfig": _KEYS,
    "cloudscheduler.projects.locations.": "any name is a location, and nothing here takes an operation: the Run API "
    "lists both",
    "secretmanager.projects.locations.": "any name is a location; the Run API lists the one of this machine",
}
"""By the beginning of the method's id; the longest that fits counts."""


def why(method: str) -> str:
    """Of a method without a handler, by its id in the discovery document."""
    found = max((prefix for prefix in WHY if method.startswith(prefix)), key=len, default="")
    return WHY[found] if found else "not implemented yet"
