"""Google's own Python client for Cloud Scheduler, unmodified, over REST and gRPC."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.api_core.exceptions import AlreadyExists, Conflict, GoogleAPICallError, NotFound
from google.cloud import scheduler_v1
from google.cloud.scheduler_v1 import HttpMethod, HttpTarget, Job, PubsubTarget, RetryConfig
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from tests.clients.conftest import Make
from tests.support.server import Server

pytestmark = pytest.mark.sockets

PARENT = "projects/homerun/locations/us-central1"
Fresh = Callable[[str], str]
Client = scheduler_v1.CloudSchedulerClient


@pytest.fixture
def client(make: Make) -> Client:
    return make(Client)


class Target(ThreadingHTTPServer):
    """A server that remembers how it was called."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, dict[str, str], bytes]] = []
        self.called = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Target

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.came.append((self.command, self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()
        self.server.called.set()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def job(id: str, **fields: object) -> Job:
    given = {"schedule": "0 5 1 1 *", "http_target": HttpTarget(uri="http://127.0.0.1:9/x"), **fields}
    return Job(name=f"{PARENT}/jobs/{id}", **given)


def test_a_job_from_create_to_delete(client: Client, fresh: Fresh) -> None:
    sent = job(fresh("nightly"), time_zone="Europe/Berlin", retry_config=RetryConfig(retry_count=3))
    made = client.create_job(parent=PARENT, job=sent)
    assert (made.name, made.state, made.time_zone) == (sent.name, Job.State.ENABLED, "Europe/Berlin")
    assert (made.schedule_time.month, made.schedule_time.day, made.schedule_time.hour) == (1, 1, 4)
    assert made.http_target.http_method == HttpMethod.POST
    assert made.retry_config.min_backoff_duration.total_seconds() == 5
    assert client.get_job(name=made.name) == made
    with pytest.raises((AlreadyExists, Conflict)):
        client.create_job(parent=PARENT, job=sent)
    assert client.pause_job(name=made.name).state == Job.State.PAUSED
    assert client.resume_job(name=made.name).state == Job.State.ENABLED
    client.delete_job(name=made.name)
    with pytest.raises(NotFound, match="does not exist"):
        client.get_job(name=made.name)


def test_masks(client: Client, fresh: Fresh) -> None:
    made = client.create_job(parent=PARENT, job=job(fresh("nightly"), description="at night"))
    made.schedule, made.http_target.http_method = "every monday 09:00", HttpMethod.GET
    made.attempt_deadline = Duration(seconds=20)
    mask = FieldMask(paths=["schedule", "http_target.http_method", "attempt_deadline", "description"])
    made.description = ""
    changed = client.update_job(job=made, update_mask=mask)
    assert (changed.schedule, changed.http_target.http_method) == ("every monday 09:00", HttpMethod.GET)
    assert changed.attempt_deadline.total_seconds() == 20
    assert (changed.description, changed.http_target.uri) == ("", "http://127.0.0.1:9/x")


def test_a_run_calls_the_target(client: Client, fresh: Fresh, target: Target) -> None:
    http = HttpTarget(uri=f"{target.url}/x", http_method=HttpMethod.PUT, body=b"\x00hello", headers={"X-Mine": "1"})
    made = client.create_job(parent=PARENT, job=job(fresh("nightly"), http_target=http))
    assert client.run_job(name=made.name).name == made.name
    assert target.called.wait(30)
    [(method, path, headers, body)] = target.came
    assert (method, path, body) == ("PUT", "/x", b"\x00hello")
    assert (headers["X-Mine"], headers["User-Agent"]) == ("1", "Google-Cloud-Scheduler")
    assert headers["X-CloudScheduler-JobName"] == made.name.rpartition("/")[2]


def test_lists_come_in_pages(client: Client, fresh: Fresh, server: Server) -> None:
    parent = f"projects/homerun/locations/{fresh('place')}"
    for number in range(3):
        made = job("x")
        made.name = f"{parent}/jobs/page-{number}"
        client.create_job(parent=parent, job=made)
    pages = list(client.list_jobs(request={"parent": parent, "page_size": 2}).pages)
    assert [[found.name[-1] for found in page.jobs] for page in pages] == [["0", "1"], ["2"]]


def test_a_pubsub_target_is_kept(client: Client, fresh: Fresh) -> None:
    topic = PubsubTarget(topic_name="projects/homerun/topics/news", data=b"hello", attributes={"a": "b"})
    sent = Job(name=f"{PARENT}/jobs/{fresh('news')}", schedule="0 5 1 1 *", pubsub_target=topic)
    assert client.create_job(parent=PARENT, job=sent).pubsub_target == topic


def test_what_is_refused(client: Client, fresh: Fresh) -> None:
    with pytest.raises(GoogleAPICallError, match="schedule: minute: '99' must be a number from 0 to 59") as caught:
        client.create_job(parent=PARENT, job=job(fresh("bad"), schedule="99 * * * *"))
    assert caught.value.code == 400
    with pytest.raises(NotFound):
        client.run_job(name=f"{PARENT}/jobs/none")
