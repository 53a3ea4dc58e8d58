"""Exceptions as responses."""

import json
import logging

import pytest
from starlette.requests import Request

from homerun.apis.failure import failure_response, on_bug, on_homerun_error
from homerun.lib.errors import Invalid, NotFound

REQUEST = Request(
    {"type": "http", "method": "GET", "path": "/x", "headers": [], "server": ("h", 1), "query_string": b""}
)


async def test_what_homerun_can_explain_keeps_its_status_and_message() -> None:
    response = await on_homerun_error(REQUEST, NotFound("there is no x"))
    assert response.status_code == 404
    assert json.loads(bytes(response.body))["error"]["message"] == "there is no x"


async def test_a_bug_is_logged_and_does_not_leak(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "homerun.apis"):
        response = await on_bug(REQUEST, KeyError("a secret"))
    assert response.status_code == 500
    assert b"secret" not in bytes(response.body)
    assert "GET /x failed" in caplog.text


def test_the_answer_is_json() -> None:
    assert failure_response(Invalid("x")).media_type == "application/json"
