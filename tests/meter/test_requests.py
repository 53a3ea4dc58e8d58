import json

from homerun.meter.requests import RequestLogs
from homerun.wire.link import RequestLog

REVISION = "projects/p/locations/r/services/s/revisions/v"


def request(at: float, status: int = 200, revision: str = REVISION) -> RequestLog:
    return RequestLog(revision, "abc", at, 0.25, "GET", "http://s/x", status, 100, 200, "curl", "127.0.0.1", "t1")


def test_a_request_reads_as_a_log_line_of_its_service() -> None:
    logs = RequestLogs()
    logs.record(request(10, status=503))
    [line] = logs.lines({"service": "projects/p/locations/r/services/s"})
    fields = json.loads(line.text)
    assert (line.stream, line.time, fields["severity"]) == ("requests", 10, "ERROR")
    assert fields["httpRequest"]["latency"] == "0.250000000s"
    assert fields["httpRequest"]["status"] == 503


def test_time_and_labels_select_and_the_limit_keeps_the_last() -> None:
    logs = RequestLogs()
    for at in range(1, 6):
        logs.record(request(at))
    logs.record(request(9, revision=REVISION + "2"))
    wanted = {"revision": REVISION}
    assert [line.time for line in logs.lines(wanted, since=2, until=4)] == [3, 4]
    assert [line.time for line in logs.lines(wanted, limit=2)] == [4, 5]


def test_only_the_newest_are_kept() -> None:
    logs = RequestLogs(kept=2)
    for at in range(1, 6):
        logs.record(request(at))
    assert [line.time for line in logs.lines({})] == [4, 5]


def test_why_it_was_refused_is_the_message() -> None:
    logs = RequestLogs()
    refused = RequestLog(REVISION, "", 1, 0, "GET", "http://s/x", 403, 0, 0, "curl", "127.0.0.1", "", "No token.")
    logs.record(refused)
    [line] = logs.lines({})
    fields = json.loads(line.text)
    assert (fields["message"], fields["severity"]) == ("No token.", "WARNING")
    assert "logging.googleapis.com/trace" not in fields
