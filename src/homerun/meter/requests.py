"""The request log: what the routers answered, as log lines that can be read like those of the containers.

In memory, the newest so many, because it is written at the speed of requests; the lines of containers are on disk.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from homerun.engine.base import LogLine
from homerun.meter.cold_starts import ColdStart
from homerun.model import labels, names
from homerun.model.names import Name
from homerun.model.trace_context import TraceContext
from homerun.wire.link import RequestLog

KEPT = 10_000
STREAM = "requests"
COLD_START = "coldStart"
"""The label of an entry whose request waited for an instance: milliseconds of all phases of its start."""


Record = tuple[RequestLog, ColdStart | None, bool]
"""With the start of the instance that answered, and whether the request waited for it."""


class RequestLogs:
    def __init__(self, kept: int = KEPT) -> None:
        self._records: deque[Record] = deque(maxlen=kept)

    def record(self, request: RequestLog, start: ColdStart | None = None, *, delayed: bool = False) -> None:
        """`start`: of the instance that answered; `delayed`: the request waited for it."""
        self._records.append((request, start, delayed))

    def matching(
        self, wanted: Mapping[str, str], *, since: float = 0, until: float | None = None, limit: int | None = None
    ) -> list[Record]:
        """As Engine.logs: with `limit`, the last so many, in time order."""
        carries = _condition(wanted)
        matching = (
            record
            for record in reversed(self._records)
            if since < record[0].at and (until is None or record[0].at <= until) and carries(record[0])
        )
        return list(islice(matching, limit))[::-1]


def _condition(wanted: Mapping[str, str]) -> Callable[[RequestLog], bool]:
    """Whether a request has these labels."""
    if wanted.keys() - {labels.SERVICE, labels.REVISION, labels.INSTANCE}:
        return lambda request: False
    prefix = f"{wanted[labels.SERVICE]}/revisions/" if labels.SERVICE in wanted else ""
    revision, instance = wanted.get(labels.REVISION), wanted.get(labels.INSTANCE)
    return lambda request: (
        request.revision.startswith(prefix)
        and revision in (None, request.revision)
        and instance in (None, request.instance)
    )


def log_line(record: Record) -> LogLine:
    """Severity by status; the fields of httpRequest as in contract §1.13."""
    request, start, delayed = record
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
    fields: dict[str, Any] = {
        "severity": "ERROR" if request.status >= 500 else "WARNING" if request.status >= 400 else "INFO",
        "httpRequest": {key: value for key, value in http.items() if value != ""},
    }
    if request.trace:
        context = TraceContext.parse(request.trace.decode("latin-1"))
        fields["logging.googleapis.com/trace"] = (
            f"projects/{Name.parse(request.revision).project}/traces/{context.trace}"
        )
        fields["logging.googleapis.com/spanId"] = context.span
        fields["logging.googleapis.com/trace_sampled"] = context.sampled
    if start is not None and delayed:
        fields["logging.googleapis.com/labels"] = {COLD_START: _phases(start, request.waited)}
    if request.text:
        fields["message"] = request.text
    has = {
        labels.SERVICE: names.parent(request.revision),
        labels.REVISION: request.revision,
        labels.INSTANCE: request.instance,
    }
    return LogLine(request.at, request.instance, STREAM, json.dumps(fields), has)


def _phases(start: ColdStart, waited: float) -> str:
    """`mount=0.7 create=17.8 start=0.1 listen=2.7 request=23.4`: as in metrics, in milliseconds."""
    parts = {**start.phases, "request": waited}
    return " ".join(f"{name}={1000 * seconds:.1f}" for name, seconds in parts.items())
