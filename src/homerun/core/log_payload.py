"""A line of output as the payload of a log entry (contract §1.13): text as it is, one JSON object structured.

Fields with a meaning of their own are lifted out of the object, if they are what they should be; what is not stays part
of the payload, so that nothing that a program wrote is lost, and an entry can always be sent as Google's message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from homerun.lib.timestamps import from_rfc3339
from homerun.model.severity import written_severity

_DURATION = re.compile(r"\d+(?:\.\d{1,9})?s")
_INT64 = 1 << 63
_DEEPEST = 40
"""Of an object in a payload: each level is two messages, a Struct and a Value."""
_SPECIAL = "logging.googleapis.com/"


@dataclass(slots=True)
class Payload:
    """`text` or `json`, or neither if all of it was lifted into `fields`, those of a LogEntry. `time`: of the program's
    own saying."""

    severity: str = "DEFAULT"
    text: str | None = None
    json: dict[str, Any] | None = None
    time: float | None = None
    labels: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)


def payload(line: str) -> Payload:
    if not line.startswith("{"):
        return Payload(text=line)
    try:
        found = msgspec.json.decode(line.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return Payload(text=line)
    return structured(found) if isinstance(found, dict) and not _too_deep(found, line) else Payload(text=line)


def _too_deep(value: Any, line: str) -> bool:
    """Google's messages may be nested 100 levels."""
    return line.count("{") + line.count("[") > _DEEPEST and not _fits(value, _DEEPEST)


def _fits(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_fits(item, levels - 1) for item in value.values())
    return not isinstance(value, list) or (levels > 0 and all(_fits(item, levels - 1) for item in value))


def structured(found: dict[str, Any]) -> Payload:
    """`found` is used up."""
    made = Payload()
    severity = written_severity(found["severity"]) if "severity" in found else None
    if severity is not None:
        made.severity = severity
        del found["severity"]
    made.time = _time(found)
    if isinstance(labels := found.get(f"{_SPECIAL}labels"), dict):
        made.labels = {str(key): str(value) for key, value in labels.items()}
        del found[f"{_SPECIAL}labels"]
    for key, (name, convert) in _LIFTED.items():
        if key in found and (value := convert(found[key])) is not None:
            made.fields[name] = value
            del found[key]
    if found.keys() == {"message"}:
        made.text = str(found["message"])
    elif found:
        made.json = found
    return made


def _time(found: dict[str, Any]) -> float | None:
    """Taken out of `found`: `time` or `timestamp` as RFC 3339, `timestamp` as seconds and nanos, or the two apart."""
    for key in ("timestamp", "time"):
        if key in found and (time := _moment(found[key])) is not None:
            del found[key]
            return time
    apart = {"seconds": found.get("timestampSeconds"), "nanos": found.get("timestampNanos")}
    time = _moment(apart)
    if time is not None:
        del found["timestampSeconds"], found["timestampNanos"]
    return time


def _moment(value: object) -> float | None:
    """Between the years 1 and 9999, or None."""
    try:
        if isinstance(value, str):
            return from_rfc3339(value)
        if isinstance(value, Mapping) and value.keys() == {"seconds", "nanos"}:
            seconds = int(value["seconds"]) + int(value["nanos"]) / 1e9
            return seconds if 0 <= seconds < 253402300800 else None
    except (ValueError, TypeError, OverflowError):
        pass
    return None


Convert = Callable[[Any], Any]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _size(value: Any) -> str | None:
    """An int64, which JSON of protobuf writes as a text."""
    number = str(value)
    return number if not isinstance(value, bool) and number.isdecimal() and int(number) < _INT64 else None


def _status(value: Any) -> int | None:
    size = _size(value)
    return int(size) if size is not None and int(size) < 1000 else None


def _duration(value: Any) -> str | None:
    return value if isinstance(value, str) and _DURATION.fullmatch(value) else None


def _message(**fields: Convert) -> Convert:
    """All fields of an object are known and what they should be, or it is left alone."""

    def convert(value: Any) -> dict[str, Any] | None:
        if not isinstance(value, dict) or value.keys() - fields.keys():
            return None
        made = {key: fields[key](item) for key, item in value.items()}
        return None if None in made.values() else made

    return convert


_HTTP_REQUEST = _message(
    requestMethod=_text,
    requestUrl=_text,
    requestSize=_size,
    status=_status,
    responseSize=_size,
    userAgent=_text,
    remoteIp=_text,
    serverIp=_text,
    referer=_text,
    latency=_duration,
    cacheLookup=_flag,
    cacheHit=_flag,
    cacheValidatedWithOriginServer=_flag,
    cacheFillBytes=_size,
    protocol=_text,
)
_LIFTED: Mapping[str, tuple[str, Convert]] = {
    "httpRequest": ("httpRequest", _HTTP_REQUEST),
    f"{_SPECIAL}insertId": ("insertId", _text),
    f"{_SPECIAL}operation": ("operation", _message(id=_text, producer=_text, first=_flag, last=_flag)),
    f"{_SPECIAL}sourceLocation": ("sourceLocation", _message(file=_text, line=_size, function=_text)),
    f"{_SPECIAL}spanId": ("spanId", _text),
    f"{_SPECIAL}trace": ("trace", _text),
    f"{_SPECIAL}trace_sampled": ("traceSampled", _flag),
}
"""Field of a line -> field of the entry, and what it must be."""
