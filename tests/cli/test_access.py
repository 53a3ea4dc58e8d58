from __future__ import annotations

import pytest

from homerun.cli.access import open_to_all, with_all
from homerun.cli.errors import ApiError
from homerun.cli.session import Session
from tests.support.fake_api import FakeApi

URL = "/v2/projects/p/locations/r/services/hello"
ANN = {"role": "roles/run.invoker", "members": ["user:ann@example.com"]}
EVERYBODY = {"role": "roles/run.invoker", "members": ["allUsers"]}


def test_everybody_is_added_once_and_others_stay() -> None:
    made = with_all({"etag": "e", "bindings": [ANN]}, True)
    assert made == {"etag": "e", "bindings": [ANN, EVERYBODY]}
    assert with_all(made, True) == made
    assert with_all({"etag": "e"}, True) == {"etag": "e", "bindings": [EVERYBODY]}


def test_everybody_is_taken_out_of_every_role() -> None:
    bindings = [{"role": "roles/run.admin", "members": ["allUsers", "user:ann@example.com"]}, EVERYBODY]
    made = with_all({"etag": "e", "bindings": bindings}, False)
    assert [b["members"] for b in made["bindings"]] == [["user:ann@example.com"], []]
    assert with_all({"etag": "e"}, False) == {"etag": "e"}


def test_a_change_in_between_is_taken_in(api: FakeApi) -> None:
    api.on("GET", f"{URL}:getIamPolicy", {"etag": "1"}, {"etag": "2", "bindings": [ANN]})
    api.on("POST", f"{URL}:setIamPolicy", ApiError("changed", 409, "ABORTED"), {})
    open_to_all(Session("h:1", "p", "r", "table"), "hello", True)
    assert api.sent("POST", f"{URL}:setIamPolicy")[1] == {"policy": {"etag": "2", "bindings": [ANN, EVERYBODY]}}


def test_another_failure_is_told(api: FakeApi) -> None:
    api.on("GET", f"{URL}:getIamPolicy", {"etag": "1"})
    api.on("POST", f"{URL}:setIamPolicy", ApiError("no", 403, "PERMISSION_DENIED"))
    with pytest.raises(ApiError):
        open_to_all(Session("h:1", "p", "r", "table"), "hello", True)
    assert len(api.sent("POST", f"{URL}:setIamPolicy")) == 1
