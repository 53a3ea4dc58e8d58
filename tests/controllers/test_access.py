from __future__ import annotations

from typing import Any

import pytest

from homerun.controllers.access import granted, guarded
from homerun.model.identity import ANY_SERVICE, OWNER, subject_of
from homerun.model.urls import Addresses
from homerun.wire.link import Access, RouteSet, Target

URL = "http://hello-1.r.run.localhost:8080"
PLAIN = Addresses("run.localhost", 8080)
ROUTE = RouteSet("s", ["hello-1.r.run.localhost"], [Target("r", 100)])


def policy(*members: str, role: str = "roles/run.invoker") -> dict[str, Any]:
    return {"bindings": [{"role": role, "members": list(members)}]}


def access(service: dict[str, Any], policy: dict[str, Any], addresses: Addresses = PLAIN) -> Access | None:
    return granted(guarded(ROUTE, service, addresses), policy).access


def service(**more: Any) -> dict[str, Any]:
    return {"uri": URL, "urls": [URL], **more}


def test_without_a_policy_only_the_owner_calls_it() -> None:
    made = access(service(), {})
    assert made is not None
    assert (made.audiences, made.subjects, made.known) == ([URL, ANY_SERVICE], [subject_of(OWNER)], False)


@pytest.mark.parametrize("role", ["roles/run.invoker", "roles/run.servicesInvoker", "roles/run.admin", "roles/owner"])
def test_it_is_public_when_all_users_have_a_role_with_the_permission(role: str) -> None:
    assert access(service(), policy("allUsers", role=role)) is None


def test_or_when_the_check_is_switched_off() -> None:
    assert access(service(invokerIamDisabled=True), {}) is None
    assert access(service(invokerIamDisabled=False), {}) is not None


def test_a_token_may_be_for_every_url_and_custom_audience() -> None:
    statuses = [{"revision": "a", "percent": 100}, {"revision": "a", "tag": "t", "uri": "http://t---x:8080"}]
    made = access(service(customAudiences=["mine", URL], trafficStatuses=statuses), policy("allAuthenticatedUsers"))
    assert made is not None and made.known
    assert made.audiences == [URL, "http://t---x:8080", "mine", ANY_SERVICE]


def test_a_token_for_the_plain_url_is_one_for_the_secure_one() -> None:
    both = Addresses("run.localhost", 8443, "https", 8080)
    secure = "https://hello-1.r.run.localhost:8443"
    made = access({"uri": secure, "urls": [secure]}, {}, both)
    assert made is not None and made.audiences == [secure, URL, ANY_SERVICE]
    old = access(service(), {}, both)
    assert old is not None and old.audiences == [URL, secure, ANY_SERVICE]


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        ("INGRESS_TRAFFIC_ALL", "all"),
        ("INGRESS_TRAFFIC_INTERNAL_ONLY", "internal"),
        ("INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "internal"),
        ("INGRESS_TRAFFIC_NONE", "none"),
    ],
)
def test_ingress_says_from_where_it_is_called(ingress: str, expected: str) -> None:
    made = granted(guarded(ROUTE, service(ingress=ingress), PLAIN), policy("allUsers"))
    assert (made.ingress, made.access, made.hosts, made.targets) == (expected, None, ROUTE.hosts, ROUTE.targets)


def test_a_service_without_a_url_of_its_own_has_its_custom_audiences() -> None:
    made = access({"defaultUriDisabled": True, "customAudiences": ["mine"]}, {})
    assert made is not None and made.audiences == ["mine", ANY_SERVICE]


def test_until_a_policy_is_known_nobody_gets_in() -> None:
    made = guarded(ROUTE, service(), PLAIN)
    assert made.access == Access([URL, ANY_SERVICE], [], [], False)
