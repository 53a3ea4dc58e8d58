"""A real homerun in processes of its own, for the tests and benchmarks that need one: needs root and a runtime."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

LOCATION = "projects/homerun/locations/us-central1"
NUMBER = "100000000001"


class ApiError(Exception):
    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"{status}: {json.dumps(error)}")
        self.status, self.error = status, error


class Daemon:
    """`homerun up` on a state folder and ports of its own; as a context manager it is stopped at the end."""

    def __init__(self, state: Path, **options: object) -> None:
        self.state = state
        self.api_port, self.http_port = free_port(), free_port()
        self.options = {"api": f"127.0.0.1:{self.api_port}", "http": f"127.0.0.1:{self.http_port}", **options}
        self.environment: dict[str, str] = {}
        """Variables beside those of this process."""
        self.process: subprocess.Popen[bytes] | None = None
        self.log = state.parent / f"{state.name}.log"

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in self.options.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "homerun.daemon", "up", f"--state={self.state}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self.environment},
            )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        if not first:
            raise RuntimeError(f"homerun did not start:\n{self.log.read_text()}")

    def stop(self, timeout: float = 40) -> int:
        """One Ctrl-C. Returns the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGINT)
        return self.ended(timeout)

    def ended(self, timeout: float = 40) -> int:
        """By itself, or because it was asked to. Returns the exit code."""
        assert self.process is not None
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def kill_all(self) -> None:
        """`kill -9` of the whole platform; the instances are children of nobody and go on."""
        assert self.process is not None
        children = self.children()
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        deadline = time.monotonic() + 5
        while any(Path(f"/proc/{pid}").exists() for pid in children.values()) and time.monotonic() < deadline:
            time.sleep(0.01)

    def children(self) -> dict[str, int]:
        """Role -> pid of the processes that `up` has started; the routers are `router`, `router 1`, ..."""
        assert self.process is not None
        pid = self.process.pid
        found: dict[str, int] = {}
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            except FileNotFoundError:
                continue  # it has just ended
            if "homerun.daemon" in command:
                role, _, index = command[command.index("homerun.daemon") + 1 :][:3]
                found[role if index == "0" else f"{role} {index}"] = int(child)
        return found

    def kill(self, role: str) -> None:
        os.kill(self.children()[role], signal.SIGKILL)

    # The API

    def call(self, method: str, path: str, body: Any = None, timeout: float = 120, bearer: str = "") -> Any:
        """JSON in, JSON out. Raises ApiError. `bearer`: an access token; without one it is the owner who calls."""
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=timeout)
        try:
            payload = None if body is None else json.dumps(body)
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            connection.request(method, path, payload, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(response.status, answer.get("error", answer))
        return answer

    def text(self, path: str) -> str:
        """What a GET answers that is no JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            assert response.status == 200
            return response.read().decode()
        finally:
            connection.close()

    def wait(self, operation: dict[str, Any], timeout: float = 120) -> dict[str, Any]:
        """The operation's response. Raises ApiError with its error."""
        deadline = time.monotonic() + timeout
        while not operation.get("done"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{operation['name']} is not done after {timeout} s")
            operation = self.call("POST", f"/v2/{operation['name']}:wait", {"timeout": "30s"})
        if "error" in operation:
            raise ApiError(operation["error"]["code"], operation["error"])
        response: dict[str, Any] = operation["response"]
        return response

    def deploy(
        self, name: str, image: str, *, private: bool = False, patience: float = 120, **template: Any
    ) -> dict[str, Any]:
        """Create a service and wait until it is ready. `private`: only its owner may call it."""
        container = {"image": image, **template.pop("container", {})}
        body = {"template": {"containers": [container], **template}}
        operation = self.call("POST", f"/v2/{LOCATION}/services?serviceId={name}", body)
        if not private:
            self.allow(name, "allUsers")
        return self.wait(operation, patience)

    def allow(self, service: str, *members: str) -> None:
        """Nobody else may call it."""
        policy = {"bindings": [{"role": "roles/run.invoker", "members": list(members)}]}
        self.call("POST", f"/v2/{LOCATION}/services/{service}:setIamPolicy", {"policy": policy})

    def create_job(self, name: str, image: str, task_count: int = 1, parallelism: int = 0, **template: Any) -> None:
        container = {"image": image, **template.pop("container", {})}
        inner = {"containers": [container], **template}
        body = {"template": {"taskCount": task_count, "parallelism": parallelism, "template": inner}}
        self.wait(self.call("POST", f"/v2/{LOCATION}/jobs?jobId={name}", body))

    def execute(self, job: str, timeout: float = 300) -> dict[str, Any]:
        return self.wait(self.call("POST", f"/v2/{LOCATION}/jobs/{job}:run", {}), timeout)

    def deploy_pool(self, name: str, image: str, instances: int = 1, **container: Any) -> dict[str, Any]:
        """Create or change a worker pool and wait until it is ready."""
        template = {"containers": [{"image": image, **container}]}
        body = {"template": template, "scaling": {"manualInstanceCount": instances}}
        return self.wait(self.call("PATCH", f"/v2/{LOCATION}/workerPools/{name}?allowMissing=true", body))

    def explain(self, name: str, collection: str = "services") -> Any:
        return self.call("GET", f"/homerun/v1/{LOCATION}/{collection}/{name}:explain")

    def said(self, service: str) -> list[str]:
        """What the platform's log has about its instances."""
        filter = f"resource.labels.service_name={service} AND log_id(run.googleapis.com/varlog/system)"
        query = {"resourceNames": ["projects/homerun"], "filter": filter}
        entries = self.call("POST", "/v2/entries:list", query).get("entries", ())
        return [entry.get("textPayload") or entry["jsonPayload"]["message"] for entry in entries]

    def until(self, what: Any, timeout: float = 90) -> None:
        deadline = time.monotonic() + timeout
        while not what():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout} s; the log:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.02)

    def wait_for_zero(self, service: str, timeout: float = 90) -> None:
        self.until(lambda: not self.explain(service)["instances"], timeout)

    # Requests of users

    def host(self, service: str) -> str:
        return f"{service}-{NUMBER}.us-central1.run.localhost:{self.http_port}"

    def get(self, service: str, path: str = "/", timeout: float = 120, **headers: str) -> tuple[int, bytes]:
        status, _, body = self.ask(service, path, timeout, **headers)
        return status, body

    def ask(
        self, service: str, path: str = "/", timeout: float = 120, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Host": self.host(service), **headers})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()
