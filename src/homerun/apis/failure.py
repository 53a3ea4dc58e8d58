"""Failures as responses: the one place where exceptions become HTTP."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from homerun.lib.errors import HomerunError, Internal
from homerun.wire.status import error_body

_log = logging.getLogger("homerun.apis")


def failure_response(error: HomerunError) -> Response:
    return JSONResponse(error_body(error), status_code=error.http)


async def on_homerun_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HomerunError)
    return failure_response(error)


async def on_bug(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return failure_response(Internal(f"homerun failed at this: {type(error).__name__}; its log has the details"))
