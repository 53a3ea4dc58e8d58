"""Lines as log entries (contract §1.13)."""

import json
from typing import Any

import pytest

from homerun.engine.output import OutputLine
from homerun.meter.log_rows import LARGEST, lost_row, origin, output_row
from homerun.model.labels import owner as owner_of
from homerun.store.log_base import Found

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


def made(*texts: str, labels: dict[str, str] = OF_SERVICE, stream: str = "stdout", container: str = "") -> Any:
    owner = owner_of(labels)
    assert owner is not None
    lines = [OutputLine(1_700_000_000.25 + n, stream, text, "") for n, text in enumerate(texts)]
    row = output_row(origin(stream, owner, labels, "0123", container), lines)
    return Found(row.time, 7, *row[1:]).entry(owner.project)


def test_a_line_of_a_worker_pool() -> None:
    assert made("hi", labels=OF_WORKER)["resource"] == {
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
    assert found["timestamp"] == found["receiveTimestamp"] == "2023-11-14T22:13:20.250000Z"
    assert found["labels"] == {"instanceId": "0123"}
    assert found["insertId"] == "0000000000000007"


def test_a_line_of_a_task() -> None:
    found = made("hi", labels=OF_TASK)
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


def test_a_line_of_one_of_several_containers() -> None:
    assert made("hi", container="proxy")["labels"]["container_name"] == "proxy"


def test_a_line_of_json_is_structured() -> None:
    line = {"severity": "warning", "message": "m", "n": 1, "time": "2026-01-01T00:00:00Z"}
    found = made(json.dumps({**line, "logging.googleapis.com/trace": "t"}))
    assert found["jsonPayload"] == {"message": "m", "n": 1}
    assert (found["severity"], found["trace"]) == ("WARNING", "t")
    assert found["timestamp"] == "2026-01-01T00:00:00.000000Z"
    assert found["receiveTimestamp"] == "2023-11-14T22:13:20.250000Z"
    assert "textPayload" not in found


def test_labels_of_a_line_come_to_those_of_its_instance_and_do_not_replace_them() -> None:
    found = made('{"message":"m","logging.googleapis.com/labels":{"user":7,"instanceId":"another"}}')
    assert found["labels"] == {"user": "7", "instanceId": "0123"}
    assert found["textPayload"] == "m"


def test_an_id_of_its_own_is_kept() -> None:
    assert made('{"message":"m","logging.googleapis.com/insertId":"mine"}')["insertId"] == "mine"


def test_lines_that_belong_together_are_one_text_of_the_first_one_s_time() -> None:
    found = made("Traceback", "  File", "Error: x", "", stream="stderr")
    assert found["textPayload"] == "Traceback\n  File\nError: x"
    assert found["timestamp"] == "2023-11-14T22:13:20.250000Z"
    assert len(made("Error: ", "x" * LARGEST)["textPayload"]) == LARGEST


def test_what_was_lost_is_told() -> None:
    owner = owner_of(OF_SERVICE)
    assert owner is not None
    row = lost_row(owner, OF_SERVICE, "0123", 12, 3)
    assert (row.origin.log, row.severity, row.time) == ("run.googleapis.com/varlog/system", 400, 3_000_000)
    assert row.text is not None and row.text.startswith("12 lines")


@pytest.mark.parametrize("labels", [{}, {"service": ""}])
def test_lines_that_belong_to_nobody(labels: dict[str, str]) -> None:
    assert owner_of(labels) is None
