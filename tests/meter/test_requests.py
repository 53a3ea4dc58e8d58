import json
from typing import Any

import msgspec

from homerun.engine.base import Address, Ready
from homerun.meter.cold_starts import ColdStart, ColdStarts
from homerun.meter.requests import request_row
from homerun.store.log_base import Found
from homerun.wire.link import RequestLog

TRACE = b"9bbf0c0e0c9d4f0b8c0a3a1d5c1f7e21"
REVISION = "projects/p/locations/r/services/s/revisions/v"


def request(at: float, status: int = 200) -> RequestLog:
    return RequestLog(REVISION, "abc", at, 0.25, b"GET", b"http://s/x", status, 100, 200, b"curl", "127.0.0.1", TRACE)


def entry(request: RequestLog, start: ColdStart | None = None, *, delayed: bool = False) -> Any:
    project, row = request_row(request, start, delayed=delayed)
    return Found(row.time, 1, *row[1:]).entry(project)


def test_a_request_reads_as_an_entry_of_its_service() -> None:
    made = entry(request(10, status=503))
    assert (made["logName"], made["severity"]) == ("projects/p/logs/run.googleapis.com%2Frequests", "ERROR")
    assert made["timestamp"] == "1970-01-01T00:00:10.000000Z"
    assert made["resource"]["type"] == "cloud_run_revision"
    assert made["resource"]["labels"]["service_name"] == "s"
    assert made["labels"] == {"instanceId": "abc"}
    assert made["httpRequest"] == {
        "requestMethod": "GET",
        "requestUrl": "http://s/x",
        "requestSize": "100",
        "status": 503,
        "responseSize": "200",
        "userAgent": "curl",
        "remoteIp": "127.0.0.1",
        "latency": "0.250000000s",
        "protocol": "HTTP/1.1",
    }
    assert made["trace"] == f"projects/p/traces/{TRACE.decode()}"
    assert (made["spanId"], made["traceSampled"]) == ("1bbf0c0e0c9d4f0b", False)
    assert "textPayload" not in made and "jsonPayload" not in made


def test_severity_is_by_status() -> None:
    assert [entry(request(1, status))["severity"] for status in (200, 302, 404, 500)] == [
        "INFO",
        "INFO",
        "WARNING",
        "ERROR",
    ]


def test_why_it_was_refused_is_the_text() -> None:
    refused = RequestLog(REVISION, "", 1, 0, b"GET", b"http://s/x", 403, 0, 0, b"curl", "127.0.0.1", b"", "No token.")
    made = entry(refused)
    assert made["textPayload"] == "No token."
    assert made["labels"] == {}
    assert "trace" not in made


def test_a_request_that_waited_for_a_start_tells_its_phases() -> None:
    ready = Ready("abc", Address("10.0.0.2", 80), 9.9, {"mount": 0.0007, "create": 0.0178})
    start = ColdStarts().ready(REVISION, ready)
    cold = entry(msgspec.structs.replace(request(10), waited=0.0234), start, delayed=True)
    warm = entry(request(11), start)
    assert cold["labels"] == {"coldStart": "mount=0.7 create=17.8 request=23.4", "instanceId": "abc"}
    assert "coldStart" not in warm["labels"]
    assert cold["httpRequest"]["serverIp"] == warm["httpRequest"]["serverIp"] == "10.0.0.2"


def test_a_trace_of_the_client_is_told_with_its_span_and_whether_it_is_sampled() -> None:
    made = entry(msgspec.structs.replace(request(10), trace=TRACE + b"/00f067aa0ba902b7;o=1", protocol="HTTP/2"))
    assert (made["spanId"], made["traceSampled"]) == ("00f067aa0ba902b7", True)
    assert json.loads(json.dumps(made))["httpRequest"]["protocol"] == "HTTP/2"
