"""The command line against the real API, store and controllers, over a socket; only the containers are scripted."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from click.testing import CliRunner, Result

from homerun.cli.app import cli
from homerun.daemon.control import ApiServer, Control, api
from homerun.engine.base import Exit, InstanceSpec
from homerun.engine.fake.engine import FakeEngine
from homerun.engine.fake.script import Line, Script
from homerun.lib.clock import SystemClock
from homerun.settings import Settings
from homerun.store.memory import MemoryStore

pytestmark = pytest.mark.sockets

URL = "http://hello-100000000001.us-central1.run.localhost:8080"


def task(spec: InstanceSpec) -> Script:
    """Task 2 fails unless it is told not to."""
    env = spec.containers[0].env
    fails = env["CLOUD_RUN_TASK_INDEX"] == "2" and "GOOD" not in env
    text = f"task {env['CLOUD_RUN_TASK_INDEX']} of {env['CLOUD_RUN_TASK_COUNT']}"
    return Script(exit=Exit(code=4 if fails else 0), exit_after=0.05, lines=(Line(text),))


IMAGES = {
    "app:1": Script(lines=(Line("listening"),)),
    "app:2": Script(),
    "broken:1": Script(exit=Exit(code=3), exit_after=0.01, ready=1, lines=(Line("no such table"),)),
    "task:1": task,
}


class Homerun(threading.Thread):
    """Control in a thread of its own, as the command line is a process of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.stop = asyncio.Event()
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        try:
            self.loop.run_until_complete(self.serve())
        finally:
            self.loop.close()
            self.listener.close()

    async def serve(self) -> None:
        settings, clock, store = Settings(), SystemClock(), MemoryStore()
        engine = FakeEngine(clock, IMAGES)
        control = Control(settings, store, engine, clock)
        await control.open()
        server = ApiServer(uvicorn.Config(api(control, self.stop.set), log_config=None, lifespan="off"))
        serving = asyncio.ensure_future(server.serve(sockets=[self.listener]))
        await self.stop.wait()
        server.should_exit = True
        await serving
        await control.close()

    def __call__(self, *arguments: str) -> Result:
        """A command line; its exit code must be 0."""
        result = self.run_anyhow(*arguments)
        assert result.exit_code == 0, result.output
        return result

    def run_anyhow(self, *arguments: str) -> Result:
        result = CliRunner().invoke(cli, [*arguments, "--api", self.address])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


@pytest.fixture
def homerun(monkeypatch: pytest.MonkeyPatch) -> Iterator[Homerun]:
    for name in ("CLOUDSDK_CORE_PROJECT", "CLOUDSDK_RUN_REGION"):
        monkeypatch.delenv(name, raising=False)
    thread = Homerun()
    thread.start()
    yield thread
    if not thread.loop.is_closed():
        thread.loop.call_soon_threadsafe(thread.stop.set)
    thread.join(10)
    assert not thread.is_alive()


def test_a_service_from_deployment_to_deletion(homerun: Homerun) -> None:
    assert homerun("deploy", "hello", "--image", "app:1", "--memory", "256Mi").stdout == f"{URL}\n"
    homerun("deploy", "hello", "--image", "app:2", "--no-traffic", "--tag", "green")
    described = homerun("services", "describe", "hello").stdout
    assert URL in described and "100 %" in described and "green" in described
    service = json.loads(homerun("services", "describe", "hello", "--format", "json").stdout)["service"]
    container = service["template"]["containers"][0]
    assert (container["image"], container["resources"]["limits"]["memory"]) == ("app:2", "256Mi")
    homerun("services", "update-traffic", "hello", "--to-latest")
    assert "hello-00002" in homerun("services", "list").stdout
    homerun("services", "delete", "hello", "--yes")
    assert "hello" not in homerun("services", "list").stdout


