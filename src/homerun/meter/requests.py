"""The request log: what the routers answered, as log lines that can be read like those of the containers.

In memory, the newest so many, because it is written at the speed of requests; the lines of containers are on disk.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from homerun.engine.base import LogLine
from homerun.model import labels, names
from homerun.wire.link import RequestLog

KEPT = 10_000
STREAM = "requests"


class RequestLogs:
    def __init__(self, kept: int = KEPT) -> None:
        self._requests: deque[RequestLog] = deque(maxlen=kept)

    def record(self, request: RequestLog) -> None:
        self._requests.append(request)

    def lines(
        self, wanted: Mapping[str, str], *, since: float = 0, until: float | None = None, limit: int | None = None
    ) -> Sequence[LogLine]:
        """As Engine.logs: with `limit`, the last so many, in time order."""
        matching = (
            request
            for request in reversed(self._requests)
            if since < request.at and (until is None or request.at <= until) and _carries(request, wanted)
        )
        return [_line(request) for request in islice(matching, limit)][::-1]


def _labels(request: RequestLog) -> dict[str, str]:
    service = names.parent(request.revision)
    return {labels.SERVICE: service, labels.REVISION: request.revision, labels.INSTANCE: request.instance}


def _carries(request: RequestLog, wanted: Mapping[str, str]) -> bool:
    has = _labels(request)
    return all(has.get(key) == value for key, value in wanted.items())


def _line(request: RequestLog) -> LogLine:
    """Severity by status; the fields of httpRequest as in contract §1.13."""
    fields = {
        "severity": "ERROR" if request.status >= 500 else "WARNING" if request.status >= 400 else "INFO",
        "httpRequest": {
            "requestMethod": request.method,
            "requestUrl": request.url,
            "requestSize": str(request.request_size),
            "status": request.status,
            "responseSize": str(request.response_size),
            "userAgent": request.user_agent,
            "remoteIp": request.remote_ip,
            "latency": f"{request.latency:.9f}s",
            "protocol": "HTTP/1.1",
        },
    }
    if request.trace:
        fields["logging.googleapis.com/trace"] = request.trace
    if request.text:
        fields["message"] = request.text
    return LogLine(request.at, request.instance, STREAM, json.dumps(fields), _labels(request))
