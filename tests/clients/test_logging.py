"""Google's own Python clients for Cloud Logging, unmodified: entries written, read, followed, deleted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import logging
from google.cloud.logging_v2._gapic import _LoggingAPI
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.types import LogEntry, TailLogEntriesRequest

from tests.support.server import Server

pytestmark = pytest.mark.sockets

PROJECT = "projects/homerun"
JOB = {"type": "cloud_run_job", "labels": {"job_name": "work", "location": "us-central1"}}


@pytest.fixture(params=["rest", "grpc"])
def client(request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The library that programs use."""
    # Else it writes an entry about itself beside the first one.
    monkeypatch.setattr("google.cloud.logging_v2._instrumentation_emitted", True)
    with grpc.insecure_channel(server.address) as channel:
        made = logging.Client(
            project="homerun",
            credentials=AnonymousCredentials(),
            _use_grpc=request.param == "grpc",
            client_options={"api_endpoint": server.url},
        )
        if request.param == "grpc":
            # The library has no way of its own to speak gRPC without TLS.
            transport = LoggingServiceV2Client.get_transport_class("grpc")(channel=channel)
            made._logging_api = _LoggingAPI(LoggingServiceV2Client(transport=transport), made)
        yield made


@pytest.fixture
def rpc(server: Server) -> Iterator[LoggingServiceV2Client]:
    with grpc.insecure_channel(server.address) as channel:
        yield LoggingServiceV2Client(transport=LoggingServiceV2Client.get_transport_class("grpc")(channel=channel))


def test_what_is_written_is_read(client: Any, fresh: Callable[[str], str]) -> None:
    logger = client.logger(fresh("mine"))
    logger.log_text("text", severity="WARNING", labels={"a": "b"})
    logger.log_struct({"message": "struct", "n": 7, "deep": {"list": [1, None, "x"]}}, insert_id="own")
    logger.log_text("request", http_request={"requestMethod": "GET", "status": 200}, trace=f"{PROJECT}/traces/t")
    text, struct, request = list(logger.list_entries())
    assert (text.payload, text.severity, text.labels) == ("text", "WARNING", {"a": "b"})
    assert struct.payload == {"message": "struct", "n": 7, "deep": {"list": [1, None, "x"]}}
    assert struct.insert_id == "own"
    assert (request.http_request["status"], request.trace) == (200, f"{PROJECT}/traces/t")
    assert abs((datetime.now(UTC) - text.timestamp).total_seconds()) < 3600
    assert [entry.payload for entry in logger.list_entries(filter_="severity>=WARNING")] == ["text"]
    assert [entry.insert_id for entry in logger.list_entries(order_by=logging.DESCENDING)][1] == "own"
    assert len(list(logger.list_entries(page_size=1))) == 3
    logger.delete()
    assert list(logger.list_entries()) == []
    with pytest.raises(NotFound):
        logger.delete()


def test_a_batch_is_written_together(client: Any, fresh: Callable[[str], str]) -> None:
    logger = client.logger(fresh("batch"))
    with logger.batch() as batch:
        for number in range(20):
            batch.log_text(str(number), resource=logging.Resource(**JOB))
    found = list(logger.list_entries())
    assert [entry.payload for entry in found] == [str(number) for number in range(20)]
    assert found[0].resource.labels["job_name"] == "work"


def test_logs_and_resources_are_listed(rpc: LoggingServiceV2Client, fresh: Callable[[str], str]) -> None:
    name = f"{PROJECT}/logs/{fresh('listed')}"
    rpc.write_log_entries(entries=[LogEntry(log_name=name, text_payload="x")])
    assert name in list(rpc.list_logs(parent=PROJECT))
    rpc.delete_log(log_name=name)
    assert name not in list(rpc.list_logs(parent=PROJECT))
    assert {each.type for each in rpc.list_monitored_resource_descriptors({})} >= {"cloud_run_revision"}


def test_a_tail_has_what_comes_from_its_beginning_on(rpc: LoggingServiceV2Client, fresh: Callable[[str], str]) -> None:
    name, asked = f"{PROJECT}/logs/{fresh('tail')}", queue.SimpleQueue[TailLogEntriesRequest | None]()
    asked.put(TailLogEntriesRequest(resource_names=[PROJECT], filter=f'logName="{name}" AND severity>=ERROR'))
    found: list[str] = []
    enough = threading.Event()
    stream = rpc.tail_log_entries(iter(asked.get, None), timeout=60)

    def collect() -> None:
        for answer in stream:
            found.extend(entry.text_payload for entry in answer.entries)
            if "last" in found:
                enough.set()
                return

    collecting = threading.Thread(target=collect)
    collecting.start()
    for number in range(1000):
        severity = "ERROR" if number % 2 else "INFO"
        rpc.write_log_entries(entries=[LogEntry(log_name=name, text_payload=str(number), severity=severity)])
        if found:
            break
        enough.wait(0.05)
    rpc.write_log_entries(entries=[LogEntry(log_name=name, text_payload="last", severity="ERROR")])
    assert enough.wait(30)
    numbers = [int(text) for text in found[:-1]]
    assert numbers == list(range(numbers[0], numbers[-1] + 1, 2)) and numbers[0] % 2 == 1
    asked.put(None)
    stream.cancel()
    collecting.join(10)


def test_a_tail_of_nothing_is_refused(rpc: LoggingServiceV2Client) -> None:
    for request in (TailLogEntriesRequest(), TailLogEntriesRequest(resource_names=[PROJECT], filter="a =")):
        with pytest.raises(InvalidArgument):
            list(rpc.tail_log_entries(iter([request]), timeout=30))