SERVICE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: filed, labels: {{cloud.googleapis.com/location: europe-west3}}}}
spec: {{template: {{spec: {{containers: [{{image: "{image}"}}]}}}}}}
"""
JOB = """
apiVersion: run.googleapis.com/v1
kind: Job
metadata: {name: filed}
spec: {template: {spec: {taskCount: 3, template: {spec: {containers: [{image: "task:1"}]}}}}}
"""


def test_what_a_file_says_is_created_and_replaced_where_it_says(homerun: Homerun, tmp_path: Path) -> None:
    service, job = tmp_path / "service.yaml", tmp_path / "job.yaml"
    job.write_text(JOB)
    for image in ("app:1", "app:2"):
        service.write_text(SERVICE.format(image=image))
        assert ".europe-west3.run.localhost" in homerun("services", "replace", str(service)).stdout
    found = json.loads(homerun("services", "list", "--region", "europe-west3", "--format", "json").stdout)
    assert [each["template"]["containers"][0]["image"] for each in found] == ["app:2"]
    assert homerun("jobs", "replace", str(job)).stdout == "filed\n"
    homerun("jobs", "replace", str(job), "--dry-run")
    assert "3 tasks" in homerun("jobs", "describe", "filed").stdout
    service.write_text(SERVICE.format(image="app:1").replace("containers", "containrs"))
    wrong = homerun.run_anyhow("services", "replace", str(service))
    assert wrong.exit_code == 1 and "containrs" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_broken_image_is_explained_and_the_old_revision_stays(homerun: Homerun) -> None:
    homerun("deploy", "hello", "--image", "app:1")
    failed = homerun.run_anyhow("deploy", "hello", "--image", "broken:1")
    assert failed.exit_code == 1
    assert "exit(3)" in failed.stderr and "no such table" in failed.stderr
    assert homerun("services", "describe", "hello").stdout.count("100 %") == 1


def test_an_unknown_image_and_a_wrong_limit_are_refused_in_words(homerun: Homerun) -> None:
    unknown = homerun.run_anyhow("deploy", "hello", "--image", "nothing:1")
    assert (unknown.exit_code, "nothing:1" in unknown.stderr) == (1, True)
    wrong = homerun.run_anyhow("deploy", "other", "--image", "app:1", "--memory", "1Ki")
    assert (wrong.exit_code, "memory" in wrong.stderr) == (1, True)


def test_a_job_from_deployment_to_deletion(homerun: Homerun) -> None:
    homerun("jobs", "deploy", "work", "--image", "task:1", "--tasks", "4", "--max-retries", "0")
    execution = homerun("jobs", "execute", "work", "--wait", "--update-env-vars", "GOOD=1").stdout.strip()
    described = homerun("jobs", "executions", "describe", execution).stdout
    assert "4/4 done" in described and "exit code 0" in described
    assert execution in homerun("jobs", "executions", "list", "--job", "work").stdout
    assert "4 tasks" in homerun("jobs", "describe", "work").stdout
    homerun("jobs", "delete", "work", "--yes")
    assert "work" not in homerun("jobs", "list").stdout


def test_a_failed_execution_shows_which_task_why_and_what_it_said(homerun: Homerun) -> None:
    homerun("jobs", "create", "work", "--image", "task:1", "--tasks", "4", "--max-retries", "1")
    failed = homerun.run_anyhow("jobs", "execute", "work", "--wait")
    assert failed.exit_code == 1
    assert "task 2: The container exited with an error (exit code 4)" in failed.stderr
    assert "task 2 of 4" in failed.stderr


def test_creating_a_job_twice_is_refused(homerun: Homerun) -> None:
    homerun("jobs", "create", "work", "--image", "task:1")
    assert homerun.run_anyhow("jobs", "create", "work", "--image", "task:1").exit_code == 1
    homerun("jobs", "deploy", "work", "--image", "task:1", "--tasks", "2")


def test_logs_of_services_jobs_and_single_tasks(homerun: Homerun) -> None:
    homerun("deploy", "hello", "--image", "app:1")
    assert "listening" in homerun("logs", "hello").stdout
    homerun("jobs", "create", "work", "--image", "task:1", "--tasks", "3")
    execution = homerun("jobs", "execute", "work", "--wait", "--update-env-vars", "GOOD=1").stdout.strip()
    assert {f"task {i} of 3" in homerun("logs", "work").stdout for i in range(3)} == {True}
    one = homerun("logs", "work", "--execution", execution, "--task", "1").stdout
    assert "task 1 of 3" in one and "task 2 of 3" not in one


def test_env_and_down(homerun: Homerun) -> None:
    assert "export CLOUDSDK_CORE_PROJECT='homerun'" in homerun("env").stdout
    homerun("down")
    assert homerun.run_anyhow("services", "list").exit_code == 3
