"""Which permissions exist, and which of them a role has (contract §7.7; Google's reference of Cloud Run's IAM roles).

Only predefined roles: homerun has no place where custom ones could be defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

INVOKE = "run.routes.invoke"
ACCESS_SECRET = "secretmanager.versions.access"

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
    "Secret": (
        *(f"secretmanager.secrets.{verb}" for verb in ("delete", "get", "getIamPolicy", "setIamPolicy", "update")),
        *(
            f"secretmanager.versions.{verb}"
            for verb in ("access", "add", "destroy", "disable", "enable", "get", "list")
        ),
    ),
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
_SECRETS = ("secretmanager.*",)
_SEE_SECRETS = tuple(f"secretmanager.*.{verb}" for verb in ("get", "list", "getIamPolicy"))
_BASIC = {
    # An editor may change secrets and not read them (Google's reference of basic roles).
    "roles/owner": Role((*_EVERYTHING, *_SECRETS)),
    "roles/editor": Role(
        (*_EVERYTHING, *_SECRETS), but=("run.*.setIamPolicy", "secretmanager.*.setIamPolicy", ACCESS_SECRET)
    ),
    "roles/viewer": Role((*_READ, *_SEE_SECRETS)),
}
_WRITE = Role(_EVERYTHING, but=("run.*.setIamPolicy", INVOKE, "run.*TagBinding"))
RUN_ROLES = {
    **_BASIC,
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
SECRET_ROLES = {
    **_BASIC,
    "roles/secretmanager.admin": Role(_SECRETS),
    "roles/secretmanager.secretAccessor": Role((ACCESS_SECRET,)),
    "roles/secretmanager.secretVersionAdder": Role(("secretmanager.versions.add",)),
    "roles/secretmanager.secretVersionManager": Role(
        tuple(f"secretmanager.versions.{verb}" for verb in ("add", "destroy", "disable", "enable", "get", "list"))
    ),
    "roles/secretmanager.viewer": Role(_SEE_SECRETS),
}
ROLES = {**RUN_ROLES, **SECRET_ROLES}


def roles_of(kind: str) -> Mapping[str, Role]:
    """Those that a policy of such a resource may grant."""
    return SECRET_ROLES if kind == "Secret" else RUN_ROLES


def roles_with(permission: str) -> list[str]:
    return [name for name, role in ROLES.items() if role.includes(permission)]
