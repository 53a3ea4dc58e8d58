import json
from collections.abc import Mapping
from typing import Any

import msgspec

from homerun.engine.base import Address, LogLine, Ready
from homerun.meter.cold_starts import ColdStarts
from homerun.meter.requests import RequestLogs, log_line
from homerun.wire.link import RequestLog

TRACE = b"9bbf0c0e0c9d4f0b8c0a3a1d5c1f7e21"
REVISION = "projects/p/locations/r/services/s/revisions/v"


def request(at: float, status: int = 200, revision: str = REVISION) -> RequestLog:
    return RequestLog(revision, "abc", at, 0.25, b"GET", b"http://s/x", status, 100, 200, b"curl", "127.0.0.1", TRACE)


def lines(logs: RequestLogs, wanted: Mapping[str, str], **bounds: Any) -> list[LogLine]:
    return [log_line(record) for record in logs.matching(wanted, **bounds)]


def test_a_request_reads_as_a_log_line_of_its_service() -> None:
    logs = RequestLogs()
    logs.record(request(10, status=503))
    [line] = lines(logs, {"service": "projects/p/locations/r/services/s"})
    fields = json.loads(line.text)
    assert (line.stream, line.time, fields["severity"]) == ("requests", 10, "ERROR")
    assert fields["httpRequest"] == {
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
    assert fields["logging.googleapis.com/trace"] == f"projects/p/traces/{TRACE.decode()}"
    assert fields["logging.googleapis.com/spanId"] == "1bbf0c0e0c9d4f0b"
    assert fields["logging.googleapis.com/trace_sampled"] is False


def test_time_and_labels_select_and_the_limit_keeps_the_last() -> None:
    logs = RequestLogs()
    for at in range(1, 6):
        logs.record(request(at))
    logs.record(request(9, revision=REVISION + "2"))
    wanted = {"revision": REVISION}
    assert [line.time for line in lines(logs, wanted, since=2, until=4)] == [3, 4]
    assert [line.time for line in lines(logs, wanted, limit=2)] == [4, 5]
    assert not lines(logs, {"service": "projects/p/locations/r/services/another"})
    assert not lines(logs, {"job": "projects/p/locations/r/jobs/j"})
    assert len(lines(logs, {"instance": "abc"})) == 6


def test_only_the_newest_are_kept() -> None:
    logs = RequestLogs(kept=2)
    for at in range(1, 6):
        logs.record(request(at))
    assert [line.time for line in lines(logs, {})] == [4, 5]


def test_why_it_was_refused_is_the_message() -> None:
    logs = RequestLogs()
    refused = RequestLog(REVISION, "", 1, 0, b"GET", b"http://s/x", 403, 0, 0, b"curl", "127.0.0.1", b"", "No token.")
    logs.record(refused)
    [line] = lines(logs, {})
    fields = json.loads(line.text)
    assert (fields["message"], fields["severity"]) == ("No token.", "WARNING")
    assert "logging.googleapis.com/trace" not in fields


def test_one_that_waited_for_an_instance_says_what_its_start_took() -> None:
    logs = RequestLogs()
    phases = {"mount": 0.0007, "create": 0.0178}
    start = ColdStarts().ready(REVISION, Ready("abc", Address("10.0.0.2", 8080), 10.02, phases))
    logs.record(msgspec.structs.replace(request(10), waited=0.0234), start, delayed=True)
    logs.record(request(11), start)
    cold, warm = (json.loads(line.text) for line in lines(logs, {}))
    assert cold["logging.googleapis.com/labels"] == {"coldStart": "mount=0.7 create=17.8 request=23.4"}
    assert "logging.googleapis.com/labels" not in warm
    assert cold["httpRequest"]["serverIp"] == warm["httpRequest"]["serverIp"] == "10.0.0.2"


def test_a_trace_of_the_client_is_told_with_its_span_and_whether_it_is_sampled() -> None:
    logs = RequestLogs()
    logs.record(msgspec.structs.replace(request(10), trace=TRACE + b"/00f067aa0ba902b7;o=1", protocol="HTTP/2"))
    fields = json.loads(lines(logs, {})[0].text)
    assert fields["logging.googleapis.com/spanId"] == "00f067aa0ba902b7"
    assert fields["logging.googleapis.com/trace_sampled"] is True
    assert fields["httpRequest"]["protocol"] == "HTTP/2"
