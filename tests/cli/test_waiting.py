from itertools import islice

import pytest

from homerun.cli import waiting
from homerun.cli.errors import ApiError
from tests.support.fake_api import FakeApi

WAIT = "/v2/o/1:wait"


def test_an_operation_is_waited_for_and_its_response_given(api: FakeApi) -> None:
    api.on("POST", WAIT, {"name": "o/1"}, {"name": "o/1", "done": True, "response": {"a": 1}})
    watched: list[int] = []
    response = waiting.finish(api.client("h:1"), {"name": "o/1"}, lambda: watched.append(1))
    assert (response, len(watched)) == ({"a": 1}, 2)
    assert api.sent("POST", WAIT) == [{"timeout": "0.2s"}] * 2


def test_an_operation_that_is_over_is_not_asked_for(api: FakeApi) -> None:
    assert waiting.finish(api.client("h:1"), {"name": "o/1", "done": True}, lambda: None) == {}
    assert api.asked == []


def test_an_operation_that_failed_is_an_error(api: FakeApi) -> None:
    with pytest.raises(ApiError, match="it broke"):
        waiting.finish(api.client("h:1"), {"done": True, "error": {"code": 9, "message": "it broke"}}, lambda: None)


def test_the_first_tick_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(waiting.time, "sleep", slept.append)
    list(islice(waiting.ticks(2), 3))
    assert slept == [2, 2]
