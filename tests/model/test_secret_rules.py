"""Each rule of secrets, once kept and once broken."""

from typing import Any

import pytest

from homerun.model.rules import check
from homerun.model.secret_rules import SECRET, SECRET_ID


def broken(**secret: Any) -> set[str]:
    return {violation.field for violation in check(secret, SECRET)}


@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"labels": {"app": "shop", "größe": "groß", "x_1-y": ""}},
        {"annotations": {"Owner.of/it_1": "anybody at all", "x": ""}},
        {"versionAliases": {"prod": "1", "A-b_2": "2"}},
        {"ttl": "60s"},
        {"expireTime": "2101-01-01T00:00:00Z"},
        {"replication": {"automatic": {}}},
        {"replication": {"userManaged": {"replicas": [{"location": "r"}]}}},
        {"secretType": "", "topics": [], "rotation": {}},
    ],
)
def test_good_ones(secret: dict[str, Any]) -> None:
    assert broken(**secret) == set()


@pytest.mark.parametrize(
    ("secret", "field"),
    [
        ({"labels": {"App": "x"}}, "labels[App]"),
        ({"labels": {"1a": "x"}}, "labels[1a]"),
        ({"labels": {"a": "no spaces"}}, "labels[a]"),
        ({"labels": {f"l{number}": "" for number in range(65)}}, "labels"),
        ({"annotations": {"-a": ""}}, "annotations[-a]"),
        ({"annotations": {"a": "x" * 16384}}, "annotations"),
        ({"versionAliases": {"latest": "1"}}, "versionAliases[latest]"),
        ({"versionAliases": {f"a{number}": "1" for number in range(51)}}, "versionAliases"),
        ({"ttl": "59s"}, "ttl"),
        ({"ttl": "60s", "expireTime": "2101-01-01T00:00:00Z"}, "ttl"),
        ({"replication": {}}, "replication"),
        ({"replication": {"userManaged": {}}}, "replication.userManaged.replicas"),
        ({"versionDestroyTtl": "86400s"}, "versionDestroyTtl"),
        ({"secretType": "OTHER"}, "secretType"),
        ({"tags": {"1/a": "b"}}, "tags"),
    ],
)
def test_bad_ones(secret: dict[str, Any], field: str) -> None:
    assert broken(**secret) == {field}


@pytest.mark.parametrize(("id", "good"), [("db", True), ("A_b-1" * 51, True), ("a" * 256, False), ("a.b", False)])
def test_ids(id: str, good: bool) -> None:
    assert (SECRET_ID.complaint(id) is None) == good
