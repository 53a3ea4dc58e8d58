"""The API without sockets: the whole application in front of a control process on fakes, in virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from homerun.daemon.control import api as application
from homerun.engine.base import Exit
from homerun.engine.fake.script import Behaviour, Line, Script
from tests.support.asgi import Answer, call
from tests.support.control import World, world

V2 = "/v2/projects/homerun/locations/us-central1"
SERVING = "/apis/serving.knative.dev/v1/namespaces/homerun"
RUN = "/apis/run.googleapis.com/v1/namespaces/homerun"
LOCATION = "projects/homerun/locations/us-central1"

WEB, BATCH, SLOW, FAILING = (f"registry.test/{name}:1" for name in ("web", "batch", "slow", "failing"))
IMAGES: dict[str, Behaviour] = {
    WEB: Script(lines=(Line("listening"),)),
    BATCH: Script(
        exit=Exit(code=0), exit_after=1, lines=(Line("working"), Line('{"severity":"ERROR","message":"no"}'))
    ),
    SLOW: Script(exit=Exit(code=0), exit_after=3600),
    FAILING: Script(exit=Exit(code=3), exit_after=0.1),
}


class Refused(Exception):
    """The API answered with an error."""

    def __init__(self, answer: Answer) -> None:
        self.http = answer.status
        self.error = answer.json()["error"]
        super().__init__(f"{self.http} {self.error['status']}: {self.error['message']}")

    @property
    def fields(self) -> list[str]:
        """Of its field violations."""
        details = [d for d in self.error["details"] if d["@type"].endswith("BadRequest")]
        return [violation["field"] for detail in details for violation in detail["fieldViolations"]]


class Api:
    def __init__(self, world: World) -> None:
        self.world = world
        self.app = application(world.control, lambda: None)

    async def send(
        self, method: str, path: str, body: Any = None, host: str = "localhost:8787", **headers: str
    ) -> Answer:
        payload = b"" if body is None else json.dumps(body).encode()
        return await call(self.app, method, f"http://{host}{path}", payload, headers)

    async def __call__(self, method: str, path: str, body: Any = None, **options: str) -> Any:
        """The JSON that it answers. Raises Refused."""
        answer = await self.send(method, path, body, **options)
        if answer.status != 200:
            raise Refused(answer)
        return answer.json()

    async def done(self, operation: Any) -> Any:
        """The operation at its end."""
        while not operation["done"]:
            operation = await self("POST", f"/v2/{operation['name']}:wait", {"timeout": "300s"})
        return operation

    async def deploy(self, name: str = "hello", image: str = WEB, **template: Any) -> Any:
        """A service, ready."""
        body = service(image, **template)
        operation = await self.done(await self("POST", f"{V2}/services?serviceId={name}", body))
        assert "response" in operation, operation.get("error")
        return operation["response"]

    async def deploy_pool(self, name: str = "crew", image: str = WEB, **fields: Any) -> Any:
        """A worker pool, ready."""
        operation = await self.done(await self("POST", f"{V2}/workerPools?workerPoolId={name}", pool(image, **fields)))
        assert "response" in operation, operation.get("error")
        return operation["response"]

    async def create_job(self, name: str = "work", image: str = BATCH, tasks: int = 1, **task: Any) -> Any:
        """A job, ready to run."""
        operation = await self.done(await self("POST", f"{V2}/jobs?jobId={name}", job(image, tasks, **task)))
        assert "response" in operation, operation.get("error")
        return operation["response"]


def pool(image: str = WEB, instances: int | None = None, **fields: Any) -> dict[str, Any]:
    scaling = {} if instances is None else {"scaling": {"manualInstanceCount": instances}}
    return {"template": {"containers": [{"image": image}]}, **scaling, **fields}


def service(image: str = WEB, **template: Any) -> dict[str, Any]:
    return {"template": {"containers": [{"image": image}], **template}}


def job(image: str = BATCH, tasks: int = 1, **task: Any) -> dict[str, Any]:
    return {"template": {"taskCount": tasks, "template": {"containers": [{"image": image}], **task}}}


@asynccontextmanager
async def api(images: dict[str, Behaviour] | None = None, **settings: Any) -> AsyncIterator[Api]:
    async with world({**IMAGES, **(images or {})}, **settings) as made:
        yield Api(made)
