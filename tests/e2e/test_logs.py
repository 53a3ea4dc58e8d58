"""Lines of real containers, each once, whatever is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import ApiError, Daemon

pytestmark = pytest.mark.host


def read(daemon: Daemon, filter: str, most: int = 10_000) -> list[dict[str, Any]]:
    body: dict[str, Any] = {"resourceNames": ["projects/homerun"], "filter": filter, "pageSize": min(most, 1000)}
    found: list[dict[str, Any]] = []
    while True:
        page = daemon.call("POST", "/v2/entries:list", body)
        found += page.get("entries", ())
        if "nextPageToken" not in page or len(found) >= most:
            return found
        body["pageToken"] = page["nextPageToken"]


@contextmanager
def following(daemon: Daemon, file: Path, *arguments: str) -> Iterator[None]:
    """`homerun logs --follow`, into a file."""
    command = [sys.executable, "-c", "from homerun.cli import main; main()", "logs", *arguments, "--follow"]
    environment = {**os.environ, "HOMERUN_API": f"127.0.0.1:{daemon.api_port}", "PYTHONUNBUFFERED": "1"}
    with file.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=environment) as process:
        try:
            yield
        finally:
            process.terminate()


def test_each_line_is_followed_and_found_once_while_control_is_killed_again_and_again(tmp_path: Path, app: str) -> None:
    shown = tmp_path / "shown"
    with Daemon(tmp_path / "state", idle_timeout=600) as daemon:
        daemon.deploy("talks", app)
        with following(daemon, shown, "talks", "--service", "--filter", 'log_id("run.googleapis.com/stdout")'):
            daemon.get("talks", "/log?text=before")
            daemon.until(lambda: "before" in shown.read_text())
            assert daemon.get("talks", "/syslog?text=early")[0] == 200
            written = []
            for number in range(300):
                assert daemon.get("talks", f"/log?text=line-{number}")[0] == 200
                written.append(f"line-{number}")
                if number % 100 == 50:
                    daemon.until(lambda: "control" in daemon.children())
                    daemon.kill("control")
            daemon.until(lambda: written[-1] in shown.read_text().split(), timeout=60)
        lines = [line.split() for line in shown.read_text().splitlines() if "waiting for homerun" not in line]
        assert [words[-1] for words in lines if words[-1].startswith("line-")] == written
        found = [entry["textPayload"] for entry in read(daemon, 'textPayload:"line-"')]
        assert found == written

        # A program that had /dev/log open all the time: the socket is another one by now.
        assert daemon.get("talks", "/syslog?text=late")[0] == 200
        sent = 'log_id("run.googleapis.com/syslog")'
        daemon.until(lambda: any("late" in entry["textPayload"] for entry in read(daemon, sent)))
        messages = [(entry["textPayload"], entry["severity"]) for entry in read(daemon, sent)]
        assert messages == [("app: early", "ERROR"), ("app: late", "ERROR")]

        # Requests are told within a second; what was on its way to a control that was killed is lost.
        asked = 'log_id("run.googleapis.com/requests") AND httpRequest.requestUrl:"line-299"'
        daemon.until(lambda: read(daemon, asked))

        # And after everything was killed it is the same.
        daemon.kill_all()
        daemon.start()
        daemon.until(lambda: _answers(daemon))
        assert [entry["textPayload"] for entry in read(daemon, 'textPayload:"line-"')] == written
        requests = read(daemon, 'log_id("run.googleapis.com/requests") AND httpRequest.requestUrl:"line-"')
        assert 0 < len(requests) == len({entry["httpRequest"]["requestUrl"] for entry in requests}) <= 300


def _answers(daemon: Daemon) -> bool:
    try:
        return bool(read(daemon, "severity>=DEFAULT"))
    except (OSError, ApiError):
        return False


def test_an_application_s_line_has_the_trace_of_its_request(daemon: Daemon, app: str) -> None:
    daemon.deploy("traced", app)
    trace = "0af7651916cd43dd8448eb211c80319c"
    line = f'{{"message":"hi","severity":"ERROR","logging.googleapis.com/trace":"projects/homerun/traces/{trace}"}}'
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert daemon.get("traced", f"/log?text={line}", **headers)[0] == 200
    daemon.until(lambda: len(read(daemon, f'trace="projects/homerun/traces/{trace}"')) == 2)
    said, request = sorted(read(daemon, f'trace="projects/homerun/traces/{trace}"'), key=lambda e: "httpRequest" in e)
    assert (said["textPayload"], said["severity"]) == ("hi", "ERROR")
    assert request["httpRequest"]["status"] == 200
    assert said["labels"]["instanceId"] == request["labels"]["instanceId"]


def test_a_container_that_writes_without_end_neither_fills_the_disk_nor_stalls_its_neighbours(
    daemon: Daemon, app: str
) -> None:
    daemon.deploy("quiet", app)
    daemon.create_job("loud", app, container={"command": ["/app"], "args": ["flood", "8"]})
    running = daemon.call("POST", "/v2/projects/homerun/locations/us-central1/jobs/loud:run", {})
    daemon.until(lambda: read(daemon, "resource.labels.job_name=loud", most=1))
    assert daemon.get("quiet", "/log?text=heard")[0] == 200
    daemon.until(lambda: [e["textPayload"] for e in read(daemon, 'textPayload:"heard"')] == ["heard"])
    assert daemon.wait(running, timeout=120)["succeededCount"] == 1
    daemon.until(lambda: read(daemon, 'resource.labels.job_name=loud AND SEARCH("dropped")', most=1), timeout=60)
    used = sum(file.stat().st_blocks * 512 for file in (daemon.state / "logs").iterdir())
    assert used < 300 << 20
