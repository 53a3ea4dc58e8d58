"""A gRPC server as a container's program: grpcio, in an image made of the Python that runs the tests.

It serves grpc.health.v1, and test.Echo: Unary (metadata as text), Talk (both directions) and Wait (milliseconds), which
screams when it sees two calls at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent import futures


def serve() -> None:
    # Before anything takes its time: as PID 1 it would be deaf until then.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    import grpc

    busy = threading.Lock()

    def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("x-trailing", "last"),))
        return repr([(key, value) for key, value in context.invocation_metadata()]).encode()

    def wait(request: bytes, context: grpc.ServicerContext) -> bytes:
        if not busy.acquire(blocking=False):
            context.abort(grpc.StatusCode.DATA_LOSS, "two at once")
        time.sleep(int(request) / 1000)
        busy.release()
        return os.environ.get("K_REVISION", "").encode()

    def talk(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield b"you said " + request

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        if request[2:] not in (b"", b"test.Echo"):
            context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return b"\x08\x01"  # HealthCheckResponse {status: SERVING}

    health = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    calls = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Wait": grpc.unary_unary_rpc_method_handler(wait),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
    }
    server = grpc.server(futures.ThreadPoolExecutor(8))
    for service, handlers in (("test.Echo", calls), ("grpc.health.v1.Health", health)):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"0.0.0.0:{os.environ['PORT']}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve()
