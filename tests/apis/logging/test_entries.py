"""Lines as log entries (contract §1.13)."""

from typing import Any

import pytest

from homerun.apis.logging.entries import entry
from homerun.engine.base import LogLine

PARENT = "projects/p/locations/l"
OF_SERVICE = {"service": f"{PARENT}/services/hello", "revision": f"{PARENT}/services/hello/revisions/hello-1"}
OF_TASK = {
    "job": f"{PARENT}/jobs/work",
    "execution": f"{PARENT}/jobs/work/executions/work-x",
    "task": "3",
    "attempt": "1",
}


OF_WORKER = {
    "worker_pool": f"{PARENT}/workerPools/queue",
    "revision": f"{PARENT}/workerPools/queue/revisions/queue-1",
}


def made(text: str, labels: dict[str, str] = OF_SERVICE, stream: str = "stdout") -> dict[str, Any]:
    found = entry(LogLine(1_700_000_000.25, "0123", stream, text, labels))
    assert found is not None
    return found


def test_a_line_of_a_worker_pool() -> None:
    assert made("hi", OF_WORKER)["resource"] == {
        "type": "cloud_run_worker_pool",
        "labels": {"project_id": "p", "worker_pool_name": "queue", "revision_name": "queue-1", "location": "l"},
    }


def test_a_line_of_a_service() -> None:
    found = made("hi", stream="stderr")
    assert found["logName"] == "projects/p/logs/run.googleapis.com%2Fstderr"
    assert found["resource"] == {
        "type": "cloud_run_revision",
        "labels": {
            "project_id": "p",
            "service_name": "hello",
            "configuration_name": "hello",
            "revision_name": "hello-1",
            "location": "l",
        },
    }
    assert (found["textPayload"], found["severity"]) == ("hi", "DEFAULT")
    assert found["timestamp"] == "2023-11-14T22:13:20.250000Z"
    assert found["labels"] == {"instanceId": "0123"}


def test_a_line_of_a_task() -> None:
    found = made("hi", OF_TASK)
    assert found["resource"] == {
        "type": "cloud_run_job",
        "labels": {"project_id": "p", "job_name": "work", "location": "l"},
    }
    assert found["labels"] == {
        "instanceId": "0123",
        "run.googleapis.com/execution_name": "work-x",
        "run.googleapis.com/task_index": "3",
        "run.googleapis.com/task_attempt": "1",
    }


def test_a_line_of_json_is_structured() -> None:
    found = made(
        '{"severity":"warning","message":"m","n":1,"logging.googleapis.com/trace":"t","time":"2026-01-01T00:00:00Z"}'
    )
    assert found["jsonPayload"] == {"message": "m", "n": 1}
    assert (found["severity"], found["trace"], found["timestamp"]) == ("WARNING", "t", "2026-01-01T00:00:00.000000Z")
    assert "textPayload" not in found


def test_labels_of_a_line_come_to_those_of_its_instance_and_do_not_replace_them() -> None:
    found = made('{"message":"m","logging.googleapis.com/labels":{"user":7,"instanceId":"another"}}')
    assert found["labels"]["user"] == "7"
    assert found["labels"]["instanceId"] != "another"
    assert found["textPayload"] == "m"


def test_labels_that_are_none_stay_what_they_are() -> None:
    assert made('{"message":"m","logging.googleapis.com/labels":3}')["jsonPayload"]["message"] == "m"


def test_a_message_alone_is_text() -> None:
    assert made('{"severity":"ERROR","message":"m"}')["textPayload"] == "m"


def test_a_request_has_no_payload_but_its_http_request() -> None:
    found = made('{"severity":"INFO","httpRequest":{"status":200}}', stream="requests")
    assert found["httpRequest"] == {"status": 200}
    assert "jsonPayload" not in found and "textPayload" not in found


@pytest.mark.parametrize("text", ["{", "{]", "[1]", '"x"', "{" * 10_000, '{"a": 1'])
def test_what_only_looks_like_json_is_text(text: str) -> None:
    assert made(text)["textPayload"] == text


def test_a_severity_or_time_that_is_none_stays_what_it_is() -> None:
    found = made('{"severity":"loud","time":"noon","message":"m"}')
    assert found["jsonPayload"] == {"severity": "loud", "time": "noon", "message": "m"}
    assert found["severity"] == "DEFAULT"


def test_lines_that_belong_to_nobody_are_left_out() -> None:
    assert entry(LogLine(0, "i", "stdout", "x", {})) is None


def test_every_line_has_an_id_of_its_own_that_stays() -> None:
    assert made("a")["insertId"] == made("a")["insertId"] != made("b")["insertId"]
