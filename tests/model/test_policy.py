from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.model import identity, policy
from homerun.model.permissions import INVOKE, ROLES

INVOKER = "roles/run.invoker"


def granting(*members: str, role: str = INVOKER) -> dict[str, Any]:
    return {"bindings": [{"role": role, "members": list(members)}]}


def problems(made: dict[str, Any]) -> dict[str, str]:
    return {violation.field: violation.description for violation in policy.check(made)}


@pytest.mark.parametrize(
    "member",
    [
        "allUsers",
        "allAuthenticatedUsers",
        "user:ann@example.com",
        "serviceAccount:r@p.iam.gserviceaccount.com",
        "serviceAccount:7-compute@developer.gserviceaccount.com",
        "group:team@example.com",
        "domain:example.com",
        "projectOwner:p",
        "principal://iam.googleapis.com/locations/global/workforcePools/w/subject/s",
        "principalSet://goog/public:all",
        "deleted:user:ann@example.com?uid=123",
    ],
)
def test_members_as_iam_writes_them(member: str) -> None:
    assert problems(granting(member)) == {}


@pytest.mark.parametrize(
    ("member", "why"),
    [
        ("", "unknown type"),
        ("ann@example.com", "unknown type"),
        ("allusers", "unknown type"),
        ("person:ann@example.com", "unknown type"),
        ("user:", "is no e-mail address"),
        ("user:ann", "write user:NAME@DOMAIN"),
        ("user:r@p.iam.gserviceaccount.com", "write serviceAccount:"),
        ("serviceAccount:ann@example.com", "write user:"),
        ("domain:example", "is no domain"),
        ("domain:", "is no domain"),
        ("projectOwner:", "names nobody"),
    ],
)
def test_a_wrong_member_is_named_with_what_would_be_right(member: str, why: str) -> None:
    found = problems({"bindings": [{"role": INVOKER, "members": ["allUsers", member]}]})
    assert list(found) == ["policy.bindings[0].members[1]"]
    assert why in found["policy.bindings[0].members[1]"]


def test_everything_that_is_wrong_is_found_at_once() -> None:
    found = problems(
        {
            "version": 2,
            "bindings": [
                {"members": ["allUsers"]},
                {"role": "roles/run.king", "members": ["x"]},
                {"role": INVOKER, "members": ["allUsers"], "condition": {"expression": "true"}},
            ],
        }
    )
    assert list(found) == [
        "policy.version",
        "policy.bindings[0].role",
        "policy.bindings[1].role",
        "policy.bindings[1].members[0]",
        "policy.bindings[2].condition",
    ]
    assert "Role roles/run.king is not supported for this resource" in found["policy.bindings[1].role"]


def test_a_policy_has_a_most_of_members() -> None:
    assert problems(granting(*(f"user:u{n}@example.com" for n in range(1500)))) == {}
    assert "1501 members" in problems(granting(*(f"user:u{n}@example.com" for n in range(1501))))["policy.bindings"]


def test_a_tidy_policy_has_one_binding_for_each_role_and_each_member_once() -> None:
    made = [
        {"role": "b", "members": ["x", "y", "x"]},
        {"role": "a", "members": []},
        {"role": "c"},
        {"role": "b", "members": ["y", "z"]},
    ]
    assert policy.tidy(made) == [{"role": "b", "members": ["x", "y", "z"]}]


@given(st.lists(st.fixed_dictionaries({"role": st.sampled_from("abc"), "members": st.lists(st.sampled_from("xyz"))})))
def test_tidying_grants_the_same_and_twice_is_once(bindings: list[dict[str, Any]]) -> None:
    def grants(some: list[dict[str, Any]]) -> set[tuple[str, str]]:
        return {(b["role"], m) for b in some for m in b["members"]}

    tidy = policy.tidy(bindings)
    assert grants(tidy) == grants(bindings)
    assert policy.tidy(tidy) == tidy


def test_nobody_but_the_owner_calls_a_service_without_a_policy() -> None:
    made = policy.invokers({"etag": "ACAB"})
    assert (made.public, made.known, made.domains) == (False, False, frozenset())
    assert made.subjects == {identity.subject_of(identity.OWNER)}


def test_whom_a_policy_lets_in() -> None:
    made = policy.invokers(granting("user:Ann@Example.com", "domain:Example.COM", "group:g@example.com"))
    assert identity.subject_of("ann@example.com") in made.subjects
    assert identity.subject_of("g@example.com") not in made.subjects
    assert made.domains == {"example.com"}
    assert policy.invokers(granting("allUsers")).public
    assert policy.invokers(granting("allAuthenticatedUsers")).known
    assert policy.invokers(granting("allUsers", role="roles/owner")).public


@pytest.mark.parametrize(
    "role", ["roles/run.viewer", "roles/run.developer", "roles/run.jobsExecutor", "roles/nonsense"]
)
def test_roles_without_the_permission_let_nobody_in(role: str) -> None:
    assert not policy.invokers(granting("allUsers", role=role)).public


def test_groups_and_principals_are_pointed_out() -> None:
    made = granting("group:g@example.com", "user:a@example.com", "principal://x/y")
    assert policy.unresolvable(made["bindings"]) == ["group:g@example.com", "principal://x/y"]


@pytest.mark.parametrize(
    ("member", "email", "expected"),
    [
        ("user:Ann@example.com", "ann@example.com", True),
        ("user:ann@example.com", "bob@example.com", False),
        ("domain:example.com", "bob@example.com", True),
        ("domain:p.iam.gserviceaccount.com", "r@p.iam.gserviceaccount.com", False),
        ("serviceAccount:r@p.iam.gserviceaccount.com", "r@p.iam.gserviceaccount.com", True),
        ("allAuthenticatedUsers", "bob@example.com", True),
        ("allUsers", "bob@example.com", True),
        ("group:bob@example.com", "bob@example.com", False),
    ],
)
def test_what_somebody_may(member: str, email: str, expected: bool) -> None:
    assert policy.permits(granting(member), INVOKE, email) is expected


def test_the_owner_may_everything() -> None:
    assert policy.permits({}, "run.services.setIamPolicy", identity.OWNER)
    assert not policy.permits(granting("allUsers"), "run.services.setIamPolicy", "ann@example.com")
    assert set(ROLES) > {"roles/run.invoker", "roles/run.admin"}
