"""gcloud, unmodified: what `gcloud scheduler jobs` does."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

import pytest

from tests.support.gcloud import Gcloud, needed
from tests.support.server import Server

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]

ROBOT = "robot@homerun.iam.gserviceaccount.com"
PARENT = "projects/homerun/locations/us-central1"
HERE = "--location=us-central1"
RUN = "https://us-central1-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/homerun/jobs/work:run"


@pytest.fixture(scope="module")
def jobs(gcloud: Gcloud) -> Gcloud:
    return gcloud.group("scheduler", "jobs")


def test_jobs_are_created_and_changed(jobs: Gcloud) -> None:
    """In few calls: each takes more than a second."""
    made = jobs.json("create", "http", "nightly", HERE, "--schedule=0 5 1 1 *", "--time-zone=Europe/Berlin",
                     f"--uri={RUN}", "--headers=X-A=b", "--message-body={}", f"--oauth-service-account-email={ROBOT}",
                     "--max-retry-attempts=3", "--min-backoff=10s", "--attempt-deadline=60s")  # fmt: skip
    assert (made["state"], made["timeZone"], made["attemptDeadline"]) == ("ENABLED", "Europe/Berlin", "60s")
    assert made["httpTarget"] == {
        "uri": RUN, "httpMethod": "POST", "headers": {"X-A": "b"}, "body": "e30=",
        "oauthToken": {"serviceAccountEmail": ROBOT},
    }  # fmt: skip
    assert (made["retryConfig"]["retryCount"], made["retryConfig"]["minBackoffDuration"]) == (3, "10s")
    jobs("update", "http", "nightly", HERE, "--schedule=every monday 09:00", "--clear-auth-token",
         "--clear-min-backoff", "--http-method=put")  # fmt: skip
    updated = jobs.json("describe", "nightly", HERE)
    assert updated["schedule"] == "every monday 09:00"
    assert updated["httpTarget"]["httpMethod"] == "PUT" and "oauthToken" not in updated["httpTarget"]
    assert updated["retryConfig"]["minBackoffDuration"] == "5s"
    made = jobs.json("create", "pubsub", "news", HERE, "--schedule=every 5 minutes", "--topic=news",
                     "--message-body=hello")  # fmt: skip
    assert made["pubsubTarget"] == {"topicName": "projects/homerun/topics/news", "data": "aGVsbG8="}


def test_a_job_is_paused_resumed_run_and_deleted(jobs: Gcloud, server: Server) -> None:
    target = {"uri": "http://127.0.0.1:9/", "httpMethod": "GET"}
    job = {"name": f"{PARENT}/jobs/rests", "schedule": "0 5 1 1 *", "httpTarget": target}
    request = Request(f"{server.url}/v1/{PARENT}/jobs", json.dumps(job).encode(), method="POST")
    with urlopen(request, timeout=60):
        pass
    assert "paused" in jobs("pause", "rests", HERE)
    assert "rests PAUSED" in jobs.out("list", HERE, "--format=value[separator=' '](name.basename(),state)").splitlines()
    assert "resumed" in jobs("resume", "rests", HERE)
    jobs("run", "rests", HERE)
    jobs("delete", "rests", HERE)
