"""Requests to calls, and what a request gets that is none."""

import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from homerun.apis.failure import on_homerun_error
from homerun.apis.rest import Call, RestApp
from homerun.lib.errors import HomerunError, Invalid
from homerun.model.limits import REQUEST_BODY
from homerun.wire.discovery import Method
from tests.support.asgi import Answer, call

CREATE = "run.projects.locations.services.create"
PATH = "/v2/projects/p/locations/l/services"


async def echo(call: Call) -> Any:
    return {
        "id": call.method.id,
        "variables": call.variables,
        "query": call.query,
        "body": call.body,
        "host": call.host,
    }


async def ask(method: str, path: str, body: bytes = b"") -> Answer:
    rest = RestApp()
    rest.mount("run.v2", {CREATE: echo})
    app = Starlette(routes=[Mount("/", app=rest)], exception_handlers={HomerunError: on_homerun_error})
    return await call(app, method, f"http://LocalHost{path}", body)


async def test_a_request_becomes_a_call() -> None:
    answer = await ask("POST", f"{PATH}?serviceId=hello&alt=json", b'{"a": 1}')
    assert answer.json() == {
        "id": CREATE,
        "variables": {"projectsId": "p", "locationsId": "l"},
        "query": {"serviceId": "hello", "alt": "json"},
        "body": {"a": 1},
        "host": "localhost",
    }
    assert answer.headers["content-type"] == "application/json"


async def test_parameters_have_their_published_names_or_snake_case() -> None:
    answer = await ask("POST", f"{PATH}?service_id=hello&$alt=json;enum-encoding=int&upload_protocol=x")
    assert answer.json()["query"]["serviceId"] == "hello"


async def test_a_misspelt_parameter_is_refused_before_anything_happens() -> None:
    answer = await ask("POST", f"{PATH}?serviceId=hello&validateonly=true&typo=1")
    assert answer.status == 400
    [detail] = [d for d in answer.json()["error"]["details"] if d["@type"].endswith("BadRequest")]
    assert [violation["field"] for violation in detail["fieldViolations"]] == ["validateonly", "typo"]


async def test_no_body_is_an_empty_one() -> None:
    assert (await ask("POST", PATH, b" \n")).json()["body"] == {}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"'x'"])
async def test_what_is_no_json_is_refused(body: bytes) -> None:
    answer = await ask("POST", PATH, body)
    assert answer.status == 400
    assert "no valid JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"\\udfff": 1}', b'"\xed\xa0\x80"'])
async def test_half_a_character_is_refused(body: bytes) -> None:
    assert (await ask("POST", PATH, body)).status == 400


async def test_a_character_in_two_escapes_is_whole() -> None:
    assert (await ask("POST", PATH, b'{"a": "\\ud83e\\udd8a"}')).json()["body"] == {"a": "🦊"}


async def test_a_body_has_a_limit() -> None:
    assert (await ask("POST", PATH, json.dumps("x" * REQUEST_BODY).encode())).status == 413


async def test_a_method_without_a_handler_says_so() -> None:
    answer = await ask("GET", f"{PATH}/hello")
    assert answer.status == 501
    assert "run.projects.locations.services.get: not implemented yet" in answer.json()["error"]["message"]


async def test_a_path_that_does_not_exist_is_not_found_in_google_s_format() -> None:
    answer = await ask("GET", "/v2/nothing/here")
    assert answer.status == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"


async def test_the_wrong_http_method_is_told_the_right_ones() -> None:
    answer = await ask("PUT", PATH)
    assert answer.status == 404
    assert "takes GET, POST, not PUT" in answer.json()["error"]["message"]


def test_a_handler_for_no_method_is_a_bug() -> None:
    with pytest.raises(ValueError, match=r"run\.v2 has no methods run\.nothing"):
        RestApp().mount("run.v2", {"run.nothing": echo})


@pytest.mark.parametrize(
    ("text", "value"), [("", False), ("true", True), ("True", True), ("1", True), ("false", False)]
)
def test_boolean_parameters(text: str, value: bool) -> None:
    assert Call(Method("", "", "", ""), {}, {"flag": text}).flag("flag") is value


def test_other_values_of_boolean_parameters_are_refused() -> None:
    with pytest.raises(Invalid) as caught:
        Call(Method("", "", "", ""), {}, {"flag": "maybe"}).flag("flag")
    assert caught.value.violations[0].field == "flag"
