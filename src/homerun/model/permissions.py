"""Which permissions exist, and which of them a role has (contract §7.7; Google's reference of Cloud Run's IAM roles).

Only predefined roles: homerun has no place where custom ones could be defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

INVOKE = "run.routes.invoke"

_ANY = (
    "createTagBinding",
    "delete",
    "deleteTagBinding",
    "get",
    "getIamPolicy",
    "listEffectiveTags",
    "listTagBindings",
    "setIamPolicy",
    "update",
)


def _of(collection: str, *more: str) -> tuple[str, ...]:
    return (*(f"run.{collection}.{verb}" for verb in _ANY), *more)


PERMISSIONS = {
    "Service": _of("services", INVOKE, "run.routes.get", "run.configurations.get", "run.revisions.get"),
    "Job": _of("jobs", "run.jobs.run", "run.jobs.runWithOverrides", "run.executions.cancel", "run.executions.get"),
    "WorkerPool": _of("workerpools", "run.revisions.get"),
}
"""By kind of resource: what may be asked about one (`testIamPermissions`)."""


@dataclass(frozen=True, slots=True)
class Role:
    """Patterns of permissions, as in a shell."""

    has: Sequence[str]
    but: Sequence[str] = ()

    def includes(self, permission: str) -> bool:
        return any(fnmatchcase(permission, p) for p in self.has) and not any(
            fnmatchcase(permission, p) for p in self.but
        )


_EVERYTHING, _READ = ("run.*",), ("run.*.get", "run.*.list", "run.*.getIamPolicy", "run.*.list*")
_WRITE = Role(_EVERYTHING, but=("run.*.setIamPolicy", INVOKE, "run.*TagBinding"))
ROLES = {
    "roles/owner": Role(_EVERYTHING),
    "roles/editor": Role(_EVERYTHING, but=("run.*.setIamPolicy",)),
    "roles/viewer": Role(_READ),
    "roles/run.admin": Role(_EVERYTHING),
    "roles/run.developer": _WRITE,
    "roles/run.sourceDeveloper": _WRITE,
    "roles/run.viewer": Role(_READ),
    "roles/run.sourceViewer": Role(_READ),
    "roles/run.builder": Role(()),
    "roles/run.serviceAgent": Role(_EVERYTHING, but=("run.*.setIamPolicy",)),
    "roles/run.invoker": Role((INVOKE, "run.jobs.run")),
    "roles/run.servicesInvoker": Role((INVOKE,)),
    "roles/run.jobsExecutor": Role(("run.jobs.run", "run.executions.cancel")),
    "roles/run.jobsExecutorWithOverrides": Role(("run.jobs.run", "run.jobs.runWithOverrides", "run.executions.cancel")),
}


def roles_with(permission: str) -> list[str]:
    return [name for name, role in ROLES.items() if role.includes(permission)]
