"""gRPC without sockets: what comes in and goes out as bytes, in front of a control process on fakes."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.cloud import run_v2
from google.longrunning.operations_pb2 import Operation, WaitOperationRequest

from homerun.apis.rest import Call
from homerun.apis.rpc import MANY, RpcApp
from homerun.daemon.control import rpc
from homerun.lib.errors import Aborted, HomerunError, Invalid, NotFound, Unimplemented
from homerun.wire.catalog import catalog
from tests.support.api import IMAGES, LOCATION, WEB
from tests.support.control import world
from tests.support.identity import anybody

pytestmark = pytest.mark.looptime

SERVICES = "/google.cloud.run.v2.Services/"


class Rpc:
    def __init__(self, app: RpcApp) -> None:
        self.app = app

    async def __call__(self, path: str, request: Any, answer: Any) -> Any:
        """`request` a message of either kind, `answer` its class."""
        data = type(request).serialize(request) if hasattr(type(request), "pb") else request.SerializeToString()
        made = await self.app.answer(path, data)
        return answer.deserialize(made) if hasattr(answer, "pb") else answer.FromString(made)

    async def deploy(self, id: str) -> run_v2.Service:
        service = {"template": {"containers": [{"image": WEB}]}}
        request = run_v2.CreateServiceRequest(parent=LOCATION, service_id=id, service=service)
        operation = await self(f"{SERVICES}CreateService", request, Operation)
        while not operation.done:
            wait = WaitOperationRequest(name=operation.name)
            operation = await self("/google.longrunning.Operations/WaitOperation", wait, Operation)
        return run_v2.Service.deserialize(operation.response.value)


@asynccontextmanager
async def serving() -> AsyncIterator[Rpc]:
    async with world(IMAGES) as made:
        yield Rpc(rpc(made.control))


async def test_the_handlers_of_rest_answer() -> None:
    async with serving() as call:
        made = await call.deploy("hello")
        got = await call(f"{SERVICES}GetService", run_v2.GetServiceRequest(name=made.name), run_v2.Service)
        assert got == made
        assert got.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED


async def test_long_answers_are_whole() -> None:
    async def many(call: Call) -> Any:
        return {"services": [{"name": str(index)} for index in range(MANY + 1)], "nextPageToken": "t"}

    call = Rpc(RpcApp({"run.projects.locations.services.list": many}, anybody))
    request = run_v2.ListServicesRequest(parent=LOCATION)
    listed = await call(f"{SERVICES}ListServices", request, run_v2.ListServicesResponse)
    assert [s.name for s in listed.services] == [str(index) for index in range(MANY + 1)]
    assert listed.next_page_token == "t"


async def test_refusals_of_handlers_come_through() -> None:
    async with serving() as call:
        with pytest.raises(NotFound):
            request = run_v2.GetServiceRequest(name=f"{LOCATION}/services/none")
            await call(f"{SERVICES}GetService", request, run_v2.Service)
        made = await call.deploy("hello")
        with pytest.raises(Aborted):
            request = run_v2.DeleteServiceRequest(name=made.name, etag="old")
            await call(f"{SERVICES}DeleteService", request, Operation)


@pytest.mark.parametrize("path", ["", "/", "nonsense", "/no.such.Service/Method", f"{SERVICES}NoSuchMethod", "/ü/x"])
async def test_what_is_no_method_says_so(path: str) -> None:
    with pytest.raises(Unimplemented, match="is no method that homerun knows"):
        await RpcApp({}, anybody).answer(path, b"")


async def test_a_method_without_a_handler_says_its_name() -> None:
    request = run_v2.GetServiceRequest.serialize(run_v2.GetServiceRequest(name=f"{LOCATION}/services/x"))
    with pytest.raises(Unimplemented, match=r"google\.cloud\.run\.v2\.Services\.GetService"):
        await RpcApp({}, anybody).answer(f"{SERVICES}GetService", request)
    with pytest.raises(Unimplemented, match=r"google\.longrunning\.Operations\.CancelOperation"):
        await RpcApp({}, anybody).answer("/google.longrunning.Operations/CancelOperation", b"")


async def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(Invalid, match="no valid"):
        await RpcApp({}, anybody).answer(f"{SERVICES}GetService", b"\xff\xff")


async def test_whatever_comes_is_answered_or_refused_with_a_reason() -> None:
    """Nothing is a bug of ours: neither an empty message, nor noise, nor a name where there is nothing."""
    noise = random.Random(1)
    name = run_v2.GetServiceRequest.serialize(run_v2.GetServiceRequest(name=f"{LOCATION}/services/none"))
    async with serving() as call:
        for path in catalog():
            for data in (b"", name, *(name[:cut] for cut in (1, 5, 40)), *(noise.randbytes(n) for n in range(1, 40))):
                with contextlib.suppress(HomerunError):
                    await call.app.answer(path, data)
