"""Failures as responses: the one place where exceptions become HTTP, and where bugs become failures."""

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
    return failure_response(bug(f"{request.method} {request.url.path}", error))


def bug(what: str, error: Exception) -> Internal:
    """What the caller of `what` hears of a failure that is our fault. The log has all of it."""
    _log.error("%s failed", what, exc_info=error)
    return Internal(f"homerun failed at this: {type(error).__name__}; its log has the details")
