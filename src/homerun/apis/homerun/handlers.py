"""HTTP for the extension API: plain JSON under `/homerun/v1`, failures as exceptions that the server maps."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO, cast

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from homerun.apis.homerun.insight import BuildEvent, Insight, Span
from homerun.core.invoice import BY
from homerun.lib.errors import HomerunError, Internal, Invalid

_log = logging.getLogger("homerun.apis")

PREFIX = "/homerun/v1"
LOCATION = PREFIX + "/projects/{project}/locations/{location}"

EXECUTION = "jobs/{job}/executions/{execution}"
CONTENT_TYPE = "text/plain; version=0.0.4"
"""Of metrics: Prometheus' text format."""
MAX_ARCHIVE = 1 << 30
IN_MEMORY = 8 << 20
_IMAGE_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


def routes(insight: Insight, *, max_archive: int = MAX_ARCHIVE) -> list[Route]:
    """`max_archive`: the largest source archive that a build takes, in bytes."""

    async def info(request: Request) -> Response:
        return JSONResponse(insight.info())

    async def metrics(request: Request) -> Response:
        return StreamingResponse(insight.metrics(), media_type=CONTENT_TYPE)

    async def explain_service(request: Request) -> Response:
        return JSONResponse(await insight.explain_service(_name(request, "services/{service}")))

    async def explain_worker_pool(request: Request) -> Response:
        return JSONResponse(await insight.explain_worker_pool(_name(request, "workerPools/{pool}")))

    async def explain_execution(request: Request) -> Response:
        tasks, moments = _number(request, "tasks"), _number(request, "moments")
        one = _number(request, "task") if "task" in request.query_params else None
        return _json(await insight.explain_execution(_name(request, EXECUTION), tasks, moments, one))

    async def execution_progress(request: Request) -> Response:
        return _json(await insight.execution_progress(_name(request, EXECUTION)))

    async def bill(request: Request) -> Response:
        return JSONResponse(await insight.bill(_span(request)))

    async def build(request: Request) -> Response:
        name = _image_name(request)
        archive = await _spool(request, max_archive)
        return StreamingResponse(_lines(insight.build(name, archive), archive), media_type="application/x-ndjson")

    async def shutdown(request: Request) -> Response:
        insight.shutdown()
        return JSONResponse({})

    return [
        Route(f"{PREFIX}/info", info, methods=["GET"]),
        Route(f"{PREFIX}/metrics", metrics, methods=["GET"]),
        Route(f"{PREFIX}/bill", bill, methods=["GET"]),
        Route(f"{PREFIX}:shutdown", shutdown, methods=["POST"]),
        Route(f"{LOCATION}/services/{{service}}:explain", explain_service, methods=["GET"]),
        Route(f"{LOCATION}/workerPools/{{pool}}:explain", explain_worker_pool, methods=["GET"]),
        Route(f"{LOCATION}/{EXECUTION}:explain", explain_execution, methods=["GET"]),
        Route(f"{LOCATION}/{EXECUTION}:progress", execution_progress, methods=["GET"]),
        Route(f"{LOCATION}/builds", build, methods=["POST"]),
    ]


def _span(request: Request) -> Span:
    query = dict(request.query_params)
    since, until, by = query.pop("since", ""), query.pop("until", ""), query.pop("by", "resource")
    minimum = query.pop("minimum", "true")
    if query:
        raise Invalid.field(next(iter(query)), "there is no such parameter: a bill has since, until, by and minimum")
    if by not in BY:
        raise Invalid.field("by", f"{by!r} is nothing that a bill has rows for: choose one of {', '.join(BY)}")
    if minimum not in ("true", "false"):
        raise Invalid.field("minimum", f"{minimum!r} is neither true nor false")
    return Span(since, until, by, minimum == "true")


def _json(view: object) -> Response:
    """Of ten thousand tasks in some 10 ms: the standard library's encoder takes ten times as long."""
    return Response(msgspec.json.encode(view), media_type="application/json")


def _number(request: Request, parameter: str) -> int:
    text = request.query_params.get(parameter, "0")
    if not text.isdecimal():
        raise Invalid.field(parameter, f"must be a whole number, not {text!r}")
    return int(text)


def _name(request: Request, path: str) -> str:
    return ("projects/{project}/locations/{location}/" + path).format(**request.path_params)


def _image_name(request: Request) -> str:
    name = request.query_params.get("name", "")
    if not _IMAGE_NAME.fullmatch(name) or len(name) > 128:
        raise Invalid.field(
            "name", f"{name!r} cannot name an image: use lowercase letters and digits, with . _ or - between them"
        )
    return name


async def _spool(request: Request, limit: int) -> BinaryIO:
    """The whole body, rewound: in memory while it is small, in an unnamed file beyond.

    It is read before the answer begins because most HTTP clients send everything before they listen.
    """
    archive = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))
    try:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise Invalid(f"the source archive is over {limit} bytes: keep data out of it with .dockerignore")
            archive.write(chunk)
    except BaseException:
        archive.close()
        raise
    archive.seek(0)
    return archive


async def _lines(events: AsyncIterator[BuildEvent], archive: BinaryIO) -> AsyncIterator[str]:
    """One line of JSON for each event. The status line is long gone when a build fails: the error is the last line."""
    try:
        async for event in events:
            yield json.dumps(event) + "\n"
    except HomerunError as error:
        yield _error_line(error)
    except Exception as error:
        _log.exception("a build failed in an unexpected way")
        yield _error_line(Internal(f"homerun failed at this: {type(error).__name__}; its log has the details"))
    finally:
        archive.close()


def _error_line(error: HomerunError) -> str:
    return json.dumps({"error": {"code": error.http, "message": error.message, "status": error.status}}) + "\n"
