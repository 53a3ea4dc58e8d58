from __future__ import annotations

from typing import Any

import pytest

from homerun.cli.access import INVOKER, open_to_all, with_member, without_member
from homerun.cli.errors import ApiError
from homerun.cli.session import Session
from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

URL = "/v2/projects/p/locations/r/services/hello"
ANN = {"role": INVOKER, "members": ["user:ann@example.com"]}
EVERYBODY = {"role": INVOKER, "members": ["allUsers"]}


def has(api: FakeApi, *bindings: Any) -> None:
    api.on("GET", f"{URL}:getIamPolicy", {"etag": "1", **({"bindings": list(bindings)} if bindings else {})})
    api.on("POST", f"{URL}:setIamPolicy", {})


def sent(api: FakeApi) -> list[Any]:
    return [body["policy"] for body in api.sent("POST", f"{URL}:setIamPolicy")]


def test_somebody_is_added_once_and_others_stay() -> None:
    made = with_member({"etag": "e", "bindings": [ANN]}, "allUsers", INVOKER)
    assert made == {"etag": "e", "bindings": [ANN, EVERYBODY]}
    assert with_member(made, "allUsers", INVOKER) is made
    assert with_member({"etag": "e"}, "allUsers", INVOKER) == {"etag": "e", "bindings": [EVERYBODY]}


def test_somebody_is_taken_out_of_one_role_or_of_all() -> None:
    policy = {"etag": "e", "bindings": [{"role": "roles/run.admin", "members": ["allUsers", "x"]}, EVERYBODY]}
    left = [b["members"] for b in without_member(policy, "allUsers", INVOKER)["bindings"]]
    assert left == [["allUsers", "x"], []]
    left = [b["members"] for b in without_member(policy, "allUsers", None)["bindings"]]
    assert left == [["x"], []]
    assert without_member(policy, "nobody", None) is policy


def test_a_change_in_between_is_taken_in(api: FakeApi) -> None:
    api.on("GET", f"{URL}:getIamPolicy", {"etag": "1"}, {"etag": "2", "bindings": [ANN]})
    api.on("POST", f"{URL}:setIamPolicy", ApiError("changed", 409, "ABORTED"), {})
    open_to_all(Session("h:1", "p", "r", "table"), "hello", True)
    assert sent(api)[1] == {"etag": "2", "bindings": [ANN, EVERYBODY]}


def test_another_failure_is_told(api: FakeApi) -> None:
    has(api)
    api.on("POST", f"{URL}:setIamPolicy", ApiError("no", 403, "PERMISSION_DENIED"))
    with pytest.raises(ApiError):
        open_to_all(Session("h:1", "p", "r", "table"), "hello", True)
    assert len(sent(api)) == 1


def test_a_binding_is_added_shown_and_removed(homerun: Invoke, api: FakeApi) -> None:
    has(api)
    assert homerun("services", "add-iam-policy-binding", "hello", "--member", "user:ann@example.com").exit_code == 0
    assert sent(api) == [{"etag": "1", "bindings": [ANN]}]
    has(api, ANN)
    shown = homerun("services", "get-iam-policy", "hello").stdout
    assert "roles/run.invoker" in shown and "user:ann@example.com" in shown
    assert homerun("services", "remove-iam-policy-binding", "hello", "--member", "user:ann@example.com").exit_code == 0
    assert sent(api)[-1] == {"etag": "1", "bindings": [{**ANN, "members": []}]}


def test_what_was_never_granted_cannot_be_taken_back(homerun: Invoke, api: FakeApi) -> None:
    has(api, ANN)
    result = homerun("services", "remove-iam-policy-binding", "hello", "--member", "allUsers")
    assert (result.exit_code, "allUsers has no roles/run.invoker on hello" in result.stderr) == (1, True)
    assert sent(api) == []
