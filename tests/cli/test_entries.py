from typing import Any

import click
import pytest

from homerun.cli.entries import lines, read, source_of, text_of
from tests.support.fake_api import FakeApi

LIST = "/v2/entries:list"


def entry(n: int) -> dict[str, Any]:
    return {"textPayload": str(n)}


def test_the_last_entries_come_oldest_first_over_pages(api: FakeApi) -> None:
    api.on("POST", LIST, {"entries": [entry(5), entry(4)], "nextPageToken": "t"}, {"entries": [entry(3), entry(2)]})
    assert [e["textPayload"] for e in read(api.client("h:1"), "p", "f", 3)] == ["3", "4", "5"]
    first, second = api.sent("POST", LIST)
    assert first == {"resourceNames": ["projects/p"], "filter": "f", "orderBy": "timestamp desc", "pageSize": 3}
    assert (second["pageToken"], second["pageSize"]) == ("t", 1)


@pytest.mark.parametrize(
    "given,text",
    [
        ({"textPayload": "hello"}, "hello"),
        ({"jsonPayload": {"message": "hello"}}, "hello"),
        ({"jsonPayload": {"message": "ü", "a": 1}}, '{"message": "ü", "a": 1}'),
        (
            {"httpRequest": {"requestMethod": "GET", "status": 200, "latency": "0.0034s", "requestUrl": "http://x/"}},
            "GET 200 3 ms http://x/",
        ),
        (
            {"httpRequest": {"requestMethod": "GET", "status": 429}, "textPayload": "There was no instance."},
            "GET 429 0 ms   There was no instance.",
        ),
        (
            {"httpRequest": {"requestMethod": "GET", "status": 200}, "labels": {"coldStart": "create=17.8"}},
            "GET 200 0 ms   cold start: create=17.8",
        ),
        ({"protoPayload": {"a": 1}}, '{"a": 1}'),
    ],
)
def test_what_an_entry_says(given: dict[str, Any], text: str) -> None:
    assert text_of(given) == text


def test_where_an_entry_comes_from() -> None:
    log = {"logName": "projects/p/logs/run.googleapis.com%2Fstderr"}
    assert source_of(log) == "stderr"
    labels = {"run.googleapis.com/task_index": "3", "run.googleapis.com/task_attempt": "1"}
    assert source_of({**log, "labels": labels}) == "stderr task 3 attempt 1"


def test_a_line_has_time_source_and_text() -> None:
    given = {"timestamp": "2024-11-24T11:00:00.123456Z", "logName": "x%2Fstdout", "textPayload": "hi"}
    assert shown(given) == "11:00:00.123 stdout   hi"
    assert shown({**given, "severity": "INFO"}) == "11:00:00.123 stdout   hi"


def test_what_is_severe_is_named_and_a_stack_trace_is_below_its_first_line() -> None:
    given = {"timestamp": "2024-11-24T11:00:00Z", "logName": "x%2Fstderr", "severity": "ERROR"}
    assert shown({**given, "textPayload": "Error: x\n  at y"}) == "11:00:00 stderr   ERROR Error: x\n      at y"
    assert shown({**given, "httpRequest": {"requestMethod": "GET", "status": 500}}).endswith(" GET 500 0 ms ")
    [line] = lines([{**given, "textPayload": "x"}])
    assert click.style("ERROR x", fg="red") in line


def shown(entry: dict[str, Any]) -> str:
    [line] = lines([entry])
    return click.unstyle(line)
