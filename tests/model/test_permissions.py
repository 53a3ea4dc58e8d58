import pytest

from homerun.model.permissions import ACCESS_SECRET, INVOKE, PERMISSIONS, ROLES, roles_of, roles_with


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


@pytest.mark.parametrize(
    ("role", "of"),
    [
        ("roles/viewer", ("run.", "secretmanager.")),
        ("roles/run.viewer", ("run.",)),
        ("roles/secretmanager.viewer", ("secretmanager.",)),
    ],
)
def test_viewers_see_everything_and_change_nothing(role: str, of: tuple[str, ...]) -> None:
    granted = {p for all in PERMISSIONS.values() for p in all if ROLES[role].includes(p)}
    assert granted == {
        p
        for all in PERMISSIONS.values()
        for p in all
        if p.startswith(of)
        and p.rpartition(".")[2] in ("get", "getIamPolicy", "list", "listTagBindings", "listEffectiveTags")
    }


def test_who_may_read_a_payload() -> None:
    assert roles_with(ACCESS_SECRET) == [
        "roles/owner",
        "roles/secretmanager.admin",
        "roles/secretmanager.secretAccessor",
    ]
    assert not roles_of("Service").keys() & {"roles/secretmanager.secretAccessor"}
    assert "roles/run.invoker" not in roles_of("Secret")


def test_each_kind_has_its_own_permissions() -> None:
    assert "run.jobs.run" in PERMISSIONS["Job"] and "run.jobs.run" not in PERMISSIONS["Service"]
    assert INVOKE in PERMISSIONS["Service"] and INVOKE not in PERMISSIONS["WorkerPool"]
