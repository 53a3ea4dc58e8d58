import pytest

from homerun.model.permissions import INVOKE, PERMISSIONS, ROLES, roles_with


def test_who_may_invoke() -> None:
    assert roles_with(INVOKE) == [
        "roles/owner",
        "roles/editor",
        "roles/run.admin",
        "roles/run.serviceAgent",
        "roles/run.invoker",
        "roles/run.servicesInvoker",
    ]


def test_only_owners_and_admins_set_policies() -> None:
    assert roles_with("run.services.setIamPolicy") == ["roles/owner", "roles/run.admin"]


@pytest.mark.parametrize("role", ["roles/viewer", "roles/run.viewer"])
def test_viewers_see_everything_and_change_nothing(role: str) -> None:
    granted = {p for all in PERMISSIONS.values() for p in all if ROLES[role].includes(p)}
    assert granted == {
        p
        for all in PERMISSIONS.values()
        for p in all
        if p.rpartition(".")[2] in ("get", "getIamPolicy", "listTagBindings", "listEffectiveTags")
    }


def test_each_kind_has_its_own_permissions() -> None:
    assert "run.jobs.run" in PERMISSIONS["Job"] and "run.jobs.run" not in PERMISSIONS["Service"]
    assert INVOKE in PERMISSIONS["Service"] and INVOKE not in PERMISSIONS["WorkerPool"]
