"""The request log: what the routers answered, as entries beside those of the containers, with the same traces."""

from __future__ import annotations

from typing import Any

import msgspec

from homerun.meter.cold_starts import ColdStart
from homerun.meter.log_rows import microseconds, origin
from homerun.model import labels, names
from homerun.model.names import Name
from homerun.model.severity import severity_number
from homerun.model.trace_context import TraceContext
from homerun.store.log_base import LogRow
from homerun.wire.link import RequestLog

STREAM = "requests"
COLD_START = "coldStart"
"""The label of an entry whose request waited for an instance: milliseconds of all phases of its start."""


def request_row(request: RequestLog, start: ColdStart | None = None, *, delayed: bool = False) -> tuple[str, LogRow]:
    """Its project, and the entry. Severity by status; the fields of httpRequest as in contract §1.13.

    `start`: of the instance that answered; `delayed`: the request waited for it.
    """
    http = {
        "requestMethod": request.method.decode("latin-1"),
        "requestUrl": request.url.decode("latin-1"),
        "requestSize": str(request.request_size),
        "status": request.status,
        "responseSize": str(request.response_size),
        "userAgent": request.user_agent.decode("latin-1"),
        "remoteIp": request.remote_ip,
        "serverIp": start.host if start is not None else "",
        "latency": f"{request.latency:.9f}s",
        "protocol": request.protocol,
    }
    service = Name.parse(names.parent(request.revision))
    more: dict[str, Any] = {"httpRequest": {key: value for key, value in http.items() if value != ""}}
    if request.trace:
        context = TraceContext.parse(request.trace.decode("latin-1"))
        more["trace"] = f"projects/{service.project}/traces/{context.trace}"
        more["spanId"] = context.span
        more["traceSampled"] = context.sampled
    if start is not None and delayed:
        more["labels"] = {COLD_START: _phases(start, request.waited)}
    severity = "ERROR" if request.status >= 500 else "WARNING" if request.status >= 400 else "INFO"
    return service.project, LogRow(
        microseconds(request.at),
        origin(STREAM, service, {labels.REVISION: request.revision}, request.instance),
        severity_number(severity),
        request.text or None,
        msgspec.json.encode(more).decode(),
    )


def _phases(start: ColdStart, waited: float) -> str:
    """`mount=0.7 create=17.8 start=0.1 listen=2.7 request=23.4`: as in metrics, in milliseconds."""
    parts = {**start.phases, "request": waited}
    return " ".join(f"{name}={1000 * seconds:.1f}" for name, seconds in parts.items())
