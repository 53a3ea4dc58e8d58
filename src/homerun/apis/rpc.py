"""gRPC: a message becomes the Call that REST would have made of it, for the same handlers.

Messages pass the grpc library as bytes, so that it is us who say what is wrong with one that cannot be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import NoReturn

import grpc

from homerun.apis.absent import why
from homerun.apis.access import THE_OWNER, Caller
from homerun.apis.failure import bug
from homerun.apis.rest import Call, Handler
from homerun.lib.errors import HomerunError, Unimplemented
from homerun.wire import transcode
from homerun.wire.catalog import Rpc, catalog
from homerun.wire.status import rpc_status

Context = grpc.aio.ServicerContext[bytes, bytes]
Metadata = Iterable[tuple[str, str | bytes]] | None

MANY = 10
"""More elements than these become a message beside the event loop: each takes half a millisecond."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


Stream = Callable[[Rpc, AsyncIterator[bytes], Caller], AsyncIterator[bytes]]
"""Messages of a client to messages for it. Raises HomerunError."""


class RpcApp(grpc.GenericRpcHandler):
    """Every RPC of the catalog. `handlers`: by method id, as RestApp takes them; `streams`: by path, those that send
    without end. `authenticate`: that of apis.access.Access.

    The catalog takes a second and 40 MB of clients to make: with the first call, and beside the event loop.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        authenticate: Callable[[str], Caller],
        streams: Mapping[str, Stream] | None = None,
    ) -> None:
        self._handlers, self._authenticate, self._streams = handlers, authenticate, streams or {}
        self._rpcs: Mapping[str, Rpc] = {}

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        path, metadata = details.method, details.invocation_metadata
        if path in self._streams:
            return self._streaming(path, metadata)

        async def serve(data: bytes, context: Context) -> bytes:
            try:
                return await self.answer(path, data, self._authenticate(_authorization(metadata)))
            except HomerunError as error:
                failure = error
            except Exception as error:
                failure = bug(path, error)
            await refuse(context, failure)

        return grpc.unary_unary_rpc_method_handler(serve)

    def _streaming(self, path: str, metadata: Metadata) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def serve(messages: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
            try:
                rpc = (await self._known())[path]
                async for answer in self._streams[path](rpc, messages, self._authenticate(_authorization(metadata))):
                    yield answer
                return
            except HomerunError as error:
                failure = error
            except Exception as error:
                failure = bug(path, error)
            await refuse(context, failure)

        return grpc.stream_stream_rpc_method_handler(serve)

    async def _known(self) -> Mapping[str, Rpc]:
        if not self._rpcs:
            self._rpcs = await asyncio.to_thread(catalog)
        return self._rpcs

    async def answer(self, path: str, data: bytes, caller: Caller = THE_OWNER) -> bytes:
        """`path`: `/google.cloud.run.v2.Services/GetService`. Raises HomerunError."""
        rpc = (await self._known()).get(path)
        if rpc is None:
            raise Unimplemented(f"{path} is no method that homerun knows")
        if not rpc.methods:
            raise Unimplemented(f"{rpc.name} is no method of Cloud Run")
        request = transcode.request(rpc, data)
        handler = self._handlers.get(request.method.id)
        if handler is None:
            raise Unimplemented(f"homerun does not have {rpc.name}: {why(request.method.id)}")
        call = Call(request.method, request.variables, request.query, request.body, caller=caller)
        result = await handler(call)
        if any(isinstance(value, list) and len(value) > MANY for value in result.values()):
            return await asyncio.to_thread(transcode.answer, rpc, result)
        return transcode.answer(rpc, result)


def _authorization(metadata: Metadata) -> str:
    return ", ".join(str(value) for key, value in metadata or () if key == "authorization")


async def refuse(context: Context, error: HomerunError) -> NoReturn:
    """End the call with `error`, its details in the trailers where google.api_core looks for them."""
    status = rpc_status(error)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(_CODES[error.code], status.message)
